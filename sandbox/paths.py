"""The grammar of Kubernetes' paths, and the verbs that methods stand for.

Here: ``/api/v1|/apis/G/V [/namespaces/NS] /plural [/name [/subresource]]``, text in, parts out. Not here: which
resources there are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_PATH = re.compile(
    r"^/(?:api|apis/(?P<group>[^/]+))/(?P<version>[^/]+)"
    r"(?:/namespaces/(?P<namespace>[^/]+)(?=/(?!(?:status|finalize)/?$)))?"
    r"/(?P<plural>[^/]+)(?:/(?P<name>[^/]+)(?:/(?P<subresource>[^/]+))?)?/?$"
)
_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch"}
_READING = {"GET", "HEAD"}


@dataclass(frozen=True, slots=True)
class Parts:
    """What a path names; parts that it does not have are empty."""

    group: str
    version: str
    namespace: str
    plural: str
    name: str
    subresource: str

    @property
    def resource(self) -> str:
        """``plural`` or ``plural.group``, with ``/subresource`` where there is one."""
        whole = f"{self.plural}.{self.group}" if self.group else self.plural
        return f"{whole}/{self.subresource}" if self.subresource else whole


def parts_of(path: str) -> Parts | None:
    """Return the parts of a path, or None when it is none of a resource."""
    found = _PATH.match(path)
    if found is None:
        return None
    return Parts(**{name: part or "" for name, part in found.groupdict().items()})


def verb_of(method: str, *, named: bool, watching: bool) -> str:
    """Return the verb of RBAC that a method on a resource uses."""
    if method in _READING:
        return "watch" if watching else "get" if named else "list"
    if method == "DELETE":
        return "delete" if named else "deletecollection"
    return _VERBS.get(method, method.lower())
