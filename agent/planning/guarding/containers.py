"""What a container may not be allowed: more rights than a plain process of an unprivileged user has.

What a container leaves open its pod decides, as Kubernetes itself reads the two security contexts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from agent.planning.guarding.walking import Case, Found, Place, Pod

_PROFILES: Final = frozenset({"RuntimeDefault", "Localhost"})
_SE_LINUX_TYPES: Final = frozenset({"", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"})
_APP_ARMOR: Final = "container.apparmor.security.beta.kubernetes.io/"
_SECCOMP: Final = ("seccomp.security.alpha.kubernetes.io/pod", "container.seccomp.security.alpha.kubernetes.io/")
_PROBES: Final = (
    ("livenessProbe",),
    ("readinessProbe",),
    ("startupProbe",),
    ("lifecycle", "postStart"),
    ("lifecycle", "preStop"),
)


def privileged(case: Case) -> Iterator[Found]:
    """A privileged container is root on the node."""
    for context in _contexts(case):
        if context.says("privileged"):
            yield context.found("privileged", "no container of an instance is privileged")


def escalation(case: Case) -> Iterator[Found]:
    """Without a word Kubernetes allows it."""
    for context in _contexts(case):
        if context.body.get("allowPrivilegeEscalation") is not False:
            yield context.found("allowPrivilegeEscalation", "must be false")


def capabilities(case: Case) -> Iterator[Found]:
    """All are dropped, none is added."""
    for context in _contexts(case):
        mine = context.at("capabilities")
        if mine.says("add"):
            yield mine.found("add", "no capability may be added")
        if "ALL" not in mine.texts("drop"):
            yield mine.found("drop", "must contain ALL")


def proc_mounts(case: Case) -> Iterator[Found]:
    """Unmasked, /proc shows the kernel."""
    for context in _contexts(case):
        if context.body.get("procMount") not in {None, "", "Default"}:
            yield context.found("procMount", "must be Default")


def root(case: Case) -> Iterator[Found]:
    """User 0 is root in the image and, without user namespaces, on the node. Nobody's word for it is not enough."""
    for pod in case.pods:
        yield from _as_root(pod.spec.at("securityContext"))
    for pod, container in case.containers:
        own = container.at("securityContext")
        yield from _as_root(own)
        user, plain = (_effective(pod, own, name) for name in ("runAsUser", "runAsNonRoot"))
        if plain is not True and not user:
            yield own.found("runAsNonRoot", "must be true, here or in the pod, or runAsUser above 0")


def _as_root(context: Place) -> Iterator[Found]:
    if context.body.get("runAsUser") == 0:
        yield context.found("runAsUser", "must not be 0, which is root")


def seccomp(case: Case) -> Iterator[Found]:
    """Without a profile every system call is open."""
    for pod in case.pods:
        yield from _unconfined_annotations(pod, _SECCOMP)
        yield from _profile(pod.spec.at("securityContext", "seccompProfile"))
    for pod, container in case.containers:
        own = container.at("securityContext")
        yield from _profile(own.at("seccompProfile"))
        if not own.says("seccompProfile") and not pod.spec.at("securityContext").says("seccompProfile"):
            yield own.found("seccompProfile", "is missing, here and in the pod: RuntimeDefault or Localhost")


def app_armor(case: Case) -> Iterator[Found]:
    """Nobody steps out of his profile."""
    for place in (*(pod.spec for pod in case.pods), *(container for _, container in case.containers)):
        yield from _profile(place.at("securityContext", "appArmorProfile"))
    for pod in case.pods:
        yield from _unconfined_annotations(pod, (_APP_ARMOR,))


def se_linux(case: Case) -> Iterator[Found]:
    """Another user, role or type than a container's is a way out."""
    for place in (*(pod.spec for pod in case.pods), *(container for _, container in case.containers)):
        options = place.at("securityContext", "seLinuxOptions")
        if str(options.body.get("type") or "") not in _SE_LINUX_TYPES:
            yield options.found("type", f"must be one of {', '.join(sorted(_SE_LINUX_TYPES - {''}))}")
        yield from (options.found(name, "must not be set") for name in ("user", "role") if options.says(name))


def host_processes(case: Case) -> Iterator[Found]:
    """On Windows, what privileged is elsewhere."""
    for place in (*(pod.spec for pod in case.pods), *(container for _, container in case.containers)):
        options = place.at("securityContext", "windowsOptions")
        if options.says("hostProcess"):
            yield options.found("hostProcess", "no container of an instance runs as a process of the node")


def host_ports(case: Case) -> Iterator[Found]:
    """A port of the node is open to whoever reaches the node."""
    for _, container in case.containers:
        for port in container.each("ports"):
            yield from (
                port.found(name, "ports of the node are not for pods of an instance")
                for name in ("hostPort", "hostIP")
                if port.says(name)
            )


def probe_hosts(case: Case) -> Iterator[Found]:
    """It is the node that asks: with a host of its own a probe reaches what the pod's network policy denies."""
    asks = (
        container.at(*steps, way)
        for _, container in case.containers
        for steps in _PROBES
        for way in ("httpGet", "tcpSocket")
    )
    return (ask.found("host", "a probe asks its own pod") for ask in asks if ask.says("host"))


def _contexts(case: Case) -> Iterator[Place]:
    return (container.at("securityContext") for _, container in case.containers)


def _effective(pod: Pod, own: Place, name: str) -> Any:
    said = own.body.get(name)
    return said if said is not None else pod.spec.at("securityContext").body.get(name)


def _profile(profile: Place) -> Iterator[Found]:
    if profile.body and profile.body.get("type") not in _PROFILES:
        yield profile.found("type", f"must be one of {', '.join(sorted(_PROFILES))}")


def _unconfined_annotations(pod: Pod, prefixes: tuple[str, ...]) -> Iterator[Found]:
    annotations = pod.metadata.at("annotations")
    told: Mapping[str, Any] = annotations.body
    for key in sorted(map(str, told)):
        if key.startswith(prefixes) and told[key] == "unconfined":
            yield annotations.found(key, "must not be unconfined")
