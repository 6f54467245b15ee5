"""Renderings that need not be made again: the key of each instance's inputs, and what its gates wait for.

The manifests themselves are not kept: they are large, and are needed only when something changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from agent.loops.progress import Progress
from agent.model.instance import Instance
from agent.model.objects import ObjectRef, Rendered
from agent.planning.stages import Expected, expected
from agent.rendering import AgentAccount, RenderInputs, digest, render, scaled


@dataclass(frozen=True, slots=True)
class Rendering:
    """What was rendered for one state of the inputs. ``starts``: where replicas belong to somebody else."""

    instance: Instance
    keys: Mapping[str, str]
    key: str
    awaited: tuple[Expected, ...]
    starts: Mapping[ObjectRef, int]
    objects: tuple[Rendered, ...] = ()


class Renderings:
    """Remembers the last rendering of each instance, without its objects. Bounded by the number of instances."""

    def __init__(self, account: AgentAccount | None) -> None:
        self._account = account
        self._known: dict[str, Rendering] = {}

    def of(self, progress: Progress) -> Rendering:
        """The rendering for the instance and the keys that its record names; its objects may be missing."""
        known = self._known.get(progress.instance.id)
        keys = progress.inventory.keys
        if known is not None and known.instance is progress.instance and known.keys == keys:
            return known
        return self.whole(progress)

    def whole(self, progress: Progress) -> Rendering:
        """The same, rendered now, with its objects; what they were before another document came is left in progress."""
        known = self._known.get(progress.instance.id)
        if known is not None and known.instance is not progress.instance:
            before = render(RenderInputs(known.instance, known.keys, self._account))
            progress.former = {one.ref: one.manifest for one in before}
        inputs = RenderInputs(progress.instance, progress.inventory.keys, self._account)
        objects = render(inputs)
        lean = Rendering(progress.instance, inputs.key_checksums, digest(inputs), expected(objects), scaled(inputs))
        self._known[progress.instance.id] = lean
        return Rendering(lean.instance, lean.keys, lean.key, lean.awaited, lean.starts, objects)

    def forget(self, instance_id: str) -> None:
        """The instance is gone."""
        self._known.pop(instance_id, None)
