"""Rendering: one Instance in, the Kubernetes objects of a whole Airflow out. Pure: no cluster, no clock, no chance.

Here: the order of stages, the digest of all inputs, the demand for keys. The modules beside this one render one concern
each. Not here: what is applied, in which state the cluster is, or any value of a key.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import Enum
from typing import Any

from agent.model.instance import Instance, State
from agent.model.objects import Manifest, Rendered, Stage
from agent.ports import KeyDemand
from agent.rendering import access, broker, components, config, database, migration, namespace, network, workers
from agent.rendering.credentials import Key
from agent.rendering.names import KEYS_SECRET

__all__ = ["KEYS_SECRET", "RENDERER_VERSION", "RenderInputs", "demanded_keys", "digest", "render"]

RENDERER_VERSION: str = "1"
"""Grows whenever equal inputs give other manifests, so that what was applied is rendered again."""


@dataclass(frozen=True, slots=True)
class RenderInputs:
    """Everything that manifests depend on. ``key_checksums`` are by the name of the key, never its value."""

    instance: Instance
    key_checksums: Mapping[str, str]


def demanded_keys(instance: Instance) -> tuple[KeyDemand, ...]:
    """The generated keys that the instance's pods refer to; none for a deleted one."""
    if instance.state is State.DELETED:
        return ()
    unused = set() if migration.has_accounts(instance) else {Key.ADMIN}
    return tuple(key.value for key in Key if key not in unused)


def render(inputs: RenderInputs) -> tuple[Rendered, ...]:
    """Every object of the instance, in the order of stages; none for a deleted one.

    Raises Refused for what a document may say but no Airflow could run with, such as an unsupported version.
    """
    if inputs.instance.state is State.DELETED:
        return ()
    return tuple(Rendered(stage, manifest) for stage, manifests in _stages(inputs) for manifest in manifests)


def _stages(inputs: RenderInputs) -> Iterator[tuple[Stage, Iterable[Manifest]]]:
    instance, checksums = inputs.instance, inputs.key_checksums
    yield Stage.NAMESPACE, namespace.render(instance)
    yield Stage.ACCESS, (*access.render(instance), *network.render(instance))
    yield Stage.CONFIG, (config.config_map(instance),)
    yield Stage.DATA, (*database.render(instance, checksums), *broker.render(instance, checksums))
    job = migration.render(instance, checksums)
    yield Stage.MIGRATION, () if job is None else (job,)
    yield Stage.COMPONENTS, (*components.render(instance, checksums), *workers.render(instance, checksums))


def digest(inputs: RenderInputs) -> str:
    """The hex SHA-256 over every field of the inputs, whatever the order of mappings and sets."""
    canonical = json.dumps(_plain(inputs), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return {each.name: _plain(getattr(value, each.name)) for each in dataclasses.fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): _plain(content) for key, content in value.items()}
    if isinstance(value, AbstractSet):
        return sorted(_plain(each) for each in value)
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    return value
