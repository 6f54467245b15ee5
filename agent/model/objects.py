"""Kubernetes objects as the domain sees them: what names one, what was seen, what was rendered, what was owned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, TypeAlias

Manifest: TypeAlias = dict[str, Any]
"""A whole Kubernetes object as plain data; the one place where ``Any`` is honest."""


@dataclass(frozen=True, slots=True, order=True)
class ObjectRef:
    """What names one object: ``api_version`` is ``v1`` or ``group/version``; no namespace means cluster-scoped."""

    api_version: str
    kind: str
    namespace: str
    name: str

    @classmethod
    def of(cls, manifest: Manifest) -> ObjectRef:
        """The reference of a manifest; raises ``KeyError`` if it has no kind or name."""
        metadata = manifest["metadata"]
        return cls(manifest["apiVersion"], manifest["kind"], metadata.get("namespace", ""), metadata["name"])

    def __str__(self) -> str:
        where = f"{self.namespace}/" if self.namespace else ""
        return f"{self.kind} {where}{self.name}"


class Stage(IntEnum):
    """The order in which an instance comes to life; each stage waits only for what the next one needs."""

    NAMESPACE = 1
    ACCESS = 2
    CONFIG = 3
    DATA = 4
    MIGRATION = 5
    COMPONENTS = 6


@dataclass(frozen=True, slots=True)
class Rendered:
    """One object as it shall be, and the stage that it belongs to."""

    stage: Stage
    manifest: Manifest

    @property
    def ref(self) -> ObjectRef:
        """What names this object."""
        return ObjectRef.of(self.manifest)


@dataclass(frozen=True, slots=True)
class Seen:
    """One object as the cluster showed it last."""

    manifest: Manifest

    @property
    def ref(self) -> ObjectRef:
        """What names this object."""
        return ObjectRef.of(self.manifest)

    @property
    def uid(self) -> str:
        """The server's name for this very incarnation of the object."""
        return str(self.manifest["metadata"].get("uid", ""))

    @property
    def labels(self) -> Mapping[str, str]:
        """The labels, empty if there are none."""
        return self.manifest["metadata"].get("labels") or {}

    @property
    def terminating(self) -> bool:
        """Whether a delete has been accepted and waits for finalizers or a grace period."""
        return "deletionTimestamp" in self.manifest["metadata"]


@dataclass(frozen=True, slots=True)
class Owned:
    """What the inventory remembers of an object that we applied.

    ``rendered`` is the SHA-256 of the manifest that we sent, ``ownership`` that of the ``fieldsV1`` which the server
    recorded for us: if both still hold and the uid is the same, there is nothing to do.
    An empty ``uid`` means: about to be applied, the outcome is not known yet.
    """

    ref: ObjectRef
    uid: str = ""
    rendered: str = ""
    ownership: str = ""


@dataclass(frozen=True, slots=True)
class Inventory:
    """Everything that we applied for one instance, kept in the cluster, written with a resourceVersion precondition.

    ``inputs`` is the digest of all render inputs and ``renderer`` the renderer's version: while both are as they were,
    rendering is skipped. ``keys`` are checksums of the generated keys, by name.
    """

    instance_id: str
    name: str = ""
    namespace: str = ""
    revision: int = 0
    inputs: str = ""
    renderer: str = ""
    owned: tuple[Owned, ...] = ()
    keys: Mapping[str, str] = field(default_factory=dict)
    namespace_created: bool = False
    resource_version: str = ""

    def by_ref(self) -> dict[ObjectRef, Owned]:
        """The owned objects by what names them."""
        return {owned.ref: owned for owned in self.owned}
