"""The inventory: what was applied for each instance, one Secret each, written under a resourceVersion precondition."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

from agent.cluster.secrets import SecretShelf, Stored
from agent.model.errors import AgentError, Misconfigured
from agent.model.objects import Inventory, ObjectRef, Owned

_ROLE = "inventory"
_PREFIX = "perigee-inventory-"
_SCHEMA = "perigee.dev/inventory/v1"


class ClusterInventories:
    """Implements ``ports.Inventories`` over Secrets of the agent's namespace."""

    def __init__(self, shelf: SecretShelf) -> None:
        self._shelf = shelf

    async def load_all(self) -> Mapping[str, Inventory | AgentError]:
        """Every inventory by instance id; one that somebody damaged holds up its own instance only."""
        listed = await self._shelf.listed(_ROLE)
        return {stored.name.removeprefix(_PREFIX): self._understood(stored) for stored in listed}

    def _understood(self, stored: Stored) -> Inventory | AgentError:
        try:
            found = _parsed(stored)
        except (ValueError, LookupError, TypeError):
            found = None
        if found is not None and _name(found.instance_id) == stored.name:
            return found
        return Misconfigured(
            f"Secret {self._shelf.namespace}/{stored.name}, the record of what was applied, cannot be understood",
            hint="restore it from a backup, or delete it: then what the document asks for is applied and recorded anew",
        )

    async def save(self, inventory: Inventory) -> Inventory:
        """Create or replace it; raises Conflict if somebody else wrote it meanwhile."""
        content = {"inventory": _encoded(inventory)}
        name = _name(inventory.instance_id)
        if not inventory.resource_version:
            stored = await self._shelf.create(name, content, role=_ROLE)
        else:
            known = Stored(name, content, inventory.resource_version)
            stored = await self._shelf.replace(known, content, role=_ROLE)
        return replace(inventory, resource_version=stored.resource_version)

    async def forget(self, inventory: Inventory) -> None:
        """Delete it, provided that it is still as it was read."""
        if inventory.resource_version:
            await self._shelf.delete(_name(inventory.instance_id), resource_version=inventory.resource_version)


def _name(instance_id: str) -> str:
    return f"{_PREFIX}{instance_id}"


def _line(owned: Owned) -> list[str]:
    ref = owned.ref
    return [ref.api_version, ref.kind, ref.namespace, ref.name, owned.uid, owned.rendered, owned.ownership]


def _encoded(inventory: Inventory) -> bytes:
    lines = [_line(owned) for owned in inventory.owned]
    return json.dumps(
        {
            "schema": _SCHEMA,
            "instance": inventory.instance_id,
            "name": inventory.name,
            "namespace": inventory.namespace,
            "revision": inventory.revision,
            "inputs": inventory.inputs,
            "renderer": inventory.renderer,
            "keys": dict(inventory.keys),
            "namespaceCreated": inventory.namespace_created,
            "owned": lines,
        },
        sort_keys=True,
        separators=(",", ":"),
    ).encode()


def _parsed(stored: Stored) -> Inventory:
    read = json.loads(stored.content["inventory"])
    owned = tuple(
        Owned(ObjectRef(api_version, kind, namespace, name), uid, rendered, ownership)
        for api_version, kind, namespace, name, uid, rendered, ownership in read["owned"]
    )
    return Inventory(
        instance_id=read["instance"],
        name=read["name"],
        namespace=read["namespace"],
        revision=read["revision"],
        inputs=read["inputs"],
        renderer=read["renderer"],
        owned=owned,
        keys=read["keys"],
        namespace_created=read["namespaceCreated"],
        resource_version=stored.resource_version,
    )
