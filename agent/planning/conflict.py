"""Whose a contested field is: which of our fields are taken back by force, and which are left to who holds them. Pure.

A field is taken back only if it was ours after our last apply: somebody took it from us. What others held before we
ever wanted it stays theirs, and some fields are never taken, since their holders write them for a living.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent.model.errors import OwnedField
from agent.model.objects import MANAGER, SCALE_MANAGER, Ceded, Manifest
from agent.planning.fields import Path, members, text
from agent.planning.ownership import entries, holder

_OURS = frozenset({MANAGER, SCALE_MANAGER})
_SCALERS = re.compile(r"/scale$|^(vpa-|keda)")
"""Who writes what an autoscaler decides: through the scale subresource, or as one of the known autoscalers."""
_THEIR_ANNOTATIONS = re.compile(
    r"(^|\.)(cert-manager\.io|keda\.sh|karpenter\.sh|autoscaling\.kubernetes\.io|cluster-autoscaler\.kubernetes\.io"
    r"|amazonaws\.com|azure\.com|cloud\.google\.com|gke\.io|service\.beta\.kubernetes\.io|service\.kubernetes\.io)/"
)
"""Domains of annotations that certificates, autoscalers and clouds keep on objects of others."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do about a conflict: apply again by force without the fields that are left to others.

    ``unclear`` are fields that nobody seems to hold: while there are any, nothing is forced.
    """

    left: tuple[Ceded, ...]
    forced: tuple[OwnedField, ...]
    unclear: tuple[OwnedField, ...] = ()


def judge(conflict: Sequence[OwnedField], live: Manifest, *, ours: Collection[str] | None) -> Verdict:
    """Judge every field of a conflict. ``ours``: the fields of our last ownership set as text; None: all were ours."""
    held = _held(live)
    left: list[Ceded] = []
    forced: list[OwnedField] = []
    unclear: list[OwnedField] = []
    for field in conflict:
        if may_force(field, ours=ours):
            forced.append(field)
        elif field.field in held:
            left.extend(Ceded(field.manager, path) for path in held[field.field])
        else:
            unclear.append(field)  # its holder gave it up just now
    return Verdict(tuple(dict.fromkeys(left)), tuple(forced), tuple(unclear))


def may_force(field: OwnedField, *, ours: Collection[str] | None) -> bool:
    """Whether one contested field may be taken back."""
    if field.manager.partition("/")[0] in _OURS:
        return True
    if field.field == ".spec.replicas" or _SCALERS.search(field.manager):
        return False
    if field.field.startswith(".metadata.annotations.") and _THEIR_ANNOTATIONS.search(field.field):
        return False
    return ours is None or field.field in ours


def _held(live: Manifest) -> Mapping[str, list[Path]]:
    """The paths of all fields that others hold, by their text: two paths may read alike where a key holds a dot."""
    found: dict[str, list[Path]] = {}
    for path in _paths(live):
        paths = found.setdefault(text(path), [])
        if path not in paths:
            paths.append(path)
    return found


def _paths(live: Manifest) -> Iterator[Path]:
    for entry in _others(live):
        yield from members(entry.get("fieldsV1") or {})


def _others(live: Manifest) -> Iterator[dict[str, Any]]:
    return (entry for entry in entries(live) if holder(entry).partition("/")[0] not in _OURS)
