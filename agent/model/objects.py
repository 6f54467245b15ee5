"""Kubernetes objects as the domain sees them: what names one, what was seen, what was rendered, what was owned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, TypeAlias

Manifest: TypeAlias = dict[str, Any]
"""A whole Kubernetes object as plain data; the one place where ``Any`` is honest."""

MANAGER = "perigee"
"""The field manager under which everything is applied."""

SCALE_MANAGER = "perigee-scale"
"""The field manager that holds ``replicas`` and nothing else, of workloads that somebody else scales."""


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
class Ceded:
    """A field that we would set and that another manager keeps. ``path`` is in the elements of a FieldsV1 (KEP-555)."""

    manager: str
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Owned:
    """What the inventory remembers of an object that we applied.

    ``rendered`` is the SHA-256 of the manifest that we wanted, ``ownership`` that of the ``fieldsV1`` which the server
    recorded for us: if both still hold and the uid is the same, there is nothing to do.
    An empty ``uid`` means: about to be applied, the outcome is not known yet. ``ceded`` are the fields that were left
    out since others hold them, ``parked`` the replicas that a workload of somebody else's scaling had before it slept.
    """

    ref: ObjectRef
    uid: str = ""
    rendered: str = ""
    ownership: str = ""
    ceded: tuple[Ceded, ...] = ()
    parked: int | None = None


@dataclass(frozen=True, slots=True)
class KnownSecret:
    """What may be remembered of a resolved value: a digest of where it came from, and its keyed checksum."""

    source: str
    checksum: str


@dataclass(frozen=True, slots=True)
class Inventory:
    """Everything that we applied for one instance, kept in the cluster, written with a resourceVersion precondition.

    ``inputs`` is the digest of all render inputs and ``renderer`` the renderer's version: while both are as they were,
    rendering is skipped. ``keys`` are checksums of the generated keys, by name, ``secrets`` what is known
    of the resolved secret values, by the path of their field, ``restarts`` the moments of the last
    ordered restarts, by component. ``fields`` is the ownership set of each
    object after its last apply, packed (``planning.fields``): a conflict is judged by what was ours before it.
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
    fields: bytes = b""
    resource_version: str = ""
    secrets: Mapping[str, KnownSecret] = field(default_factory=dict)
    restarts: Mapping[str, str] = field(default_factory=dict)

    @property
    def secret_checksums(self) -> dict[str, str]:
        """The checksums of the resolved secret values, by the path of their field."""
        return {path: known.checksum for path, known in self.secrets.items()}

    def by_ref(self) -> dict[ObjectRef, Owned]:
        """The owned objects by what names them."""
        return {owned.ref: owned for owned in self.owned}
