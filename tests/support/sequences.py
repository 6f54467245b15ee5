"""Random but repeatable sequences of writes to one object: what to say to two clusters to see whether they differ.

Here: documents of many kinds and steps of several managers. Not here: saying them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from tests.support.chance import Dice, metadata
from tests.support.chance_workloads import cron_job, deployment, stateful_set
from tests.support.kube import Json

MANAGERS = ("ann", "bob", "clara")
VERBS = ("apply", "apply", "apply", "apply", "put", "merge", "strategic")


@dataclass(frozen=True, slots=True)
class Step:
    """One write: who does what with which document, and whether an apply is forced."""

    verb: str
    manager: str
    document: Json
    force: bool


def steps(seed: int, count: int) -> Iterator[Step]:
    """The writes of one sequence to an object of its own, the first of them an apply or a create."""
    dice = Dice(Random(seed))
    make = DOCUMENTS[seed % len(DOCUMENTS)]
    for number in range(count):
        verb = dice.one("apply", "create") if number == 0 else dice.one(*VERBS)
        document = make(dice)
        document["metadata"]["name"] = f"subject-{seed}"
        yield Step(verb, dice.one(*MANAGERS), document, force=dice.one(True, False))


def config_map(dice: Dice) -> Json:
    content = dice.some(data=lambda: dice.some(a="1", b=("1", "2"), c=("", "2", None)), binaryData={"z": "AAAA"})
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata(dice)} | content


def service(dice: Dice) -> Json:
    def port(number: int) -> Json:
        protocol = {"protocol": "UDP"} if number == 53 else dice.some(protocol="TCP")
        return {"port": number, "name": f"n{number}"} | protocol | dice.some(targetPort=(number, "http"))

    spec = {"ports": dice.several([53, 80, 81], port, least=1)} | dice.some(
        selector=lambda: dice.some(a="1", b=("1", "2")),
        sessionAffinity="None",
        publishNotReadyAddresses=(True, False),
        type="ClusterIP",
    )
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata(dice), "spec": spec}


def role(dice: Dice) -> Json:
    def rule(name: str) -> Json:
        return {"apiGroups": [""], "resources": [name], "verbs": ["get"]} | dice.some(
            resourceNames=lambda: dice.several("xy", str, least=1)
        )

    rules = dice.some(rules=lambda: dice.several(["pods", "secrets"], rule))
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": metadata(dice)} | rules


def role_binding(dice: Dice) -> Json:
    def subject(name: str) -> Json:
        account: Json = {"kind": "ServiceAccount", "namespace": "n"}
        sort: Json = dice.one(account, {"kind": "User"})
        return {"name": name} | sort

    ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"}
    some = dice.some(subjects=lambda: dice.several("ab", subject))
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": metadata(dice),
        "roleRef": ref,
    } | some


def network_policy(dice: Dice) -> Json:
    port = {"port": dice.one(80, "http")} | dice.some(protocol=("TCP", "UDP"))
    peer = dice.one(
        {"podSelector": {}}, {"ipBlock": {"cidr": "10.0.0.0/8"}}, {"namespaceSelector": {"matchLabels": {"a": "1"}}}
    )
    spec = dice.some(
        podSelector=({}, {"matchLabels": {"a": "1"}}),
        policyTypes=(["Ingress"], ["Ingress", "Egress"], ["Egress"]),
        ingress=lambda: dice.one([], [{}], [dice.some(ports=[port], **{"from": [peer]})]),
        egress=lambda: dice.one([], [{}], [dice.some(ports=[port], to=[peer])]),
    )
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata(dice), "spec": spec}


def budget(dice: Dice) -> Json:
    spec = dice.some(
        selector=({}, {"matchLabels": {"a": "1"}}),
        maxUnavailable=(1, 0, "10%"),
        unhealthyPodEvictionPolicy="AlwaysAllow",
    )
    return {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": metadata(dice), "spec": spec}


def autoscaler(dice: Dice) -> Json:
    metric = {
        "type": "Resource",
        "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": dice.one(50, 60)}},
    }
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": dice.one("a", "b")},
        "maxReplicas": dice.one(3, 4),
    } | dice.some(
        minReplicas=(1, 2),
        metrics=[metric],
        behavior=(
            {"scaleDown": {"stabilizationWindowSeconds": 60}},
            {"scaleUp": {"policies": [{"type": "Pods", "value": 1, "periodSeconds": 5}]}},
        ),
    )
    return {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": metadata(dice), "spec": spec}


def ingress(dice: Dice) -> Json:
    def rule(host: str) -> Json:
        backend = {"service": {"name": "s", "port": dice.one({"number": 80}, {"name": "http"})}}
        return {"host": host, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}

    spec = {"rules": dice.several(["a.x", "b.x"], rule, least=1)} | dice.some(
        ingressClassName=("n", "m"), tls=[{"hosts": ["a.x"], "secretName": "s"}]
    )
    return {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": metadata(dice), "spec": spec}


def service_account(dice: Dice) -> Json:
    some = dice.some(
        automountServiceAccountToken=(True, False),
        imagePullSecrets=lambda: dice.several("ab", lambda name: {"name": name}),
        secrets=lambda: dice.several("ab", lambda name: {"name": name}),
    )
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata(dice)} | some


def secret(dice: Dice) -> Json:
    some = dice.some(
        data=lambda: dice.some(a="AAAA", b=("AAAA", "BBBB")),
        stringData=lambda: dice.some(a="x", c=("x", "y")),
        type="Opaque",
        immutable=False,
    )
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata(dice)} | some


def quota(dice: Dice) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": metadata(dice),
        "spec": dice.some(hard=lambda: dice.some(cpu="1000m", pods=("5", "6")), scopes=["BestEffort"]),
    }


def limit_range(dice: Dice) -> Json:
    limit = {"type": "Container"} | dice.some(
        max={"cpu": "2"}, min={"cpu": "100m"}, default={"cpu": "1"}, defaultRequest={"cpu": "500m"}
    )
    return {
        "apiVersion": "v1",
        "kind": "LimitRange",
        "metadata": metadata(dice),
        "spec": {"limits": dice.one([], [limit])},
    }


def lease(dice: Dice) -> Json:
    spec = dice.some(
        holderIdentity=("a", "b", ""),
        leaseDurationSeconds=(5, 6),
        leaseTransitions=(0, 1),
        renewTime="2026-01-01T00:00:00.000000Z",
    )
    return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata(dice), "spec": spec}


DOCUMENTS: tuple[Callable[[Dice], Json], ...] = (
    deployment,
    service,
    config_map,
    stateful_set,
    cron_job,
    role,
    role_binding,
    network_policy,
    budget,
    autoscaler,
    ingress,
    service_account,
    secret,
    quota,
    limit_range,
    lease,
)
