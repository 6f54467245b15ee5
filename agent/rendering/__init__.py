"""Rendering: one Instance in, the Kubernetes objects of a whole Airflow out. Pure: no cluster, no clock, no chance.

Here: the order of stages, the key by which rendering is skipped, the demand for keys. The modules beside this one
render one concern each, all from the blueprint that the projection makes of a document. Not here: what is applied, in
which state the cluster is, or any value of a key.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from agent.model.instance import Instance, State
from agent.model.objects import Manifest, ObjectRef, Rendered, Stage
from agent.ports import KeyDemand
from agent.rendering import (
    access,
    broker,
    components,
    database,
    environment,
    migration,
    namespace,
    network,
    secrets,
    workers,
)
from agent.rendering.access import closing
from agent.rendering.blueprint import AgentAccount, Blueprint
from agent.rendering.names import KEYS_SECRET, SECRETS_SECRET
from agent.rendering.projection import RenderInputs, blueprint, demanded

__all__ = [
    "KEYS_SECRET",
    "RENDERER_VERSION",
    "SECRETS_SECRET",
    "AgentAccount",
    "RenderInputs",
    "closing",
    "demanded_keys",
    "digest",
    "render",
    "scaled",
]

RENDERER_VERSION: str = "1"
"""Grows whenever equal inputs give other manifests, so that what was applied is rendered again."""


def demanded_keys(instance: Instance) -> tuple[KeyDemand, ...]:
    """The generated keys that the instance's pods refer to; none for a deleted one. Raises Refused as ``render``."""
    if instance.state is State.DELETED:
        return ()
    return (*(key.value for key in demanded(instance)), *secrets.demands(instance))


def render(inputs: RenderInputs) -> tuple[Rendered, ...]:
    """Every object of the instance, in the order of stages; none for a deleted one.

    Raises Refused for what a document may say but no Airflow could run with, such as an unsupported version.
    """
    drawn = blueprint(inputs)
    if drawn is None:
        return ()
    return tuple(Rendered(stage, manifest) for stage, manifests in _stages(drawn) for manifest in manifests)


def scaled(inputs: RenderInputs) -> Mapping[ObjectRef, int]:
    """The workloads whose replicas belong to somebody outside, and the number that each is born with.

    While the instance hibernates the number is 0 and no longer only a start: it is to be enforced, and the manifests
    say it too. Awake, they leave the number out. Raises Refused as ``render``.
    """
    drawn = blueprint(inputs)
    return {} if drawn is None else dict((*components.handed_over(drawn), *workers.handed_over(drawn)))


def _stages(drawn: Blueprint) -> Iterator[tuple[Stage, Iterable[Manifest]]]:
    home = () if drawn.given else (namespace.home(drawn), *access.opening(drawn))
    yield Stage.NAMESPACE, (*home, *namespace.bounds(drawn))
    yield Stage.ACCESS, (*access.render(drawn), *network.render(drawn))
    yield Stage.CONFIG, (environment.config_map(drawn),)
    yield Stage.DATA, (*database.render(drawn), *broker.render(drawn))
    yield Stage.MIGRATION, migration.render(drawn)
    yield Stage.COMPONENTS, (*components.render(drawn), *workers.render(drawn))


def digest(inputs: RenderInputs) -> str:
    """The key by which rendering is skipped: the same as long as ``render`` and ``scaled`` give the same.

    The hex SHA-256 over all that manifests are made of, whatever the order of mappings. Raises Refused as ``render``.
    """
    canonical = json.dumps(blueprint(inputs), default=_plain, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _plain(value: Any) -> Any:
    """What JSON does not know by itself: mappings that are no dict, and dataclasses as their values in order."""
    if isinstance(value, Mapping):
        return dict(value)
    return [getattr(value, each.name) for each in dataclasses.fields(value)]
