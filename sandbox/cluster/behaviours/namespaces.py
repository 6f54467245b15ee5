"""Namespaces: what a new one is furnished with, and how one that is deleted is emptied.

Here: the default ServiceAccount, the root certificate's ConfigMap, the removal of contents. Not here: refusing new
contents, which is the API's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from sandbox.cluster.api import Write
from sandbox.cluster.behaviours.desk import CONTROLLERS, Desk, condition
from sandbox.cluster.kinds import CONFIG_MAP, NAMESPACE, SERVICE_ACCOUNT, Json, Kind
from sandbox.cluster.store import Change, Stored

_CERTIFICATE = "-----BEGIN CERTIFICATE-----\nsimulated\n-----END CERTIFICATE-----\n"
_DESCRIPTION = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the "
    "internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes "
    "clusters."
)
_NOTES = {"annotations": {"kubernetes.io/description": _DESCRIPTION}}
_FURNITURE: tuple[tuple[Kind, str, Json, Json], ...] = (
    (SERVICE_ACCOUNT, "default", {}, {}),
    (CONFIG_MAP, "kube-root-ca.crt", _NOTES, {"data": {"ca.crt": _CERTIFICATE}}),
)
_NO_FAILURE: tuple[Json, ...] = (
    {
        "type": "NamespaceDeletionDiscoveryFailure",
        "status": "False",
        "reason": "ResourcesDiscovered",
        "message": "All resources successfully discovered",
    },
    {
        "type": "NamespaceDeletionGroupVersionParsingFailure",
        "status": "False",
        "reason": "ParsedGroupVersions",
        "message": "All legacy kube types successfully parsed",
    },
    {
        "type": "NamespaceDeletionContentFailure",
        "status": "False",
        "reason": "ContentDeleted",
        "message": "All content successfully deleted, may be waiting on finalization",
    },
)


class Namespaces:
    """Looks at namespaces, and at what leaves them."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def concerned(self, change: Change) -> Iterator[Stored]:
        """Yield a namespace that came or changed, or the one that something left."""
        if change.after.kind == NAMESPACE:
            yield change.after
        elif change.gone:
            home = self._desk.api.store.get(NAMESPACE, "", change.after.namespace)
            if home is not None:
                yield home

    def settle(self, stored: Stored) -> None:
        """Furnish a namespace, or go on emptying it."""
        present = self._desk.fresh(stored)
        if present is None:
            return
        if present.deleting:
            self._empty(present)
        else:
            self._furnish(present.name)

    def _furnish(self, namespace: str) -> None:
        for kind, name, metadata, content in _FURNITURE:
            if self._desk.api.store.get(kind, namespace, name) is None:
                self._desk.create(kind, content | {"metadata": metadata | {"name": name, "namespace": namespace}})

    def _empty(self, namespace: Stored) -> None:
        for stored in self._contents(namespace.name):
            if not stored.deleting:
                self._desk.delete(stored)
        remaining = self._contents(namespace.name)
        reported = self._desk.report(
            namespace, namespace.document["status"] | {"conditions": self._why(namespace, remaining)}
        )
        if not remaining:
            document = reported.document | {"spec": {"finalizers": []}}
            self._desk.api.replace(reported, document, Write(CONTROLLERS, subresource="finalize"))

    def _why(self, namespace: Stored, remaining: Sequence[Stored]) -> list[Json]:
        """Return the conditions that say what a leaving namespace waits for."""
        kinds = Counter(f"{stored.kind.plural}.{stored.kind.group}" for stored in remaining)
        finalizers = Counter(name for stored in remaining for name in stored.document["metadata"].get("finalizers", []))
        conditions: list[Json] = namespace.document["status"].get("conditions", [])
        for wanted in (*_NO_FAILURE, _remaining(kinds), _held(finalizers)):
            conditions = condition(conditions, wanted, self._desk.api.now())
        return conditions

    def _contents(self, namespace: str) -> list[Stored]:
        store = self._desk.api.store
        kinds: list[Kind] = [kind for kind in self._desk.api.catalogue.all() if kind.namespaced]
        return [stored for kind in kinds for stored in store.of(kind, namespace)]


def _remaining(kinds: Mapping[str, int]) -> Json:
    head = {"type": "NamespaceContentRemaining"}
    if not kinds:
        message = "All content successfully removed"
        return head | {"status": "False", "reason": "ContentRemoved", "message": message}
    listed = ", ".join(f"{name} has {count} resource instances" for name, count in sorted(kinds.items()))
    message = f"Some resources are remaining: {listed}"
    return head | {"status": "True", "reason": "SomeResourcesRemain", "message": message}


def _held(finalizers: Mapping[str, int]) -> Json:
    head = {"type": "NamespaceFinalizersRemaining"}
    if not finalizers:
        message = "All content-preserving finalizers finished"
        return head | {"status": "False", "reason": "ContentHasNoFinalizers", "message": message}
    listed = ", ".join(f"{name} in {count} resource instances" for name, count in sorted(finalizers.items()))
    message = f"Some content in the namespace has finalizers remaining: {listed}"
    return head | {"status": "True", "reason": "SomeFinalizersRemain", "message": message}
