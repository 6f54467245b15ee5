"""Paths of the Kubernetes API: text in, what is meant out.

Here: which of the kinds that are served a path names. Not here: what happens there.
"""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.cluster.errors import unknown_path
from sandbox.cluster.kinds import NAMESPACE, POD, Catalogue, Kind
from sandbox.paths import parts_of

_OWN_SUBRESOURCES = {NAMESPACE: ("finalize",), POD: ("log",)}
METHODS = {
    "status": ("GET", "PATCH", "PUT"),
    "scale": ("GET", "PATCH", "PUT"),
    "finalize": ("PUT",),
    "log": ("GET",),
}


class UnknownGroupError(Exception):
    """A path below which nothing is served."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a path names: a kind, perhaps a namespace, perhaps one object and a part of it."""

    kind: Kind
    namespace: str = ""
    name: str = ""
    subresource: str = ""


def subresources(kind: Kind) -> tuple[str, ...]:
    """Return the subresources that a kind is served with."""
    common = tuple(name for name, served in (("status", kind.status), ("scale", kind.scale)) if served)
    return common + _OWN_SUBRESOURCES.get(kind, ())


def parse(path: str, catalogue: Catalogue) -> Target:
    """Return what a path under /api or /apis names.

    Raises:
        UnknownGroupError: when no such group is served: the real server's mux answers that, in plain text.
        ApiError: 404, when the group has no such resource.
    """
    root, group = [*path.strip("/").split("/"), ""][:2]
    if root != "api" and (root != "apis" or group not in catalogue.versions()):
        raise UnknownGroupError
    found = parts_of(path)
    kind = found and catalogue.find(found.group, found.version, found.plural)
    if not found or not kind:
        raise unknown_path()
    target = Target(kind, found.namespace, found.name, found.subresource)
    if target.subresource and target.subresource not in subresources(kind):
        raise unknown_path()
    return target
