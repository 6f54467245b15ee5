"""The kinds that Perigee renders, keeps and watches, and where the API server serves them.

A table instead of discovery: the list is short, known, and is the list of rights that the agent needs.
"""

from __future__ import annotations

from dataclasses import dataclass

from agent.model.objects import ObjectRef
from agent.planning.diff import UNWATCHED


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind. ``whole``: with their content;
    of the others the metadata is enough, since it tells who owns which field.
    """

    api_version: str
    kind: str
    plural: str
    namespaced: bool = True
    whole: bool = False

    @property
    def watched(self) -> bool:
        """Nobody should grant the right to read a whole cluster's Secrets and ConfigMaps."""
        return self.kind not in UNWATCHED

    def collection(self, namespace: str = "") -> str:
        """The path of all objects of this kind, or of those in one namespace."""
        root = f"/apis/{self.api_version}" if "/" in self.api_version else f"/api/{self.api_version}"
        scope = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        return f"{root}{scope}/{self.plural}"


_KINDS = (
    Kind("v1", "Namespace", "namespaces", namespaced=False, whole=True),
    Kind("v1", "ResourceQuota", "resourcequotas"),
    Kind("v1", "LimitRange", "limitranges"),
    Kind("v1", "ServiceAccount", "serviceaccounts"),
    Kind("v1", "Service", "services"),
    Kind("v1", "PersistentVolumeClaim", "persistentvolumeclaims", whole=True),
    Kind("v1", "Pod", "pods", whole=True),
    Kind("v1", "Secret", "secrets"),
    Kind("v1", "ConfigMap", "configmaps"),
    Kind("apps/v1", "Deployment", "deployments", whole=True),
    Kind("apps/v1", "StatefulSet", "statefulsets", whole=True),
    Kind("batch/v1", "Job", "jobs", whole=True),
    Kind("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies"),
    Kind("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets"),
    Kind("rbac.authorization.k8s.io/v1", "Role", "roles"),
    Kind("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings"),
)
KINDS = {(kind.api_version, kind.kind): kind for kind in _KINDS}
WATCHED = tuple(kind for kind in _KINDS if kind.watched)
_NOT_GIVEN = frozenset({"Namespace", "Role", "RoleBinding"})
POOLED = tuple(kind for kind in WATCHED if kind.kind not in _NOT_GIVEN)
"""Watched in each namespace of a fixed pool: there, neither the namespace nor the rights in it are ours to make."""
SURVEYED = tuple(kind for kind in _KINDS if not kind.watched)


def kind_of(ref: ObjectRef) -> Kind:
    """The table's row for an object; raises ``KeyError`` for a kind that Perigee does not use."""
    return KINDS[ref.api_version, ref.kind]


def path_of(ref: ObjectRef) -> str:
    """The path of one object."""
    return f"{kind_of(ref).collection(ref.namespace)}/{ref.name}"
