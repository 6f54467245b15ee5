"""Ways through manifests: a place in one, what is below it, and every pod that an object of any kind carries.

Here: going, without trusting any shape; a field of another type than Kubernetes gives it counts as absent, because the
API server takes no such object. Not here: what is wrong with what is found.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from agent.model.guard import Guard
from agent.model.instance import Instance
from agent.model.objects import Manifest, ObjectRef

_TEMPLATES: Final[Mapping[str, tuple[str, ...]]] = {
    "Pod": (),
    "Deployment": ("spec", "template"),
    "StatefulSet": ("spec", "template"),
    "DaemonSet": ("spec", "template"),
    "ReplicaSet": ("spec", "template"),
    "ReplicationController": ("spec", "template"),
    "Job": ("spec", "template"),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
    "PodTemplate": ("template",),
}
"""Where each kind that carries pods has their template. By kind alone: another version of it carries them too."""
POD_BEARING: Final = frozenset(_TEMPLATES)
CONTAINER_LISTS: Final = ("initContainers", "containers", "ephemeralContainers")
_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def within(path: str, step: str | int) -> str:
    """The path of what is below, as in ``spec.containers[0].image`` and ``metadata.labels["a.b/c"]``."""
    if isinstance(step, int):
        return f"{path}[{step}]"
    if not _PLAIN.fullmatch(step):
        return f'{path}["{step}"]'
    return f"{path}.{step}" if path else step


@dataclass(frozen=True, slots=True)
class Found:
    """A field that should not be as it is, and why."""

    where: str
    path: str
    message: str


@dataclass(frozen=True, slots=True)
class Place:
    """A mapping somewhere in an object: which object, the path to it, and what is there."""

    where: str
    path: str
    body: Mapping[str, Any]

    def at(self, *steps: str) -> Place:
        """The mapping below; an empty one where there is none."""
        place = self
        for step in steps:
            below = place.body.get(step)
            place = Place(self.where, within(place.path, step), below if isinstance(below, Mapping) else {})
        return place

    def each(self, name: str) -> Iterator[Place]:
        """The mappings of a list below."""
        below = self.body.get(name)
        path = within(self.path, name)
        if isinstance(below, Sequence) and not isinstance(below, str):
            for index, one in enumerate(below):
                if isinstance(one, Mapping):
                    yield Place(self.where, within(path, index), one)

    def texts(self, name: str) -> tuple[str, ...]:
        """The texts of a list below."""
        below = self.body.get(name)
        return tuple(map(str, below)) if isinstance(below, Sequence) and not isinstance(below, str) else ()

    def says(self, name: str) -> bool:
        """Whether a field is there and says something: not null, false, zero or empty."""
        return bool(self.body.get(name))

    def found(self, name: str, message: str) -> Found:
        """A finding about a field here."""
        return Found(self.where, within(self.path, name) if name else self.path, message)


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod or a pod template: its spec, its metadata, and the containers of every list."""

    spec: Place
    metadata: Place

    def containers(self) -> Iterator[Place]:
        """Every container, also those of lists that a template may not have."""
        for name in CONTAINER_LISTS:
            yield from self.spec.each(name)


@dataclass(frozen=True, slots=True)
class Account:
    """Whom the agent binds its own rights to, in the namespace of an instance."""

    namespace: str
    name: str


@dataclass(frozen=True)
class Case:
    """What is judged: a document, what was rendered of it, and by which rules."""

    guard: Guard
    instance: Instance
    manifests: tuple[Manifest, ...] = ()
    account: Account | None = None

    @cached_property
    def objects(self) -> tuple[Place, ...]:
        """Each object as the place of its top."""
        return tuple(Place(_name(one), "", one) for one in self.manifests)

    @cached_property
    def pods(self) -> tuple[Pod, ...]:
        """Every pod and pod template of every object."""
        return tuple(_pod(one) for one in self.objects if one.body.get("kind") in POD_BEARING)

    @cached_property
    def containers(self) -> tuple[tuple[Pod, Place], ...]:
        """Every container, with its pod."""
        return tuple((pod, container) for pod in self.pods for container in pod.containers())

    def of_kind(self, *kinds: str) -> Iterator[Place]:
        """The objects of some kinds."""
        return (one for one in self.objects if one.body.get("kind") in kinds)

    def names(self, kind: str) -> frozenset[str]:
        """The names of the instance's own objects of a kind."""
        return frozenset(str(one.at("metadata").body.get("name")) for one in self.of_kind(kind))

    def document(self, path: str, message: str) -> Found:
        """A finding about a field of the document itself."""
        return Found("document", path, message)


def _pod(one: Place) -> Pod:
    template = one.at(*_TEMPLATES[str(one.body.get("kind"))])
    return Pod(template.at("spec"), template.at("metadata"))


def _name(manifest: Manifest) -> str:
    try:
        return str(ObjectRef.of(manifest))
    except (KeyError, TypeError, AttributeError):
        return str(manifest.get("kind", "an object without a kind"))
