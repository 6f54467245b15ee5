"""Generated keys: made in the cluster once, copied into the agent's namespace, only restored from then on.

The second copy is written first: a crash in between loses nothing. A key that existed before and is left in neither
place is never replaced by a new one, since a new Fernet key would make every stored connection unreadable.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Collection, Mapping, Sequence

from agent.cluster.client import KubeClient
from agent.cluster.places import Places, content_of, manifest_of
from agent.cluster.secrets import SecretShelf
from agent.model.errors import Conflict, KeyLost
from agent.model.objects import Owned
from agent.planning.ownership import owned_as
from agent.ports import HeldKeys, KeyDemand, KeyPlace, Verbs

_ROLE = "keys"
_USUAL_LENGTH = {"password": 32, "token": 86}


class GeneratedKeys:
    """Implements ``ports.Keys``."""

    def __init__(self, client: KubeClient, shelf: SecretShelf, verbs: Verbs) -> None:
        self._shelf = shelf
        self._places = Places(client, verbs)

    async def hold(
        self, place: KeyPlace, demands: Sequence[KeyDemand], *, known: Collection[str], fresh: bool
    ) -> HeldKeys:
        """Make or restore the second copy; writes nothing where it holds every key already."""
        if fresh and not known:
            keys = {demand.name: _made(demand, place, known) for demand in demands}
            try:
                await self._shelf.create(_name(place.instance_id), keys, role=_ROLE)
            except Conflict:
                pass  # an earlier birth was cut short: its keys are as good, and may be in use
            else:
                return _held(place, keys)
        copy = await self._shelf.read(_name(place.instance_id))
        held = copy.content if copy is not None else {}
        if not {demand.name for demand in demands} <= held.keys():
            held = {**content_of(await self._places.live(place)), **held}
        keys = {demand.name: held.get(demand.name) or _made(demand, place, known) for demand in demands}
        if copy is None:
            await self._shelf.create(_name(place.instance_id), keys, role=_ROLE)
        elif not keys.items() <= copy.content.items():
            await self._shelf.replace(copy, {**copy.content, **keys}, role=_ROLE)
        return _held(place, keys)

    async def place(self, place: KeyPlace, held: HeldKeys, *, fresh: bool) -> Owned:
        """Put the keys into the instance's namespace; writes nothing where they are there already.

        By force: what the second copy holds is what stored data was encrypted with, whoever changed the first.
        """
        manifest = manifest_of(place, held.values)
        live = None if fresh else await self._places.live(place)
        return owned_as(manifest, await self._places.put(place, manifest, live))

    async def forget(self, instance_id: str) -> None:
        """Delete the second copy, if there is one."""
        if await self._shelf.read(_name(instance_id)) is not None:
            await self._shelf.delete(_name(instance_id))


def _held(place: KeyPlace, keys: Mapping[str, bytes]) -> HeldKeys:
    return HeldKeys({name: _checksum(place.instance_id, value) for name, value in keys.items()}, keys)


def _made(demand: KeyDemand, place: KeyPlace, known: Collection[str]) -> bytes:
    if demand.name in known:
        raise KeyLost(
            f"the key {demand.name} of instance {place.instance_id} is gone from {place.namespace}/{place.secret}"
            f" and from its second copy {_name(place.instance_id)}",
            hint="restore one of the two Secrets from a backup; it is not made anew, as stored data depends on it",
        )
    if demand.form == "fernet":
        # Cryptography's specification: 32 random bytes in URL-safe base64.
        return base64.urlsafe_b64encode(secrets.token_bytes(32))
    length = demand.length or _USUAL_LENGTH[demand.form]
    # URL-safe, because passwords stand in connection URLs; each character carries six bits.
    return secrets.token_urlsafe(length)[:length].encode()


def _checksum(instance_id: str, value: bytes) -> str:
    return hashlib.sha256(instance_id.encode() + b"\0" + value).hexdigest()[:16]


def _name(instance_id: str) -> str:
    return f"perigee-keys-{instance_id}"
