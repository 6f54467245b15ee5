"""What a pod may not ask of its node, its namespace and its neighbours: fields of the pod itself.

Here: one function for each rule, and tables where rules differ by a name only. Not here: containers, volumes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from agent.model.guard import Rule
from agent.planning.guarding.walking import Case, Found, Place, Pod

Look = Callable[[Case], Iterator[Found]]

_NEVER: Final[Mapping[Rule, tuple[str, str]]] = {
    Rule.HOST_NETWORK: ("hostNetwork", "the node's network is not for pods of an instance"),
    Rule.HOST_PID: ("hostPID", "the node's processes are not for pods of an instance"),
    Rule.HOST_IPC: ("hostIPC", "the node's memory is not for pods of an instance"),
    Rule.HOST_USERS: ("hostUsers", "the node's users are not for pods of an instance"),
    Rule.SHARED_PROCESSES: ("shareProcessNamespace", "containers of a pod must not see each other's processes"),
}
"""Fields of the pod that must not be set, and why."""

_CONTROL_PLANE: Final = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")
_SYSTEM_PRIORITY: Final = 1_000_000_000
"""Above this, Kubernetes keeps priorities for itself."""

_POD_FIELDS: Final = frozenset(
    {
        *("activeDeadlineSeconds", "affinity", "automountServiceAccountToken", "containers", "enableServiceLinks"),
        *("ephemeralContainers", "hostIPC", "hostNetwork", "hostPID", "hostUsers", "hostname", "imagePullSecrets"),
        *("initContainers", "nodeName", "nodeSelector", "preemptionPolicy", "priority", "priorityClassName"),
        *("readinessGates", "restartPolicy", "runtimeClassName", "schedulerName", "securityContext", "serviceAccount"),
        *("serviceAccountName", "shareProcessNamespace", "subdomain", "terminationGracePeriodSeconds", "tolerations"),
        *("topologySpreadConstraints", "volumes"),
    }
)
_POD_SECURITY_FIELDS: Final = frozenset(
    {
        *("appArmorProfile", "fsGroup", "fsGroupChangePolicy", "runAsGroup", "runAsNonRoot", "runAsUser"),
        *("seLinuxOptions", "seccompProfile", "supplementalGroups", "sysctls", "windowsOptions"),
    }
)
_CONTAINER_FIELDS: Final = frozenset(
    {
        *("args", "command", "env", "envFrom", "image", "imagePullPolicy", "lifecycle", "livenessProbe", "name"),
        *("ports", "readinessProbe", "resources", "restartPolicy", "securityContext", "startupProbe", "stdin"),
        *("terminationMessagePath", "terminationMessagePolicy", "tty", "volumeMounts", "workingDir"),
    }
)
_CONTAINER_SECURITY_FIELDS: Final = frozenset(
    {
        *("allowPrivilegeEscalation", "appArmorProfile", "capabilities", "privileged", "procMount"),
        *("readOnlyRootFilesystem", "runAsGroup", "runAsNonRoot", "runAsUser", "seLinuxOptions", "seccompProfile"),
        "windowsOptions",
    }
)
_MOUNT_FIELDS: Final = frozenset({"mountPath", "name", "readOnly", "recursiveReadOnly", "subPath", "subPathExpr"})


def never(rule: Rule) -> Look:
    """The look for a field of the table."""
    name, why = _NEVER[rule]

    def look(case: Case) -> Iterator[Found]:
        return (pod.spec.found(name, why) for pod in case.pods if pod.spec.says(name))

    return look


FLAGS: Final = tuple((rule, never(rule)) for rule in _NEVER)


def unknown_fields(case: Case) -> Iterator[Found]:
    """Fields that these rules do not know: what Kubernetes learns tomorrow must not slip through today's guard."""
    for pod in case.pods:
        yield from _beyond(pod.spec, _POD_FIELDS)
        yield from _beyond(pod.spec.at("securityContext"), _POD_SECURITY_FIELDS)
    for _, container in case.containers:
        yield from _beyond(container, _CONTAINER_FIELDS)
        yield from _beyond(container.at("securityContext"), _CONTAINER_SECURITY_FIELDS)
        yield from _beyond(container.at("resources"), frozenset({"requests", "limits"}))
        for mount in container.each("volumeMounts"):
            yield from _beyond(mount, _MOUNT_FIELDS)


def _beyond(place: Place, known: frozenset[str]) -> Iterator[Found]:
    return (
        place.found(name, "is no field that an instance's pods need")
        for name in sorted(map(str, place.body.keys() - known))
    )


def node_names(case: Case) -> Iterator[Found]:
    """A node that is named, directly or by affinity, is taken without asking the scheduler."""
    for pod in case.pods:
        if pod.spec.says("nodeName"):
            yield pod.spec.found("nodeName", "the scheduler chooses the node")
        for term in _node_terms(pod):
            if any(True for _ in term.each("matchFields")):
                yield term.found("matchFields", "the scheduler chooses the node")


def schedulers(case: Case) -> Iterator[Found]:
    """Another scheduler may know no taints and no quotas."""
    for pod in case.pods:
        if pod.spec.body.get("schedulerName") not in {None, "", "default-scheduler"}:
            yield pod.spec.found("schedulerName", "only default-scheduler places pods")


def control_plane_nodes(case: Case) -> Iterator[Found]:
    """Nodes of the control plane are kept free by a taint: no pod may tolerate it, or ask for such a node."""
    why = "nodes of the control plane are not for instances"
    for pod in case.pods:
        for one in pod.spec.each("tolerations"):
            if one.body.get("key") in {None, "", *_CONTROL_PLANE}:
                yield one.found("key", why if one.says("key") else f"without a key every taint is tolerated; {why}")
        selector = pod.spec.at("nodeSelector")
        yield from (selector.found(key, why) for key in _CONTROL_PLANE if key in selector.body)
        asked = (one for term in _node_terms(pod) for one in term.each("matchExpressions"))
        for one in asked:
            if one.body.get("key") in _CONTROL_PLANE and one.body.get("operator") != "DoesNotExist":
                yield one.found("key", why)


def _node_terms(pod: Pod) -> Iterator[Place]:
    affinity = pod.spec.at("affinity", "nodeAffinity")
    yield from affinity.at("requiredDuringSchedulingIgnoredDuringExecution").each("nodeSelectorTerms")
    for preferred in affinity.each("preferredDuringSchedulingIgnoredDuringExecution"):
        yield preferred.at("preference")


def priorities(case: Case) -> Iterator[Found]:
    """A priority of the system evicts everybody else's pods."""
    for pod in case.pods:
        if str(pod.spec.body.get("priorityClassName") or "").startswith("system-"):
            yield pod.spec.found("priorityClassName", "classes named system-* are the cluster's own")
        priority = pod.spec.body.get("priority")
        if isinstance(priority, int) and priority > _SYSTEM_PRIORITY:
            yield pod.spec.found("priority", f"above {_SYSTEM_PRIORITY} priorities are the cluster's own")


def runtime_classes(case: Case) -> Iterator[Found]:
    """Some runtimes isolate less than the usual one."""
    listed = case.guard.runtime_classes
    for pod in case.pods:
        if pod.spec.says("runtimeClassName") and pod.spec.body["runtimeClassName"] not in listed:
            yield pod.spec.found("runtimeClassName", f"must be one of runtimeClasses ({_list(listed)})")


def sysctls(case: Case) -> Iterator[Found]:
    """Kernel parameters are shared with others on the node, or reach further than they look."""
    for pod in case.pods:
        context = pod.spec.at("securityContext")
        if context.says("sysctls"):
            yield context.found("sysctls", "kernel parameters are not for pods of an instance")


def accounts(case: Case) -> Iterator[Found]:
    """A pod works under an account that the instance brings along: any other may have been given rights."""
    own = case.names("ServiceAccount")
    for pod in case.pods:
        names = {name: pod.spec.body.get(name) for name in ("serviceAccountName", "serviceAccount")}
        for name, account in names.items():
            if account and account not in own:
                yield pod.spec.found(name, f"must be an account of this instance ({_list(own)})")
        if not any(names.values()):
            yield pod.spec.found("serviceAccountName", "is missing, so that the namespace's default account would do")


def tokens(case: Case) -> Iterator[Found]:
    """A pod gets no token for the Kubernetes API unless it or its account says no: that is what has to be said."""
    why = "must be false: pods of an instance get no token for the Kubernetes API"
    silent = {
        str(one.at("metadata").body.get("name")): one.body.get("automountServiceAccountToken") is False
        for one in case.of_kind("ServiceAccount")
    }
    for pod in case.pods:
        said = pod.spec.body.get("automountServiceAccountToken")
        if said is None:
            said = not silent.get(str(pod.spec.body.get("serviceAccountName")), False)
        if said is not False:
            yield pod.spec.found("automountServiceAccountToken", why)
    for one in case.of_kind("ServiceAccount"):
        if one.body.get("automountServiceAccountToken") is not False:
            yield one.found("automountServiceAccountToken", why)


def _list(names: frozenset[str]) -> str:
    return ", ".join(sorted(names)) or "none"
