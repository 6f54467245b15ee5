"""Whether a document may be acted upon at all in this cluster. Pure; every refusal names the field."""

from __future__ import annotations

from agent.model.errors import Refused
from agent.model.instance import Adoptee, Instance, State
from agent.model.labels import INSTANCE
from agent.model.objects import Inventory
from agent.model.observed import Seen


def judge(instance: Instance, *, inventory: Inventory, agent_namespace: str) -> None:
    """Raise Refused if the document asks for a namespace that it must not have."""
    if instance.state is State.DELETED:
        return  # a tombstone acts on what the inventory knows, whatever it names
    if instance.namespace == agent_namespace:
        raise Refused(f"{instance.namespace} is the agent's own", path="spec.namespace", reason="NamespaceProtected")
    if inventory.namespace and inventory.namespace != instance.namespace:
        raise Refused(
            f"the instance lives in {inventory.namespace} and cannot move to {instance.namespace}",
            path="spec.namespace",
            reason="NamespaceImmutable",
            hint="make a new instance in the other namespace and move the data",
        )


def judge_namespace(instance: Instance, live: Seen | None, *, inventory: Inventory) -> bool:
    """Whether the namespace counts as made by us, and so may go with the instance.

    Raises Refused if it exists already, is not labelled for this instance and is not handed over by its document.
    """
    if live is None:
        return True  # we are about to make it, after this was written down
    known = inventory.by_ref().get(live.ref)
    if known is not None and known.uid == live.uid:
        return inventory.namespace_created  # also where somebody took the label off
    holder = live.labels.get(INSTANCE)
    if holder == instance.id:
        # Another one than we know: ours if it bears our fields (its making was cut short), else somebody made it.
        return inventory.namespace_created and bool(live.ownership)
    if holder:
        raise Refused(
            f"namespace {instance.namespace} belongs to instance {holder}",
            path="spec.namespace",
            reason="NamespaceTaken",
        )
    if Adoptee("Namespace", instance.namespace) in instance.adopt:
        return False
    raise Refused(
        f"namespace {instance.namespace} exists and was not made for this instance",
        path="spec.namespace",
        reason="NamespaceNotOurs",
        hint=f"to hand it over: add Namespace/{instance.namespace} to spec.adopt,"
        f" or kubectl label namespace {instance.namespace} {INSTANCE}={instance.id}",
    )
