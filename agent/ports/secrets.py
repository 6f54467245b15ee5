"""Ports of values that nobody may see: generated keys, and those that documents name."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from agent.model.objects import KnownSecret, ObjectRef, Owned
from agent.model.secrets import FoundSecrets, SecretWant


@dataclass(frozen=True, slots=True)
class KeyDemand:
    """A key that an instance needs: its name in the Secret, and how it looks (``fernet``, ``password``, ``token``).
    ``length`` None: what is usual for the form.
    """

    name: str
    form: str
    length: int | None = None


@dataclass(frozen=True, slots=True)
class KeyPlace:
    """Where an instance's keys belong: the Secret that its pods read, and the labels that it carries."""

    instance_id: str
    namespace: str
    secret: str
    labels: Mapping[str, str]

    @property
    def ref(self) -> ObjectRef:
        """What names the Secret."""
        return ObjectRef("v1", "Secret", self.namespace, self.secret)


@dataclass(frozen=True, slots=True)
class HeldKeys:
    """The keys of an instance, on their way to where the pods read them. Only checksums are ever told or kept."""

    checksums: Mapping[str, str]
    values: Mapping[str, bytes] = field(repr=False)


class Keys(Protocol):
    """Generated keys: made once in the cluster, with a second copy in the agent's namespace."""

    async def hold(
        self, place: KeyPlace, demands: Sequence[KeyDemand], *, known: Collection[str], fresh: bool
    ) -> HeldKeys:
        """Make or restore the second copy of the keys. ``fresh``: the instance's namespace is not there yet.

        Raises KeyLost where a ``known`` key (one that was made before) is left nowhere.
        """
        ...

    async def place(self, place: KeyPlace, held: HeldKeys, *, fresh: bool) -> Owned:
        """Put the keys where the pods read them; returns the Secret as the inventory shall remember it.

        Raises ObjectRefused where a Secret of that name is somebody else's.
        """
        ...

    async def forget(self, instance_id: str) -> None:
        """Delete the second copy: only on a tombstone that retains no keys."""
        ...


class SecretValues(Protocol):
    """The secret values that documents name: found where they are, and put where the instance's pods read them."""

    async def find(
        self, place: KeyPlace, wants: Sequence[SecretWant], *, known: Mapping[str, KnownSecret]
    ) -> FoundSecrets:
        """Read and open them. ``known``: what was known of them last.

        What is wrong with one value is its problem in the answer; what ails the server or our rights is raised.
        """
        ...

    async def place(self, place: KeyPlace, found: FoundSecrets, *, keep: Collection[str]) -> Owned:
        """Put them into the instance's Secret; the values of ``keep`` (paths) stay there as they are.

        Raises ObjectRefused where a Secret of that name is somebody else's, Missing where a value to keep is gone.
        """
        ...
