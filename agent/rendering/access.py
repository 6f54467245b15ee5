"""Accounts: one per role, none with a token. Nothing in an instance may talk to the Kubernetes API."""

from __future__ import annotations

from collections.abc import Iterator

from agent.model.instance import Instance
from agent.model.objects import Manifest
from agent.rendering import labels, names
from agent.rendering.names import Role


def render(instance: Instance) -> Iterator[Manifest]:
    """The accounts. Separate ones, so that a right given to one later is not a right of all."""
    for role in Role:
        yield {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": labels.metadata(instance, names.of(role), labels.standard(instance, role)),
            "automountServiceAccountToken": False,
        }
