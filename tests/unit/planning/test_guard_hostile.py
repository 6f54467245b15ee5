"""Whatever a renderer were made to emit: a table of hostile objects, all refused, and no rule that it can spare."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from agent.model.guard import Ceilings, Feature, Guard, Images, Rule
from agent.model.instance import Adoptee, Instance, Isolation, Retain, Scaling, State, Window
from agent.model.objects import Manifest
from agent.planning.guarding import CHECKS, Account, Case, Check, judge
from agent.planning.guarding.walking import POD_BEARING
from tests.support.hostile_objects import (
    CLEAN,
    HOME,
    INSTANCE,
    KINDS,
    allowed,
    an_object,
    annotated,
    claiming,
    container,
    context,
    mounting,
    pod,
)
from tests.support.instances import SERVICE

AGENT = Account("perigee-system", "perigee-agent")
RBAC = "rbac.authorization.k8s.io/v1"
APP_ARMOR = "container.apparmor.security.beta.kubernetes.io/hostile"
UTC = ZoneInfo("UTC")
NIGHT = Window("0 2 * * *", timedelta(hours=2), UTC)


@dataclass(frozen=True)
class Row:
    """What breaks one rule, and where it is found."""

    rule: str
    path: str
    hostile: tuple[Manifest, ...] = ()
    guard: Guard = field(default_factory=Guard)
    instance: Instance = INSTANCE

    def case(self) -> Case:
        return Case(self.guard, self.instance, (*CLEAN, *self.hostile), AGENT)


def row(rule: str, path: str, *hostile: Manifest, guard: Guard | None = None, **changes: Any) -> Row:
    return Row(rule, path, hostile, guard or Guard(), replace(INSTANCE, **changes))


def role(**rule: Any) -> Manifest:
    return an_object("Role", api_version=RBAC, rules=[rule])


def bound(kind: str, name: str, /, **subject: str) -> Manifest:
    account = {"kind": "ServiceAccount", "namespace": HOME, "name": "airflow-scheduler", **subject}
    ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name}
    return an_object("RoleBinding", api_version=RBAC, roleRef=ref, subjects=[account])


def minted(**token: Any) -> Manifest:
    return mounting("Deployment", projected={"sources": [{"serviceAccountToken": {"path": "token", **token}}]})


def services(**spec: Any) -> Manifest:
    return an_object("Service", spec={"ports": [{"port": 80}], **spec})


def node_affinity(**term: Any) -> dict[str, Any]:
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}}


READER = role(apiGroups=[""], resources=["pods"], verbs=["list"])
TOLERATED = [{"key": "node-role.kubernetes.io/control-plane", "operator": "Exists"}]
SPEC = "spec.template.spec"
MINE = f"{SPEC}.containers[1].securityContext"

ALWAYS = (
    *(
        row(Rule.HOST_NETWORK, f"{where}.hostNetwork", pod(kind, hostNetwork=True))
        for kind, where in {
            **dict.fromkeys(KINDS, SPEC),
            "Pod": "spec",
            "CronJob": "spec.jobTemplate.spec.template.spec",
            "PodTemplate": "template.spec",
        }.items()
    ),
    row(Rule.HOST_PID, f"{SPEC}.hostPID", pod("DaemonSet", hostPID=True)),
    row(Rule.HOST_IPC, f"{SPEC}.hostIPC", pod("ReplicaSet", hostIPC=True)),
    row(Rule.HOST_USERS, f"{SPEC}.hostUsers", pod("Job", hostUsers=True)),
    row(Rule.SHARED_PROCESSES, f"{SPEC}.shareProcessNamespace", pod("Job", shareProcessNamespace=True)),
    row(Rule.NODE_NAME, "spec.nodeName", pod("Pod", nodeName="node-1")),
    row(
        Rule.NODE_NAME,
        f"{SPEC}.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchFields",
        pod("Job", affinity=node_affinity(matchFields=[{"key": "metadata.name", "operator": "In", "values": ["n"]}])),
    ),
    row(Rule.SCHEDULER, f"{SPEC}.schedulerName", pod("Deployment", schedulerName="mine")),
    row(Rule.CONTROL_PLANE_NODES, f"{SPEC}.tolerations[0].key", pod("DaemonSet", tolerations=TOLERATED)),
    row(Rule.CONTROL_PLANE_NODES, f"{SPEC}.tolerations[0].key", pod("Job", tolerations=[{"operator": "Exists"}])),
    row(
        Rule.CONTROL_PLANE_NODES,
        f'{SPEC}.nodeSelector["node-role.kubernetes.io/master"]',
        pod("Job", nodeSelector={"node-role.kubernetes.io/master": ""}),
    ),
    row(Rule.PRIORITY, f"{SPEC}.priorityClassName", pod("Job", priorityClassName="system-node-critical")),
    row(Rule.PRIORITY, f"{SPEC}.priority", pod("Job", priority=2_000_001_000)),
    row(Rule.RUNTIME_CLASS, f"{SPEC}.runtimeClassName", pod("Job", runtimeClassName="runc-plain")),
    row(Rule.SYSCTLS, f"{SPEC}.securityContext.sysctls", context("Job", sysctls=[{"name": "a", "value": "1"}])),
    row(Rule.POD_FIELDS, f"{SPEC}.resourceClaims", pod("Job", resourceClaims=[{"name": "device"}])),
    row(Rule.POD_FIELDS, f"{SPEC}.hostAliases", pod("Job", hostAliases=[{"ip": "10.0.0.1"}])),
    row(Rule.POD_FIELDS, f"{SPEC}.containers[1].volumeDevices", container("Job", volumeDevices=[{"name": "sda"}])),
    row(Rule.POD_FIELDS, f"{SPEC}.containers[1].resources.claims", container("Job", resources={"claims": [{}]})),
    row(
        Rule.POD_FIELDS,
        f"{SPEC}.initContainers[0].volumeMounts[0].mountPropagation",
        container("Job", among="initContainers", volumeMounts=[{"name": "tmp", "mountPropagation": "Bidirectional"}]),
    ),
    row(Rule.SERVICE_ACCOUNT, f"{SPEC}.serviceAccountName", pod("Job", serviceAccountName="cluster-reader")),
    row(Rule.SERVICE_ACCOUNT, f"{SPEC}.serviceAccount", pod("Job", serviceAccount="cluster-reader")),
    row(Rule.SERVICE_ACCOUNT, f"{SPEC}.serviceAccountName", pod("Job", serviceAccountName=None)),
    row(Rule.TOKEN, f"{SPEC}.automountServiceAccountToken", pod("Job", automountServiceAccountToken=True)),
    row(Rule.TOKEN, "automountServiceAccountToken", an_object("ServiceAccount")),
    row(Rule.TOKEN_AUDIENCE, f"{SPEC}.volumes[2].projected.sources[0].serviceAccountToken.audience", minted()),
    row(
        Rule.TOKEN_AUDIENCE,
        f"{SPEC}.volumes[2].projected.sources[0].serviceAccountToken.audience",
        minted(audience="https://vault.example.com"),
    ),
    row(Rule.TOKEN_SECRET, "type", an_object("Secret", type="kubernetes.io/service-account-token")),
    *(
        row(Rule.VOLUMES, f"{SPEC}.volumes[2].{name}", mounting(kind, **{name: {"any": "thing"}}))
        for kind, name in zip(
            ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job", "Job", "Job"),
            ("hostPath", "nfs", "csi", "flexVolume", "iscsi", "awsElasticBlockStore", "image", "tomorrow"),
            strict=True,
        )
    ),
    row(
        Rule.VOLUMES,
        f"{SPEC}.volumes[2].projected.sources[0].podCertificate",
        mounting("Job", projected={"sources": [{"podCertificate": {"signerName": "a.b/c"}}]}),
    ),
    row(Rule.CLAIM_SOURCE, "spec.volumeClaimTemplates[0].spec.volumeName", claiming(volumeName="theirs")),
    row(Rule.CLAIM_SOURCE, "spec.dataSourceRef", an_object("PersistentVolumeClaim", spec={"dataSourceRef": {"a": 1}})),
    row(Rule.HOST_PORT, f"{SPEC}.containers[1].ports[0].hostPort", container("Job", ports=[{"hostPort": 22}])),
    row(
        Rule.HOST_PORT,
        f"{SPEC}.initContainers[0].ports[0].hostIP",
        container("Job", among="initContainers", ports=[{"hostIP": "0.0.0.0"}]),
    ),
    row(
        Rule.HOST_PROCESS,
        f"{MINE}.windowsOptions.hostProcess",
        allowed("Job", windowsOptions={"hostProcess": True}),
    ),
    row(
        Rule.PROBE_HOST,
        f"{SPEC}.containers[1].lifecycle.postStart.httpGet.host",
        container("Job", lifecycle={"postStart": {"httpGet": {"host": "169.254.169.254", "port": 80}}}),
    ),
    row(
        Rule.PROBE_HOST,
        f"{SPEC}.containers[1].livenessProbe.tcpSocket.host",
        container("Job", livenessProbe={"tcpSocket": {"host": "10.0.0.1", "port": 22}}),
    ),
    row(Rule.PRIVILEGED, f"{MINE}.privileged", allowed("ReplicationController", privileged=True)),
    row(
        Rule.PRIVILEGED,
        "spec.ephemeralContainers[0].securityContext.privileged",
        allowed("Pod", among="ephemeralContainers", privileged=True),
    ),
    row(Rule.PRIVILEGE_ESCALATION, f"{MINE}.allowPrivilegeEscalation", allowed("Job", allowPrivilegeEscalation=None)),
    row(
        Rule.CAPABILITIES,
        "spec.jobTemplate.spec.template.spec.initContainers[0].securityContext.capabilities.add",
        allowed("CronJob", among="initContainers", capabilities={"drop": ["ALL"], "add": ["SYS_ADMIN"]}),
    ),
    row(Rule.CAPABILITIES, f"{MINE}.capabilities.drop", allowed("Job", capabilities={"drop": ["NET_RAW"]})),
    row(Rule.PROC_MOUNT, f"{MINE}.procMount", allowed("Job", procMount="Unmasked")),
    row(Rule.ROOT_USER, f"{MINE}.runAsUser", allowed("Job", runAsUser=0)),
    row(Rule.ROOT_USER, f"{SPEC}.securityContext.runAsUser", context("Job", runAsUser=0)),
    row(
        Rule.ROOT_USER,
        f"{SPEC}.containers[0].securityContext.runAsNonRoot",
        context("Job", runAsUser=None, runAsNonRoot=None),
    ),
    row(Rule.SECCOMP, f"{MINE}.seccompProfile.type", allowed("Job", seccompProfile={"type": "Unconfined"})),
    row(Rule.SECCOMP, f"{SPEC}.containers[0].securityContext.seccompProfile", context("Job", seccompProfile=None)),
    row(
        Rule.SECCOMP,
        'spec.template.metadata.annotations["seccomp.security.alpha.kubernetes.io/pod"]',
        annotated("Job", **{"seccomp.security.alpha.kubernetes.io/pod": "unconfined"}),
    ),
    row(Rule.APP_ARMOR, f"{MINE}.appArmorProfile.type", allowed("Job", appArmorProfile={"type": "Unconfined"})),
    row(
        Rule.APP_ARMOR,
        f'spec.template.metadata.annotations["{APP_ARMOR}"]',
        annotated("Deployment", **{APP_ARMOR: "unconfined"}),
    ),
    row(Rule.SE_LINUX, f"{MINE}.seLinuxOptions.type", allowed("Job", seLinuxOptions={"type": "spc_t"})),
    row(Rule.KINDS, "kind", an_object("Ingress", api_version="networking.k8s.io/v1")),
    row(Rule.KINDS, "kind", an_object("EndpointSlice", api_version="discovery.k8s.io/v1")),
    *(
        row(Rule.CLUSTER_SCOPED, "kind", an_object(kind, namespace=""))
        for kind in (
            *("CustomResourceDefinition", "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"),
            *("PersistentVolume", "StorageClass", "PriorityClass", "APIService", "Node", "RuntimeClass", "ClusterRole"),
        )
    ),
    row(Rule.OTHER_NAMESPACE, "metadata.namespace", an_object("ConfigMap", namespace="kube-system")),
    row(
        Rule.POD_SECURITY,
        'metadata.labels["pod-security.kubernetes.io/enforce"]',
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": HOME}},
    ),
    row(
        Rule.OWNERS,
        "metadata.ownerReferences[0].name",
        an_object("ConfigMap", metadata={"ownerReferences": [{"kind": "Node", "name": "node-1"}]}),
    ),
    row(Rule.NODE_PORT, "spec.type", services(type="NodePort")),
    row(Rule.NODE_PORT, "spec.ports[0].nodePort", services(ports=[{"port": 80, "nodePort": 30000}])),
    row(Rule.LOAD_BALANCER, "spec.type", services(type="LoadBalancer")),
    row(Rule.EXTERNAL_NAME, "spec.externalName", services(type="ExternalName", externalName="evil.example.com")),
    row(Rule.EXTERNAL_IPS, "spec.externalIPs", services(externalIPs=["10.0.0.1"])),
    row(Rule.WILDCARD_RIGHTS, "rules[0].verbs", role(apiGroups=["apps"], resources=["deployments"], verbs=["*"])),
    row(Rule.POWERFUL_RIGHTS, "rules[0].verbs", role(apiGroups=[""], resources=["events"], verbs=["escalate"])),
    row(Rule.POWERFUL_RIGHTS, "rules[0].resources", role(apiGroups=[""], resources=["pods/exec"], verbs=["create"])),
    row(Rule.SECRET_RIGHTS, "rules[0].resources", role(apiGroups=[""], resources=["secrets"], verbs=["list"])),
    row(Rule.FOREIGN_ROLE, "roleRef.name", bound("ClusterRole", "cluster-admin")),
    row(Rule.FOREIGN_ROLE, "roleRef.name", bound("Role", "found-there")),
    row(Rule.FOREIGN_SUBJECTS, "subjects[0].name", READER, bound("Role", "hostile", kind="User", name="mallory")),
    row(Rule.FOREIGN_SUBJECTS, "subjects[0].name", READER, bound("Role", "hostile", namespace="theirs")),
)


def ceiling(rule: str, path: str, **most: Any) -> Row:
    return row(f"ceilings.{rule}", path, guard=Guard(ceilings=Ceilings(**most)))


def forbidding(feature: Feature, path: str, *hostile: Manifest, **changes: Any) -> Row:
    return row(f"forbid.{feature}", path, *hostile, guard=Guard(forbidden=frozenset({feature})), **changes)


def from_here(*repositories: str) -> Guard:
    return Guard(images=Images(repositories))


GIVEN = (
    row("images.repositories", f"{SPEC}.containers[0].image", guard=from_here("localhost/air")),
    row(
        "images.repositories",
        "spec.ephemeralContainers[0].image",
        container("Pod", among="ephemeralContainers", image="localhost.evil.example/airflow"),
        guard=from_here("localhost"),
    ),
    row("images.digestsOnly", f"{SPEC}.containers[0].image", guard=Guard(images=Images(digests_only=True))),
    row("namespaces", "spec.namespace", guard=Guard(namespaces=("team-*",))),
    row("windows", "spec.maintenance.windows", guard=Guard(windows=(NIGHT,))),
    row(
        "windows",
        "spec.maintenance.windows[1]",
        guard=Guard(windows=(NIGHT,)),
        maintenance=(
            replace(NIGHT, schedule="0 3 * * 6", duration=timedelta(hours=1)),
            replace(NIGHT, zone=ZoneInfo("Asia/Tokyo")),
        ),
    ),
    ceiling("quota", 'spec.hard["requests.cpu"]', quota={"requests.cpu": "1"}),
    ceiling("quota", "spec.isolation.quota", quota={"requests.storage": "1Gi"}),
    ceiling("replicas", "spec.components.apiServer.replicas", replicas=1),
    ceiling("storage", "spec.volumeClaimTemplates[0].spec.resources.requests.storage", storage="500Mi"),
    ceiling("requests", f"{SPEC}.containers[0].resources.requests.memory", requests={"memory": "100Mi"}),
    ceiling("limits", f"{SPEC}.containers[0].resources.limits.cpu", limits={"cpu": "8"}),
    forbidding(Feature.ADOPT, "spec.adopt", adopt=frozenset({Adoptee("Service", "theirs")})),
    forbidding(
        Feature.CLOUD_IDENTITY,
        'metadata.annotations["eks.amazonaws.com/role-arn"]',
        an_object(
            "ServiceAccount",
            metadata={"annotations": {"eks.amazonaws.com/role-arn": "arn"}},
            automountServiceAccountToken=False,
        ),
    ),
    forbidding(Feature.CUSTOM_QUOTA, "spec.isolation.quota", isolation=Isolation({"pods": "9"}, network_policies=True)),
    forbidding(Feature.DROP_DATA, "spec.retain", state=State.DELETED, retain=frozenset({Retain.KEYS})),
    forbidding(Feature.ENV, "spec.airflow.env", airflow=replace(INSTANCE.airflow, env={"A": "1"})),
    forbidding(Feature.CONFIG, "spec.airflow.config", airflow=replace(INSTANCE.airflow, config={"core": {"a": "1"}})),
    forbidding(
        Feature.EXTERNAL_SCALING,
        "spec.components.scheduler.scaling",
        scheduler=replace(INSTANCE.scheduler, scaling=Scaling.EXTERNAL),
    ),
    forbidding(Feature.HIBERNATION, "spec.state", state=State.HIBERNATED),
    forbidding(
        Feature.OPEN_NETWORK, "spec.isolation.networkPolicies", isolation=Isolation(None, network_policies=False)
    ),
    forbidding(
        Feature.PULL_SECRETS, "spec.airflow.pullSecrets", airflow=replace(INSTANCE.airflow, pull_secrets=("s",))
    ),
    forbidding(
        Feature.STORAGE_CLASS, "spec.database.embedded.storageClass", database=replace(SERVICE, storage_class="local")
    ),
)
TABLE = (*ALWAYS, *GIVEN)


def name_of(one: Row) -> str:
    return f"{one.rule}-{one.path.rpartition('.')[2]}"


def test_what_is_harmless_is_let_through() -> None:
    assert judge(Case(Guard(), INSTANCE, CLEAN, AGENT)) == ()
    for kind in KINDS:
        assert judge(Case(Guard(), INSTANCE, (*CLEAN, pod(kind)), AGENT)) == ()


def test_the_table_has_every_kind_that_carries_pods() -> None:
    assert set(KINDS) == POD_BEARING
    assert set(KINDS) <= {manifest["kind"] for one in ALWAYS for manifest in one.hostile}


@pytest.mark.parametrize("hostile", TABLE, ids=name_of)
def test_a_hostile_object_is_refused_with_rule_and_field_and_for_nothing_else(hostile: Row) -> None:
    found = judge(hostile.case())
    assert {one.rule for one in found} == {hostile.rule}
    assert hostile.path in {one.path for one in found}


@pytest.mark.parametrize("dropped", CHECKS, ids=lambda check: str(check.rule))
def test_no_rule_can_be_spared(dropped: Check) -> None:
    """Without it some row of the table would get through."""
    left = [check for check in CHECKS if check is not dropped]
    assert [one for one in TABLE if judge(one.case(), left) == ()]


@pytest.mark.parametrize("hostile", ALWAYS, ids=name_of)
def test_what_holds_always_is_let_through_where_the_customer_allows_it_by_name(hostile: Row) -> None:
    guard = replace(hostile.guard, allowed=frozenset({Rule(hostile.rule)}))
    assert judge(replace(hostile, guard=guard).case()) == ()
