"""Who may talk to whom: everything is denied, then one table of flows is opened on both ends.

Workers run whatever the DAGs say, so they reach queues, the API server and the internet, and nothing else in the
cluster: not the metadata database, not other namespaces, not the cloud's metadata address. The triggerer waits for
external systems on behalf of deferred tasks and reaches the internet too. Everything else is closed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from agent.model.objects import Manifest
from agent.rendering import labels, names
from agent.rendering.blueprint import Blueprint
from agent.rendering.credentials import BROKER_PORT, DATABASE_PORT
from agent.rendering.names import AGENT_NAMESPACE, PREFIX, Role
from agent.rendering.versions import API_PORT, TRIGGERER_LOG_PORT, WORKER_LOG_PORT


@dataclass(frozen=True, slots=True)
class Flow:
    """One kind of connection within an blueprint, over TCP."""

    source: Role
    target: Role
    port: int


FLOWS: tuple[Flow, ...] = (
    Flow(Role.MIGRATION, Role.DATABASE, DATABASE_PORT),
    Flow(Role.API_SERVER, Role.DATABASE, DATABASE_PORT),
    Flow(Role.SCHEDULER, Role.DATABASE, DATABASE_PORT),
    Flow(Role.DAG_PROCESSOR, Role.DATABASE, DATABASE_PORT),
    Flow(Role.TRIGGERER, Role.DATABASE, DATABASE_PORT),
    Flow(Role.SCHEDULER, Role.BROKER, BROKER_PORT),
    Flow(Role.WORKER, Role.BROKER, BROKER_PORT),
    Flow(Role.WORKER, Role.API_SERVER, API_PORT),
    Flow(Role.API_SERVER, Role.WORKER, WORKER_LOG_PORT),
    Flow(Role.API_SERVER, Role.TRIGGERER, TRIGGERER_LOG_PORT),
)

INTERNET_USERS = frozenset({Role.WORKER, Role.TRIGGERER})
INTERNET: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("0.0.0.0/0", ("10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16")),
    ("::/0", ("::1/128", "fc00::/7", "fe80::/10")),
)
"""Every address, without those of private, shared and link-local networks: there are clusters and metadata services."""

DNS_PORT = 53
NODE_LOCAL_DNS = "169.254.20.10/32"
NAMESPACE_NAME = "kubernetes.io/metadata.name"


def render(blueprint: Blueprint) -> Iterator[Manifest]:
    """The policies: one that denies, and one per role with exactly its flows."""
    if not blueprint.network_policies:
        return
    yield _policy(blueprint, f"{PREFIX}-default-deny", {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]})
    for role in Role:
        rules = {"ingress": list(_ingress(blueprint, role)), "egress": list(_egress(blueprint, role))}
        spec = {
            "podSelector": {"matchLabels": labels.selector(blueprint, role)},
            "policyTypes": ["Ingress", "Egress"],
            # The server forgets empty lists, and would count their return as a change.
            **{direction: allowed for direction, allowed in rules.items() if allowed},
        }
        yield _policy(blueprint, names.of(role), spec)


def _policy(blueprint: Blueprint, name: str, spec: Manifest) -> Manifest:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": labels.metadata(blueprint, name, labels.common(blueprint)),
        "spec": spec,
    }


def _ingress(blueprint: Blueprint, role: Role) -> Iterator[Manifest]:
    for flow in FLOWS:
        if flow.target is role:
            yield {"from": [_pods(blueprint, flow.source)], "ports": [_port(flow.port)]}
    if role is Role.API_SERVER:
        yield {
            "from": [{"namespaceSelector": {"matchLabels": {NAMESPACE_NAME: AGENT_NAMESPACE}}}],
            "ports": [_port(API_PORT)],
        }


def _egress(blueprint: Blueprint, role: Role) -> Iterator[Manifest]:
    flows = [flow for flow in FLOWS if flow.source is role]
    if flows:
        yield _dns()
    for flow in flows:
        yield {"to": [_pods(blueprint, flow.target)], "ports": [_port(flow.port)]}
    if role in INTERNET_USERS:
        yield {"to": [{"ipBlock": {"cidr": cidr, "except": list(closed)}} for cidr, closed in INTERNET]}


def _dns() -> Manifest:
    return {
        "to": [
            {
                "namespaceSelector": {"matchLabels": {NAMESPACE_NAME: "kube-system"}},
                "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
            },
            {"ipBlock": {"cidr": NODE_LOCAL_DNS}},
        ],
        "ports": [{"port": DNS_PORT, "protocol": "UDP"}, _port(DNS_PORT)],
    }


def _pods(blueprint: Blueprint, role: Role) -> Manifest:
    return {"podSelector": {"matchLabels": labels.selector(blueprint, role)}}


def _port(number: int) -> Manifest:
    return {"port": number, "protocol": "TCP"}
