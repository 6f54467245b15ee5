"""Who reaches whom, judged by the policies as Kubernetes defines them."""

from __future__ import annotations

import itertools

import pytest

from agent.model.instance import Isolation
from agent.model.objects import Manifest
from agent.rendering.names import Role
from tests.support.instances import an_instance, manifests, of_kind, pod_templates
from tests.support.reachability import End, allowed

HOME = an_instance().namespace
AGENT = End("perigee-system", {"app.kubernetes.io/name": "perigee-agent"})
STRANGER = End("elsewhere", {"perigee.dev/instance": an_instance().id, "perigee.dev/component": "scheduler"})
DNS = End("kube-system", {"k8s-app": "kube-dns"})
FOREIGN_POD = End(HOME, {"app": "put-here-by-somebody"})

PORTS = {"database": 5432, "broker": 6379, "api-server": 8080, "scheduler": 8974, "worker": 8793, "triggerer": 8794}
EXPECTED = {
    ("migration", "database"),
    ("api-server", "database"),
    ("scheduler", "database"),
    ("dag-processor", "database"),
    ("triggerer", "database"),
    ("scheduler", "broker"),
    ("worker", "broker"),
    ("worker", "api-server"),
    ("api-server", "worker"),
    ("api-server", "triggerer"),
}


def policies() -> list[Manifest]:
    return of_kind(manifests(an_instance()), "NetworkPolicy")


def ends() -> dict[str, End]:
    """One pod of each component, with the labels that it really gets."""
    found = {}
    for template in pod_templates(manifests(an_instance())).values():
        labels = template["metadata"]["labels"]
        found[labels["perigee.dev/component"]] = End(HOME, labels)
    return found


def test_exactly_the_expected_connections_are_possible() -> None:
    pods, rules = ends(), policies()
    assert set(pods) == {str(role) for role in Role}
    possible = {
        (source, target)
        for (source, target), (_, port) in itertools.product(itertools.permutations(pods, 2), PORTS.items())
        if allowed(rules, pods[source], pods[target], port=port)
    }
    assert possible == EXPECTED


@pytest.mark.parametrize("pair", sorted(EXPECTED))
def test_a_connection_opens_one_port_only(pair: tuple[str, str]) -> None:
    source, target = (ends()[name] for name in pair)
    assert allowed(policies(), source, target, port=PORTS[pair[1]])
    assert not allowed(policies(), source, target, port=22)
    assert not allowed(policies(), source, target, port=PORTS[pair[1]], protocol="UDP")


@pytest.mark.parametrize("outsider", [STRANGER, FOREIGN_POD])
def test_nobody_else_gets_in(outsider: End) -> None:
    for target, port in PORTS.items():
        assert not allowed(policies(), outsider, ends()[target], port=port)


def test_the_agent_reaches_the_api_server_alone() -> None:
    reached = {
        name for name, end in ends().items() for port in PORTS.values() if allowed(policies(), AGENT, end, port=port)
    }
    assert reached == {"api-server"}


def test_names_are_resolved_by_those_who_connect() -> None:
    for name, end in ends().items():
        for protocol in ("UDP", "TCP"):
            resolves = allowed(policies(), end, DNS, port=53, protocol=protocol)
            assert resolves == (name not in {"database", "broker"})
        assert not allowed(policies(), end, End("kube-system", {"k8s-app": "other"}), port=53, protocol="UDP")


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111"])
def test_only_what_waits_for_the_outside_reaches_the_internet(address: str) -> None:
    reached = {name for name, end in ends().items() if allowed(policies(), end, End(address=address), port=443)}
    assert reached == {"worker", "triggerer"}


@pytest.mark.parametrize(
    "address",
    ["10.1.2.3", "172.16.5.5", "192.168.1.1", "100.64.0.1", "169.254.169.254", "127.0.0.1", "fd00:ec2::254", "fe80::1"],
)
def test_no_task_reaches_private_addresses_or_the_clouds_metadata(address: str) -> None:
    assert not allowed(policies(), ends()["worker"], End(address=address), port=80)


def test_without_isolation_there_are_no_policies() -> None:
    assert not of_kind(manifests(an_instance(isolation=Isolation(None, network_policies=False))), "NetworkPolicy")
