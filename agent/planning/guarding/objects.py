"""Which objects an instance may consist of at all: their kinds, where they are, and how they are reached.

Here: objects as wholes, and Services. Not here: pods in them, and rights that they give.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from agent.planning.guarding.walking import POD_BEARING, Case, Found

_KINDS: Final = POD_BEARING | {
    "ConfigMap",
    "LimitRange",
    "NetworkPolicy",
    "PersistentVolumeClaim",
    "PodDisruptionBudget",
    "ResourceQuota",
    "Role",
    "RoleBinding",
    "Secret",
    "Service",
    "ServiceAccount",
}
"""Kinds within a namespace that these rules know how to judge; of all others nobody can say what they do."""

_MINTED: Final = ("kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token")
_POD_SECURITY: Final = "pod-security.kubernetes.io/enforce"
_CLOUD: Final[Mapping[str, str]] = {
    "eks.amazonaws.com/role-arn": "AWS",
    "iam.gke.io/gcp-service-account": "Google Cloud",
    "azure.workload.identity/client-id": "Azure",
    "azure.workload.identity/tenant-id": "Azure",
}


def kinds(case: Case) -> Iterator[Found]:
    """Kinds that are not judged: definitions, webhooks, routes, whatever else lives in a namespace."""
    for one in case.objects:
        if one.at("metadata").says("namespace") and one.body.get("kind") not in _KINDS:
            yield one.found("kind", "is no kind that an instance may consist of")


def cluster_scoped(case: Case) -> Iterator[Found]:
    """Nothing beyond the instance's namespace: no roles of the cluster, no definitions, webhooks, volumes, classes."""
    for one in case.objects:
        metadata = one.at("metadata")
        own = one.body.get("kind") == "Namespace" and metadata.body.get("name") == case.instance.namespace
        if not own and not metadata.says("namespace"):
            yield one.found("kind", f"reaches beyond namespace {case.instance.namespace}")


def other_namespaces(case: Case) -> Iterator[Found]:
    """An instance has one namespace."""
    for one in case.objects:
        metadata = one.at("metadata")
        if metadata.says("namespace") and metadata.body["namespace"] != case.instance.namespace:
            yield metadata.found("namespace", f"must be {case.instance.namespace}")


def pod_security(case: Case) -> Iterator[Found]:
    """The API server's own standard stands behind these rules: nobody takes it off the namespace."""
    for one in case.of_kind("Namespace"):
        labels = one.at("metadata", "labels")
        if labels.body.get(_POD_SECURITY) != "restricted":
            yield labels.found(_POD_SECURITY, "must be restricted")


def owners(case: Case) -> Iterator[Found]:
    """With a stranger for an owner an object goes when that one goes, and counts as his."""
    own = {(one.body.get("kind"), one.at("metadata").body.get("name")) for one in case.objects}
    for one in case.objects:
        for owner in one.at("metadata").each("ownerReferences"):
            if (owner.body.get("kind"), owner.body.get("name")) not in own:
                yield owner.found("name", "an object of an instance has no owner outside of it")


def token_secrets(case: Case) -> Iterator[Found]:
    """Such a Secret is filled with a token that does not expire."""
    for one in case.of_kind("Secret"):
        if one.body.get("type") in _MINTED:
            yield one.found("type", "would be filled with a token")


def node_ports(case: Case) -> Iterator[Found]:
    """A port on every node."""
    for one in case.of_kind("Service"):
        spec = one.at("spec")
        if spec.body.get("type") == "NodePort":
            yield spec.found("type", "must be ClusterIP")
        for port in spec.each("ports"):
            if port.says("nodePort"):
                yield port.found("nodePort", "ports of the node are not for services of an instance")


def load_balancers(case: Case) -> Iterator[Found]:
    """An address that is reached from outside, and costs money."""
    for one in case.of_kind("Service"):
        if one.at("spec").body.get("type") == "LoadBalancer":
            yield one.at("spec").found("type", "must be ClusterIP")


def external_names(case: Case) -> Iterator[Found]:
    """A name in the cluster that leads out of it."""
    for one in case.of_kind("Service"):
        spec = one.at("spec")
        if spec.body.get("type") == "ExternalName" or spec.says("externalName"):
            yield spec.found("externalName", "a service of an instance leads to its own pods")


def external_ips(case: Case) -> Iterator[Found]:
    """Whoever names an address here gets the traffic of the whole cluster to it (CVE-2020-8554)."""
    for one in case.of_kind("Service"):
        if one.at("spec").says("externalIPs"):
            yield one.at("spec").found("externalIPs", "must be empty")


def cloud_identities(case: Case) -> Iterator[Found]:
    """Accounts that speak for somebody in a cloud."""
    for one in case.of_kind("ServiceAccount"):
        annotations = one.at("metadata", "annotations")
        for key in sorted(_CLOUD.keys() & annotations.body.keys()):
            yield annotations.found(key, f"gives an identity of {_CLOUD[key]}")
