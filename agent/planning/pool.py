"""What an agent may do that was given a fixed pool of namespaces, and no right outside of it. Pure.

Here: which namespaces its instances may have. Not here: who lives where at present (loops.homes), and the same question
where the agent makes namespaces itself (guard).
"""

from __future__ import annotations

from collections.abc import Collection

from agent.model.errors import Refused
from agent.model.instance import Instance, State
from agent.model.labels import INSTANCE
from agent.model.objects import Inventory
from agent.model.observed import Seen

_PATH = "spec.namespace"


def judge(instance: Instance, pool: Collection[str], *, inventory: Inventory) -> None:
    """Raise Refused if the instance wants, or has, a namespace that the agent was not given.

    A tombstone is judged by where the instance lives: where nothing is watched, nothing could be told to be gone.
    """
    wanted = inventory.namespace if instance.state is State.DELETED else instance.namespace
    if wanted and wanted not in pool:
        raise Refused(
            f"{wanted} is none of the namespaces that this agent was given: {_listed(pool)}",
            path=_PATH,
            reason="NamespaceNotInPool",
            hint="choose one of those, or have an administrator add it to cluster.namespaces and grant rights in it",
        )


def judge_holder(instance: Instance, holder: str) -> None:
    """Raise Refused if another instance lives in the namespace: ``holder`` is its id, or empty."""
    if holder not in {"", instance.id}:
        raise Refused(
            f"namespace {instance.namespace} belongs to instance {holder}",
            path=_PATH,
            reason="NamespaceTaken",
            hint="one namespace is for one instance: choose another one of the pool",
        )


def judge_namespace(instance: Instance, live: Seen | None) -> None:
    """Raise Refused unless the namespace is there for this instance. That it is in the pool hands it over."""
    if live is None or live.terminating:
        raise Refused(
            f"namespace {instance.namespace} {'does not exist' if live is None else 'is being deleted'}",
            path=_PATH,
            reason="NamespaceMissing",
            hint="this agent makes no namespace: an administrator makes it, and grants the rights there again",
        )
    judge_holder(instance, live.labels.get(INSTANCE, ""))


def _listed(pool: Collection[str]) -> str:
    few = 5
    named = ", ".join(sorted(pool)[:few])
    return f"{named} …" if len(pool) > few else named
