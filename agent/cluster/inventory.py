"""The inventory: what was applied for each instance, one Secret each, written under a resourceVersion precondition."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson

from agent.cluster.secrets import SecretShelf, Stored
from agent.model.errors import AgentError, Misconfigured
from agent.model.objects import Ceded, Inventory, KnownSecret, ObjectRef, Owned

_ROLE = "inventory"
_PREFIX = "perigee-inventory-"
_SCHEMA = "perigee.dev/inventory/v1"
_PLAIN = 7
"""Words in the line of an object of which no field was left to others."""


class ClusterInventories:
    """Implements ``ports.Inventories`` over Secrets of the agent's namespace."""

    def __init__(self, shelf: SecretShelf) -> None:
        self._shelf = shelf

    async def load_all(self) -> Mapping[str, Inventory | AgentError]:
        """Every inventory by instance id; one that somebody damaged holds up its own instance only."""
        listed = await self._shelf.listed(_ROLE)
        return {stored.name.removeprefix(_PREFIX): self._understood(stored) for stored in listed}

    async def load(self, instance_id: str) -> Inventory | AgentError | None:
        """That of one instance; None if there is none."""
        stored = await self._shelf.read(_name(instance_id))
        return self._understood(stored) if stored is not None else None

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
        content = {"inventory": _encoded(inventory), "fields": inventory.fields}
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


def _line(owned: Owned) -> list[Any]:
    ref = owned.ref
    line: list[Any] = [ref.api_version, ref.kind, ref.namespace, ref.name, owned.uid, owned.rendered, owned.ownership]
    if owned.ceded or owned.parked is not None:
        line.append([[ceded.manager, *ceded.path] for ceded in owned.ceded])
        line.append(owned.parked)
    return line


def _owned(line: list[Any]) -> Owned:
    # Thousands of these stay in memory, and their words are always the same: each is kept once.
    api_version, kind, namespace, name, uid, rendered, ownership = (sys.intern(word) for word in line[:7])
    ceded, parked = line[7:9] if len(line) > _PLAIN else ((), None)
    return Owned(
        ObjectRef(api_version, kind, namespace, name),
        uid,
        rendered,
        ownership,
        tuple(Ceded(manager, tuple(path)) for manager, *path in ceded),
        parked,
    )


def _encoded(inventory: Inventory) -> bytes:
    lines = [_line(owned) for owned in inventory.owned]
    return orjson.dumps(
        {
            "schema": _SCHEMA,
            "instance": inventory.instance_id,
            "name": inventory.name,
            "namespace": inventory.namespace,
            "revision": inventory.revision,
            "inputs": inventory.inputs,
            "renderer": inventory.renderer,
            "keys": dict(inventory.keys),
            "secrets": {path: [one.source, one.checksum] for path, one in inventory.secrets.items()},
            "restarts": dict(inventory.restarts),
            "namespaceCreated": inventory.namespace_created,
            "owned": lines,
        },
        option=orjson.OPT_SORT_KEYS,
    )


def _parsed(stored: Stored) -> Inventory:
    read = orjson.loads(stored.content["inventory"])
    return Inventory(
        instance_id=read["instance"],
        name=read["name"],
        namespace=read["namespace"],
        revision=read["revision"],
        inputs=read["inputs"],
        renderer=read["renderer"],
        owned=tuple(_owned(line) for line in read["owned"]),
        keys=read["keys"],
        secrets={path: KnownSecret(*known) for path, known in read.get("secrets", {}).items()},
        restarts=read.get("restarts", {}),
        namespace_created=read["namespaceCreated"],
        fields=stored.content.get("fields", b""),
        resource_version=stored.resource_version,
    )
