"""NetworkPolicies judged as Kubernetes defines them: whether one end may open a connection to the other.

After https://kubernetes.io/docs/concepts/services-networking/network-policies/: policies only ever allow; a pod that
no policy selects for a direction is open in that direction; a connection needs both of its ends to agree.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from agent.model.objects import Manifest


@dataclass(frozen=True)
class End:
    """A pod, or with no labels an address outside."""

    namespace: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    address: str = "10.244.1.1"


def selects(selector: Manifest, labels: Mapping[str, str]) -> bool:
    """A label selector; only what our policies use of it is understood, anything else is an error."""
    if unknown := set(selector) - {"matchLabels"}:
        raise NotImplementedError(unknown)
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())


def allowed(policies: Sequence[Manifest], source: End, target: End, *, port: int, protocol: str = "TCP") -> bool:
    """Whether the source may connect to the target's port."""
    asked = (port, protocol)
    return _open(policies, source, target, ("Egress", asked)) and _open(policies, target, source, ("Ingress", asked))


def _open(policies: Sequence[Manifest], at: End, peer: End, wanted: tuple[str, tuple[int, str]]) -> bool:
    direction, asked = wanted
    if not at.namespace:
        return True  # outside: nobody's policy
    chosen = [
        policy["spec"]
        for policy in policies
        if policy["metadata"]["namespace"] == at.namespace
        and direction in policy["spec"]["policyTypes"]
        and selects(policy["spec"]["podSelector"], at.labels)
    ]
    rules = [rule for spec in chosen for rule in spec.get(direction.lower(), [])]
    side = "to" if direction == "Egress" else "from"
    return not chosen or any(_lets(rule, side, at.namespace, peer) and _port(rule, asked) for rule in rules)


def _port(rule: Manifest, asked: tuple[int, str]) -> bool:
    ports = rule.get("ports")
    return not ports or any((each["port"], each["protocol"]) == asked for each in ports)


def _lets(rule: Manifest, side: str, namespace: str, peer: End) -> bool:
    peers = rule.get(side)
    return not peers or any(_is(each, namespace, peer) for each in peers)


def _is(wanted: Manifest, namespace: str, peer: End) -> bool:
    if block := wanted.get("ipBlock"):
        address = ipaddress.ip_address(peer.address)
        inside = [address in ipaddress.ip_network(cidr) for cidr in (block["cidr"], *block.get("except", []))]
        return inside[0] and not any(inside[1:])
    if not peer.namespace:
        return False
    named = {"kubernetes.io/metadata.name": peer.namespace}
    at_home = (
        selects(wanted["namespaceSelector"], named) if "namespaceSelector" in wanted else peer.namespace == namespace
    )
    return at_home and selects(wanted.get("podSelector", {}), peer.labels)
