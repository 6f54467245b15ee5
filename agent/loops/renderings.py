"""Renderings that need not be made again: the key of each instance's inputs, and what its gates wait for.

The manifests themselves are not kept: they are large, and are needed only when something changes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from agent.loops.progress import Progress
from agent.model.instance import Instance
from agent.model.objects import Inventory, ObjectRef, Rendered
from agent.planning.stages import Expected, expected
from agent.rendering import RenderInputs, digest, render, scaled


@dataclass(frozen=True, slots=True)
class Rendering:
    """What was rendered of these inputs. ``starts``: where replicas belong to somebody else."""

    inputs: RenderInputs
    key: str
    awaited: tuple[Expected, ...]
    starts: Mapping[ObjectRef, int]
    objects: tuple[Rendered, ...] = ()


class Renderings:
    """Remembers the last rendering of each instance, without its objects. Bounded by the number of instances."""

    def __init__(self, inputs: Callable[[Instance, Inventory], RenderInputs], *, given: bool = False) -> None:
        self._inputs = inputs
        self.given = given
        """Whether namespaces are made by somebody else."""
        self._known: dict[str, Rendering] = {}

    def of(self, progress: Progress) -> Rendering:
        """The rendering for the instance, keys, secrets and restarts that its record names; objects may be missing."""
        known = self._known.get(progress.instance.id)
        if known is not None and _drawn_from(known.inputs, progress):
            return known
        return self.whole(progress)

    def whole(self, progress: Progress) -> Rendering:
        """The same, rendered now, with its objects; what they were before another document came is left in progress."""
        known, inputs = self._known.get(progress.instance.id), self._inputs(progress.instance, progress.inventory)
        if known is not None and _asked_otherwise(known.inputs, inputs):
            progress.former = {one.ref: one.manifest for one in render(known.inputs)}
        objects = render(inputs)
        lean = Rendering(inputs, digest(inputs), expected(objects), scaled(inputs))
        self._known[progress.instance.id] = lean
        return replace(lean, objects=objects)

    def forget(self, instance_id: str) -> None:
        """The instance is gone."""
        self._known.pop(instance_id, None)


def _drawn_from(inputs: RenderInputs, progress: Progress) -> bool:
    """Whether these are of the very document, and of the keys, secrets and restarts that the record names."""
    record = progress.inventory
    made_of = (inputs.key_checksums, inputs.secret_checksums, inputs.restarts)
    named = (record.keys, record.secret_checksums, record.restarts)
    return inputs.instance is progress.instance and made_of == named


def _asked_otherwise(before: RenderInputs, now: RenderInputs) -> bool:
    """Whether another document or an order came since."""
    return before.instance is not now.instance or before.restarts != now.restarts
