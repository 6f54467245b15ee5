"""Accounts and rights in an instance's namespace.

One account per role, none with a token: nothing in an instance may talk to the Kubernetes API. The agent's own rights
there are bound here too, where it has to give them to itself; what they are is said outside, in the ClusterRole.
"""

from __future__ import annotations

from collections.abc import Iterator

from agent.model.labels import INSTANCE
from agent.model.objects import Manifest
from agent.rendering import labels, names
from agent.rendering.blueprint import AgentAccount, Blueprint
from agent.rendering.names import Role

RBAC = "rbac.authorization.k8s.io"
AGENT_BINDING = "perigee-agent"
AGENT_ROLE = "perigee-instance"
"""The ClusterRole with all that the agent may do in the namespace of an instance."""


def opening(blueprint: Blueprint) -> Iterator[Manifest]:
    """What lets the agent work in the namespace, if it depends on that; needed before anything else is made there."""
    if blueprint.account is not None:
        yield _binding(blueprint.account, labels.metadata(blueprint, AGENT_BINDING, labels.common(blueprint)))


def closing(account: AgentAccount, namespace: str, instance_id: str) -> Manifest:
    """The same for an instance that is only taken away any more, and was never drawn or no longer is."""
    return _binding(account, {"name": AGENT_BINDING, "namespace": namespace, "labels": {INSTANCE: instance_id}})


def _binding(account: AgentAccount, metadata: Manifest) -> Manifest:
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": metadata,
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": AGENT_ROLE},
        "subjects": [{"kind": "ServiceAccount", "namespace": account.namespace, "name": account.name}],
    }


def render(blueprint: Blueprint) -> Iterator[Manifest]:
    """The accounts. Separate ones, so that a right given to one later is not a right of all."""
    for role in Role:
        yield {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": labels.metadata(blueprint, names.of(role), labels.standard(blueprint, role)),
            "automountServiceAccountToken": False,
        }
