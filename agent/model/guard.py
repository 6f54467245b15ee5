"""The guard: the customer's own rules over what a control plane may ask for, and the words that name them.

Here: the values, and the name of every rule. Not here: the file that they come from (wire), and judging (planning).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from agent.model.instance import Window


class Rule(StrEnum):
    """What holds always, whatever the file says, unless it allows it by this very name."""

    HOST_NETWORK = "hostNetwork"
    HOST_PID = "hostPID"
    HOST_IPC = "hostIPC"
    HOST_USERS = "hostUsers"
    HOST_PORT = "hostPort"
    HOST_PROCESS = "hostProcess"
    PROBE_HOST = "probeHost"
    NODE_NAME = "nodeName"
    SCHEDULER = "schedulerName"
    CONTROL_PLANE_NODES = "controlPlaneNodes"
    PRIORITY = "priorityClass"
    RUNTIME_CLASS = "runtimeClass"
    SHARED_PROCESSES = "shareProcessNamespace"
    SYSCTLS = "sysctls"
    POD_FIELDS = "podFields"
    SERVICE_ACCOUNT = "serviceAccount"
    TOKEN = "automountedToken"  # noqa: S105 - names of rules
    TOKEN_AUDIENCE = "tokenAudience"  # noqa: S105
    TOKEN_SECRET = "tokenSecret"  # noqa: S105
    VOLUMES = "volumes"
    CLAIM_SOURCE = "claimSource"
    PRIVILEGED = "privileged"
    PRIVILEGE_ESCALATION = "privilegeEscalation"
    CAPABILITIES = "capabilities"
    PROC_MOUNT = "procMount"
    ROOT_USER = "rootUser"
    SECCOMP = "seccomp"
    APP_ARMOR = "appArmor"
    SE_LINUX = "seLinux"
    KINDS = "kinds"
    CLUSTER_SCOPED = "clusterScoped"
    OTHER_NAMESPACE = "otherNamespace"
    POD_SECURITY = "podSecurity"
    OWNERS = "ownerReferences"
    NODE_PORT = "nodePort"
    LOAD_BALANCER = "loadBalancer"
    EXTERNAL_NAME = "externalName"
    EXTERNAL_IPS = "externalIPs"
    WILDCARD_RIGHTS = "wildcardRights"
    POWERFUL_RIGHTS = "powerfulRights"
    SECRET_RIGHTS = "secretRights"  # noqa: S105
    FOREIGN_ROLE = "foreignRole"
    FOREIGN_SUBJECTS = "foreignSubjects"


class Feature(StrEnum):
    """What a document may say and a customer may forbid."""

    ADOPT = "adopt"
    CLOUD_IDENTITY = "cloudIdentity"
    CUSTOM_QUOTA = "customQuota"
    DROP_DATA = "dropData"
    ENV = "env"
    CONFIG = "config"
    EXTERNAL_SCALING = "externalScaling"
    HIBERNATION = "hibernation"
    OPEN_NETWORK = "openNetwork"
    PULL_SECRETS = "pullSecrets"
    STORAGE_CLASS = "storageClass"


@dataclass(frozen=True, slots=True)
class Images:
    """Where images may come from; without ``repositories``, from anywhere."""

    repositories: tuple[str, ...] = ()
    digests_only: bool = False


@dataclass(frozen=True, slots=True)
class Ceilings:
    """The most of each; what is not named has no ceiling. Quantities are Kubernetes' own.

    ``quota``: of a whole instance, by the resource of a ResourceQuota. ``replicas``: of one workload. ``storage``: of
    one volume. ``requests`` and ``limits``: of one container.
    """

    quota: Mapping[str, str] = field(default_factory=dict)
    replicas: int | None = None
    storage: str | None = None
    requests: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Protection:
    """What no tombstone removes: patterns of names or ids and of namespaces, and labels that a document has."""

    instances: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Freeze:
    """Nothing is changed; ``until`` None: for as long as the file says so."""

    until: datetime | None = None

    def holds(self, now: datetime) -> bool:
        """Whether it does at this time."""
        return self.until is None or now < self.until


@dataclass(frozen=True, slots=True)
class Guard:
    """All rules of one customer. As it is made without arguments it is what holds without a file."""

    images: Images = Images()
    namespaces: tuple[str, ...] = ()
    ceilings: Ceilings = Ceilings()
    forbidden: frozenset[Feature] = frozenset()
    windows: tuple[Window, ...] = ()
    freeze: Freeze | None = None
    protection: Protection = Protection()
    allowed: frozenset[Rule] = frozenset()
    runtime_classes: frozenset[str] = frozenset()
    volume_types: frozenset[str] = frozenset()
    token_audiences: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Violation:
    """One field that breaks one rule. ``where``: the object that it is in, or ``document``."""

    rule: str
    where: str
    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.where} {self.path}: {self.message} ({self.rule})"
