"""Renderings that need not be made again: the key of each instance's inputs, and what its gates wait for.

The manifests themselves are not kept: they are large, and are needed only when something changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from agent.loops.progress import Progress
from agent.model.instance import Instance
from agent.model.objects import Inventory, ObjectRef, Rendered
from agent.planning.stages import Expected, expected
from agent.rendering import AgentAccount, RenderInputs, digest, render, scaled


@dataclass(frozen=True, slots=True)
class Rendering:
    """What was rendered for one state of the inputs. ``starts``: where replicas belong to somebody else.

    ``restarts`` are those that were ordered.
    """

    instance: Instance
    keys: Mapping[str, str]
    secrets: Mapping[str, str]
    key: str
    awaited: tuple[Expected, ...]
    starts: Mapping[ObjectRef, int]
    restarts: Mapping[str, str] = field(default_factory=dict)
    objects: tuple[Rendered, ...] = ()

    def drawn_from(self, record: Inventory) -> bool:
        """Whether it was made with the keys, secrets and restarts that the record names."""
        return (self.keys, self.secrets, self.restarts) == (record.keys, record.secret_checksums, record.restarts)


class Renderings:
    """Remembers the last rendering of each instance, without its objects. Bounded by the number of instances."""

    def __init__(self, account: AgentAccount | None, *, given: bool = False) -> None:
        self._account = account
        self.given = given
        """Whether namespaces are made by somebody else."""
        self._known: dict[str, Rendering] = {}

    def of(self, progress: Progress) -> Rendering:
        """The rendering for the instance, keys, secrets and restarts that its record names; objects may be missing."""
        known = self._known.get(progress.instance.id)
        if known is not None and known.instance is progress.instance and known.drawn_from(progress.inventory):
            return known
        return self.whole(progress)

    def whole(self, progress: Progress) -> Rendering:
        """The same, rendered now, with its objects; what they were before another document came is left in progress."""
        known, record = self._known.get(progress.instance.id), progress.inventory
        if known is not None and (known.instance is not progress.instance or known.restarts != record.restarts):
            before = self._inputs(known.instance, known.keys, known.secrets, known.restarts)
            progress.former = {one.ref: one.manifest for one in render(before)}
        inputs = self._inputs(progress.instance, record.keys, record.secret_checksums, record.restarts)
        objects = render(inputs)
        lean = Rendering(
            progress.instance,
            inputs.key_checksums,
            inputs.secret_checksums,
            digest(inputs),
            expected(objects),
            scaled(inputs),
            inputs.restarts,
        )
        self._known[progress.instance.id] = lean
        return replace(lean, objects=objects)

    def _inputs(
        self, instance: Instance, keys: Mapping[str, str], secrets: Mapping[str, str], restarts: Mapping[str, str]
    ) -> RenderInputs:
        return RenderInputs(instance, keys, self._account, secrets, restarts, given=self.given)

    def forget(self, instance_id: str) -> None:
        """The instance is gone."""
        self._known.pop(instance_id, None)
