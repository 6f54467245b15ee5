"""The kinds that the embedded cluster serves, as a table.

Here: what distinguishes one kind from another (names, scope, subresources, which changes count as a new generation).
Not here: what is done with it. The generation rules follow the strategies in kubernetes/pkg/registry: most kinds have
no generation at all, and a Deployment counts changes of its annotations.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

SPEC = ("spec",)
SPEC_AND_ANNOTATIONS = ("spec", "annotations")


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of object; it is the same kind whatever else is told of it.

    ``counted`` names what a new generation is counted for: ``spec``, ``annotations``, ``*`` (all but metadata and
    status); empty when objects of the kind carry no generation. ``returned`` says that a DELETE answers with the object
    (``rest.Store.ReturnDeletedObject``) and not with a Status. ``orphans`` says that a DELETE without a policy leaves
    the dependents (batch/v1 Job, kept for compatibility by the real server). Kinds that are not ``stored`` are
    questions: they can only be created, and the answer is all that comes of it. ``collection`` says that a DELETE may
    name all objects at once, ``upserted`` that a PUT may create, ``unconditional`` that a PUT may come without the
    resourceVersion that it replaces.
    """

    group: str
    version: str
    name: str
    plural: str = field(compare=False)
    namespaced: bool = field(default=True, compare=False)
    short: tuple[str, ...] = field(default=(), compare=False)
    status: bool = field(default=False, compare=False)
    scale: bool = field(default=False, compare=False)
    counted: tuple[str, ...] = field(default=(), compare=False)
    returned: bool = field(default=False, compare=False)
    orphans: bool = field(default=False, compare=False)
    categories: tuple[str, ...] = field(default=(), compare=False)
    stored: bool = field(default=True, compare=False)
    collection: bool = field(default=True, compare=False)
    upserted: bool = field(default=False, compare=False)
    unconditional: bool = field(default=True, compare=False)

    @property
    def api_version(self) -> str:
        """The ``apiVersion`` that objects of this kind carry."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def resource(self) -> str:
        """The plural qualified by its group, as error messages write it: ``deployments.apps``."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def qualified(self) -> str:
        """The kind qualified by its group, as validation messages write it: ``Deployment.apps``."""
        return f"{self.name}.{self.group}" if self.group else self.name

    @property
    def singular(self) -> str:
        """The singular name that discovery lists."""
        return self.name.lower()


NAMESPACE = Kind("", "v1", "Namespace", "namespaces", namespaced=False, short=("ns",), status=True, collection=False)
NODE = Kind("", "v1", "Node", "nodes", namespaced=False, short=("no",), status=True)
POD = Kind("", "v1", "Pod", "pods", short=("po",), status=True, counted=SPEC, returned=True, categories=("all",))
CONFIG_MAP = Kind("", "v1", "ConfigMap", "configmaps", short=("cm",))
SECRET = Kind("", "v1", "Secret", "secrets")
SERVICE = Kind(
    "", "v1", "Service", "services", short=("svc",), status=True, returned=True, upserted=True, categories=("all",)
)
SERVICE_ACCOUNT = Kind("", "v1", "ServiceAccount", "serviceaccounts", short=("sa",), returned=True)
CLAIM = Kind("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", short=("pvc",), status=True, returned=True)
VOLUME = Kind(
    "", "v1", "PersistentVolume", "persistentvolumes", namespaced=False, short=("pv",), status=True, returned=True
)
DEPLOYMENT = Kind(
    "apps", "v1", "Deployment", "deployments", short=("deploy",), status=True, scale=True,
    counted=SPEC_AND_ANNOTATIONS, categories=("all",),
)  # fmt: skip
REPLICA_SET = Kind(
    "apps", "v1", "ReplicaSet", "replicasets", short=("rs",), status=True, scale=True, counted=SPEC,
    categories=("all",),
)  # fmt: skip
STATEFUL_SET = Kind(
    "apps", "v1", "StatefulSet", "statefulsets", short=("sts",), status=True, scale=True, counted=SPEC,
    categories=("all",),
)  # fmt: skip
DAEMON_SET = Kind(
    "apps", "v1", "DaemonSet", "daemonsets", short=("ds",), status=True, counted=SPEC, categories=("all",)
)
REVISION = Kind("apps", "v1", "ControllerRevision", "controllerrevisions")
JOB = Kind("batch", "v1", "Job", "jobs", status=True, counted=SPEC, orphans=True, categories=("all",))
EVENT = Kind("", "v1", "Event", "events", short=("ev",), upserted=True)
CLASS = Kind("storage.k8s.io", "v1", "StorageClass", "storageclasses", namespaced=False, short=("sc",), returned=True)
DEFINITION = Kind(
    "apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", namespaced=False,
    short=("crd", "crds"), status=True, counted=SPEC, categories=("api-extensions",),
)  # fmt: skip
ROLE_BINDING = Kind("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings", upserted=True)
CLUSTER_ROLE_BINDING = Kind(
    "rbac.authorization.k8s.io", "v1", "ClusterRoleBinding", "clusterrolebindings", namespaced=False, upserted=True
)
ACCESS_REVIEW = Kind(
    "authorization.k8s.io", "v1", "SelfSubjectAccessReview", "selfsubjectaccessreviews", namespaced=False, stored=False
)

BUILT_IN: tuple[Kind, ...] = (
    NAMESPACE,
    NODE,
    POD,
    CONFIG_MAP,
    SECRET,
    SERVICE,
    SERVICE_ACCOUNT,
    CLAIM,
    VOLUME,
    EVENT,
    Kind("", "v1", "ResourceQuota", "resourcequotas", short=("quota",), status=True, returned=True),
    Kind("", "v1", "LimitRange", "limitranges", short=("limits",), upserted=True),
    DEPLOYMENT,
    REPLICA_SET,
    STATEFUL_SET,
    DAEMON_SET,
    REVISION,
    JOB,
    Kind("batch", "v1", "CronJob", "cronjobs", short=("cj",), status=True, counted=SPEC, categories=("all",)),
    Kind("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies", short=("netpol",), counted=SPEC),
    Kind("networking.k8s.io", "v1", "Ingress", "ingresses", short=("ing",), status=True, counted=SPEC),
    Kind("rbac.authorization.k8s.io", "v1", "Role", "roles", upserted=True),
    ROLE_BINDING,
    Kind("rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles", namespaced=False, upserted=True),
    CLUSTER_ROLE_BINDING,
    Kind("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets", short=("pdb",), status=True, counted=SPEC,
         unconditional=False),
    Kind("coordination.k8s.io", "v1", "Lease", "leases", upserted=True, unconditional=False),
    Kind(
        "autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", short=("hpa",), status=True,
        categories=("all",),
    ),
    Kind(
        "scheduling.k8s.io", "v1", "PriorityClass", "priorityclasses", namespaced=False, short=("pc",),
        counted=("*",),
    ),
    CLASS,
    DEFINITION,
    ACCESS_REVIEW,
)  # fmt: skip


class Catalogue:
    """The kinds served at the moment: the built-in ones and those that definitions added."""

    def __init__(self) -> None:
        self._by_plural = {(kind.group, kind.version, kind.plural): kind for kind in BUILT_IN}
        self._by_name = {(kind.api_version, kind.name): kind for kind in BUILT_IN}

    def find(self, group: str, version: str, plural: str) -> Kind | None:
        """Return the kind behind one segment of a path, or None."""
        return self._by_plural.get((group, version, plural))

    def named(self, api_version: str, name: str) -> Kind | None:
        """Return the kind that an object or an owner reference names, or None."""
        return self._by_name.get((api_version, name))

    def all(self) -> tuple[Kind, ...]:
        """Return every kind served, built-in ones first."""
        return tuple(self._by_plural.values())

    def versions(self) -> dict[str, list[str]]:
        """Return the versions of each group, the core group under the empty name."""
        found: dict[str, list[str]] = {}
        for kind in self._by_plural.values():
            versions = found.setdefault(kind.group, [])
            if kind.version not in versions:
                versions.append(kind.version)
        return found

    def add(self, kind: Kind) -> None:
        """Serve one more kind; a kind already served under this name is replaced."""
        self._by_plural[kind.group, kind.version, kind.plural] = kind
        self._by_name[kind.api_version, kind.name] = kind

    def drop(self, kind: Kind) -> None:
        """Stop serving a kind, if it is served."""
        self._by_plural.pop((kind.group, kind.version, kind.plural), None)
        self._by_name.pop((kind.api_version, kind.name), None)
