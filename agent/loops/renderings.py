"""Renderings that need not be made again: the key of each instance's inputs, and what its gates wait for.

The manifests themselves are not kept: they are large, and are needed only when something changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

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
    secrets: Mapping[str, str]
    key: str
    awaited: tuple[Expected, ...]
    starts: Mapping[ObjectRef, int]
    objects: tuple[Rendered, ...] = ()


class Renderings:
    """Remembers the last rendering of each instance, without its objects. Bounded by the number of instances."""

    def __init__(self, account: AgentAccount | None, *, given: bool = False) -> None:
        self._account = account
        self.given = given
        """Whether namespaces are made by somebody else."""
        self._known: dict[str, Rendering] = {}

    def of(self, progress: Progress) -> Rendering:
        """The rendering for the instance, keys and secrets that its record names; its objects may be missing."""
        known = self._known.get(progress.instance.id)
        record = progress.inventory
        same = known is not None and known.instance is progress.instance
        if known is not None and same and known.keys == record.keys and known.secrets == record.secret_checksums:
            return known
        return self.whole(progress)

    def whole(self, progress: Progress) -> Rendering:
        """The same, rendered now, with its objects; what they were before another document came is left in progress."""
        known = self._known.get(progress.instance.id)
        if known is not None and known.instance is not progress.instance:
            before = render(RenderInputs(known.instance, known.keys, self._account, known.secrets, given=self.given))
            progress.former = {one.ref: one.manifest for one in before}
        record = progress.inventory
        inputs = RenderInputs(progress.instance, record.keys, self._account, record.secret_checksums, given=self.given)
        objects = render(inputs)
        lean = Rendering(
            progress.instance,
            inputs.key_checksums,
            inputs.secret_checksums,
            digest(inputs),
            expected(objects),
            scaled(inputs),
        )
        self._known[progress.instance.id] = lean
        return replace(lean, objects=objects)

    def forget(self, instance_id: str) -> None:
        """The instance is gone."""
        self._known.pop(instance_id, None)
