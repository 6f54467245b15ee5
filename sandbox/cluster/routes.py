"""Paths of the Kubernetes API: text in, what is meant out.

Here: the grammar ``/api/v1|/apis/G/V [/namespaces/NS] /plural [/name [/subresource]]``. Not here: what happens there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sandbox.cluster.errors import unknown_path
from sandbox.cluster.kinds import NAMESPACE, POD, Catalogue, Kind

_OWN_SUBRESOURCES = {NAMESPACE: ("finalize",), POD: ("log",)}
METHODS = {
    "status": ("GET", "PATCH", "PUT"),
    "scale": ("GET", "PATCH", "PUT"),
    "finalize": ("PUT",),
    "log": ("GET",),
}
_PATH = re.compile(
    r"^/(?:api|apis/(?P<group>[^/]+))/(?P<version>[^/]+)"
    r"(?:/namespaces/(?P<namespace>[^/]+)(?=/(?!(?:status|finalize)/?$)))?"
    r"/(?P<plural>[^/]+)(?:/(?P<name>[^/]+)(?:/(?P<subresource>[^/]+))?)?/?$"
)


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
    found = _PATH.match(path)
    kind = found and catalogue.find(found["group"] or "", found["version"], found["plural"])
    if not found or not kind:
        raise unknown_path()
    target = Target(kind, found["namespace"] or "", found["name"] or "", found["subresource"] or "")
    if target.subresource and target.subresource not in subresources(kind):
        raise unknown_path()
    return target
