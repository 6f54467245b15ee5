"""Equal parts of different documents, kept in memory once: a thousand instances mostly say the same things.

What is shared is never changed by anybody, so nobody can tell. Each cache is bounded in number and in the size of what
it takes: documents full of different texts cost no more than they did without it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from agent.model.instance import Resources

_LONGEST_TEXT: Final = 200
_LONGEST_TEXTS: Final = 1000
_MOST_TEXTS: Final = 4096
_MOST_MAPPINGS: Final = 1024


def shared(text: str) -> str:
    """The text, or an equal one that came before."""
    return _text(text) if len(text) <= _LONGEST_TEXT else text


def shared_texts(texts: Mapping[str, str]) -> Mapping[str, str]:
    """The mapping, or an equal one that came before; where it is too large for that, its texts are shared."""
    items = tuple(texts.items())
    if sum(len(key) + len(value) for key, value in items) <= _LONGEST_TEXTS:
        return _texts(items)
    return {shared(key): shared(value) for key, value in items}


def shared_resources(requests: Mapping[str, str], limits: Mapping[str, str]) -> Resources:
    """The resources, or equal ones that came before."""
    return _resources(tuple(requests.items()), tuple(limits.items()))


_Items = tuple[tuple[str, str], ...]


@lru_cache(maxsize=_MOST_TEXTS)
def _text(text: str) -> str:
    return text


@lru_cache(maxsize=_MOST_MAPPINGS)
def _texts(items: _Items) -> Mapping[str, str]:
    return {shared(key): shared(value) for key, value in items}


@lru_cache(maxsize=_MOST_MAPPINGS)
def _resources(requests: _Items, limits: _Items) -> Resources:
    return Resources(requests=_texts(requests), limits=_texts(limits))
