"""Where images may come from: by the segments of their names, as registries read them, and not by how a text begins.

``registry.example.com/airflow`` allows ``registry.example.com/airflow/base`` and not ``registry.example.com/airflow-x``
or ``registry.example.com.evil.net/airflow``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from agent.planning.guarding.volumes import image_volumes
from agent.planning.guarding.walking import Case, Found, Place

_DIGEST: Final = re.compile(r".+@sha256:[0-9a-f]{64}")
_DOCKER: Final = "docker.io"
_ALIASES: Final = frozenset({"index.docker.io", "registry-1.docker.io"})


def repositories(case: Case) -> Iterator[Found]:
    """Images of every container and volume come from the repositories that are listed, if any are."""
    allowed = [segments(one) for one in case.guard.images.repositories]
    if not allowed:
        return
    for place, name in _images(case):
        mine = segments(str(place.body.get(name) or ""))
        if not any(mine[: len(one)] == one for one in allowed):
            yield place.found(name, f"must come from {', '.join(case.guard.images.repositories)}")


def digests(case: Case) -> Iterator[Found]:
    """A tag can be moved to another image, a digest cannot."""
    if not case.guard.images.digests_only:
        return
    for place, name in _images(case):
        if not _DIGEST.fullmatch(str(place.body.get(name) or "")):
            yield place.found(name, "must be given by its digest, as name@sha256:…")


def segments(reference: str) -> tuple[str, ...]:
    """The registry and the parts of the repository, without tag and digest; empty if it is no name.

    A name without a registry is one of Docker Hub, and one without an owner there is Docker's own.
    """
    name = reference.partition("@")[0]
    *path, last = name.split("/")
    parts = (
        [*path, last.partition(":")[0]] if path else [last if _is_host(last, alone=True) else last.partition(":")[0]]
    )
    if not _is_host(parts[0], alone=len(parts) == 1):
        parts = [_DOCKER, *(["library"] if len(parts) == 1 else []), *parts]
    host = parts[0].lower()
    whole = (_DOCKER if host in _ALIASES else host, *parts[1:])
    return () if {"", ".", ".."} & set(whole) else whole


def _is_host(part: str, *, alone: bool) -> bool:
    """Whether it names a registry. Alone, a port looks like a tag: then only a dot tells."""
    name = part.partition(":")[0]
    return "." in name or name == "localhost" or (":" in part and not alone)


def _images(case: Case) -> Iterator[tuple[Place, str]]:
    yield from ((container, "image") for _, container in case.containers)
    yield from ((volume, "reference") for volume in image_volumes(case))
