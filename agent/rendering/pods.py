"""Pods: security contexts, probes, containers and templates, the same for everything that runs.

Every pod satisfies the Pod Security Standard ``restricted``, has no token for the Kubernetes API, does not learn of
other Services through its environment, and carries the pull secrets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from agent.model.instance import Resources
from agent.model.objects import Manifest
from agent.rendering import environment, labels, names, quantities, secrets
from agent.rendering.blueprint import Blueprint
from agent.rendering.checks import Check, Http
from agent.rendering.credentials import Need, variables
from agent.rendering.names import Role
from agent.rendering.versions import INIT

AIRFLOW_USER = 50000
AIRFLOW_GROUP = 0
"""Airflow's images run as 50000:0, so that any user of group 0 finds its files writable."""

CONFIG_CHECKSUM = "perigee.dev/config-checksum"
KEYS_CHECKSUM = "perigee.dev/keys-checksum"
SECRETS_CHECKSUM = "perigee.dev/secrets-checksum"
RESTARTED_AT = "perigee.dev/restarted-at"

NO_FILE = "/dev/null"
"""Airflow's configuration file: without one it writes a new one with keys of its own invention beside its code."""

SCRATCH: tuple[tuple[str, str, str], ...] = (("tmp", "/tmp", "1Gi"), ("logs", environment.LOG_FOLDER, "2Gi"))  # noqa: S108
"""Where an Airflow container may write: volume, path and, where no user code runs, the bound on its size."""


@dataclass(frozen=True, slots=True)
class PodShape:
    """What distinguishes one pod template from another."""

    role: Role
    containers: tuple[Manifest, ...]
    volumes: tuple[Manifest, ...]
    user: int
    group: int
    grace_seconds: int
    queue: str | None = None
    init_containers: tuple[Manifest, ...] = ()
    annotations: Mapping[str, str] = field(default_factory=dict)
    extra_labels: Mapping[str, str] = field(default_factory=dict)
    owns_volume: bool = False
    restart: str = "Always"


def template(blueprint: Blueprint, shape: PodShape) -> Manifest:
    """The pod template of a workload."""
    wanted = {**shape.annotations, RESTARTED_AT: blueprint.restarts.get(shape.role, "")}
    annotations = {key: text for key, text in sorted(wanted.items()) if text}
    return {
        "metadata": {
            "labels": labels.standard(blueprint, shape.role, queue=shape.queue) | dict(shape.extra_labels),
            **({"annotations": annotations} if annotations else {}),
        },
        "spec": {
            "serviceAccountName": names.of(shape.role),
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "restartPolicy": shape.restart,
            "terminationGracePeriodSeconds": shape.grace_seconds,
            "securityContext": _pod_security(shape),
            **_optional("imagePullSecrets", [{"name": name} for name in blueprint.airflow.pull_secrets]),
            **_optional("topologySpreadConstraints", _spread(blueprint, shape)),
            **_optional("initContainers", list(shape.init_containers)),
            "containers": list(shape.containers),
            "volumes": list(shape.volumes),
        },
    }


def _optional(key: str, content: list[Manifest]) -> Manifest:
    return {key: content} if content else {}


def _pod_security(shape: PodShape) -> Manifest:
    context: Manifest = {
        "runAsNonRoot": True,
        "runAsUser": shape.user,
        "runAsGroup": shape.group,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    if shape.owns_volume:
        # Only a fresh volume changes hands: going through all files would open those that PostgreSQL wants closed.
        context |= {"fsGroup": shape.group, "fsGroupChangePolicy": "OnRootMismatch"}
    return context


def _spread(blueprint: Blueprint, shape: PodShape) -> list[Manifest]:
    if shape.owns_volume or shape.role is Role.MIGRATION:
        return []
    return [
        {
            "maxSkew": 1,
            "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": labels.selector(blueprint, shape.role, queue=shape.queue)},
        },
    ]


def container_security(*, read_only: bool) -> Manifest:
    """A container's security context: no way to more rights, and no writable image where that works."""
    return {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": read_only,
    }


def probe(check: Check) -> Manifest:
    """A check as Kubernetes writes it."""
    ask: Manifest = (
        {"httpGet": {"path": check.ask.path, "port": check.ask.port}}
        if isinstance(check.ask, Http)
        else {"exec": {"command": list(check.ask.argv)}}
    )
    return {
        **ask,
        "periodSeconds": check.period,
        "timeoutSeconds": check.timeout,
        "failureThreshold": check.failures,
    }


def ports(numbers: Mapping[str, int]) -> list[Manifest]:
    """Container ports, by name."""
    return [{"name": name, "containerPort": number} for name, number in numbers.items()]


def scratch(*, bounded: bool) -> tuple[Manifest, ...]:
    """The volumes of SCRATCH. Bounded, a pod that fills one is evicted: not for pods that run tasks."""
    return tuple({"name": name, "emptyDir": {"sizeLimit": size} if bounded else {}} for name, _, size in SCRATCH)


@dataclass(frozen=True, slots=True)
class AirflowContainer:
    """What distinguishes one container with Airflow's image from another."""

    name: str
    argv: tuple[str, ...]
    needs: tuple[Need, ...]
    resources: Resources
    read_only: bool = True
    variables: tuple[Manifest, ...] = ()
    extras: Manifest = field(default_factory=dict)
    """Further fields of the container: ports, probes, lifecycle."""


def airflow(blueprint: Blueprint, wanted: AirflowContainer) -> Manifest:
    """A container with Airflow's image: configuration, keys and the document's variables, in this order of birth."""
    return {
        "name": wanted.name,
        "image": blueprint.airflow.image,
        "imagePullPolicy": blueprint.airflow.pull_policy,
        "command": list(INIT),
        "args": list(wanted.argv),
        "envFrom": [{"configMapRef": {"name": names.CONFIG_MAP}}],
        "env": [
            {"name": "AIRFLOW_CONFIG", "value": NO_FILE},
            {"name": "DUMB_INIT_SETSID", "value": "0"},
            *variables(wanted.needs),
            *wanted.variables,
            *environment.variables(blueprint),
            *secrets.environment(blueprint),
        ],
        "resources": quantities.manifest(wanted.resources),
        "securityContext": container_security(read_only=wanted.read_only),
        "volumeMounts": [{"name": name, "mountPath": path} for name, path, _ in SCRATCH],
        **wanted.extras,
    }


def checksums(blueprint: Blueprint, keys: str) -> dict[str, str]:
    """Annotations that change exactly when configuration, keys or secret values of a pod change, and so roll it."""
    return {
        CONFIG_CHECKSUM: names.fingerprint(blueprint.airflow.settings),
        KEYS_CHECKSUM: keys,
        SECRETS_CHECKSUM: secrets.checksum(blueprint),
    }


def version_label(blueprint: Blueprint) -> dict[str, str]:
    """The label that tells which Airflow runs in a pod."""
    return {"app.kubernetes.io/version": labels.value(blueprint.airflow.version)}
