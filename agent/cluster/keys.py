"""Generated keys: made in the cluster once, copied into the agent's namespace, only restored from then on.

The second copy is written first: a crash in between loses nothing. A key that existed before and is left in neither
place is never replaced by a new one, since a new Fernet key would make every stored connection unreadable.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Collection, Mapping, Sequence

from agent.cluster.client import KubeClient, Request
from agent.cluster.kinds import path_of
from agent.cluster.secrets import SecretShelf
from agent.model.errors import Conflict, KeyLost, Missing, ObjectRefused
from agent.model.objects import Manifest, Owned
from agent.planning.adoption import is_ours
from agent.planning.ownership import owned_as, ownership_of
from agent.ports import HeldKeys, KeyDemand, KeyPlace, Verbs

_ROLE = "keys"
_GENERATORS = {
    # Fernet (cryptography's specification): 32 random bytes in URL-safe base64.
    "fernet": lambda: base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
    # URL-safe, because passwords stand in connection URLs.
    "password": lambda: secrets.token_urlsafe(24),
    "token": lambda: secrets.token_urlsafe(64),
}


class GeneratedKeys:
    """Implements ``ports.Keys``."""

    def __init__(self, client: KubeClient, shelf: SecretShelf, verbs: Verbs) -> None:
        self._client = client
        self._shelf = shelf
        self._verbs = verbs

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
            held = {**_content(await self._live(place)), **held}
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
        manifest: Manifest = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": place.secret, "namespace": place.namespace, "labels": dict(place.labels)},
            "type": "Opaque",
            "data": {name: base64.b64encode(value).decode() for name, value in sorted(held.values.items())},
        }
        live = None if fresh else await self._live(place)
        if live is not None and _shows(live, manifest):
            return owned_as(manifest, live)
        if live is not None and not is_ours(live, place.instance_id):
            raise ObjectRefused(
                f"{place.ref} exists and was not made for this instance",
                hint="rename it or delete it, or use another namespace",
            )
        return owned_as(manifest, await self._verbs.apply(manifest, force=live is not None))

    async def forget(self, instance_id: str) -> None:
        """Delete the second copy, if there is one."""
        if await self._shelf.read(_name(instance_id)) is not None:
            await self._shelf.delete(_name(instance_id))

    async def _live(self, place: KeyPlace) -> Manifest | None:
        try:
            return await self._client.send(Request("get", "GET", path_of(place.ref)))
        except Missing:
            return None


def _held(place: KeyPlace, keys: Mapping[str, bytes]) -> HeldKeys:
    return HeldKeys({name: _checksum(place.instance_id, value) for name, value in keys.items()}, keys)


def _made(demand: KeyDemand, place: KeyPlace, known: Collection[str]) -> bytes:
    if demand.name in known:
        raise KeyLost(
            f"the key {demand.name} of instance {place.instance_id} is gone from {place.namespace}/{place.secret}"
            f" and from its second copy {_name(place.instance_id)}",
            hint="restore one of the two Secrets from a backup; it is not made anew, as stored data depends on it",
        )
    return _GENERATORS[demand.form]().encode()


def _shows(live: Manifest, manifest: Manifest) -> bool:
    """Whether the live Secret has all that we would apply, applied by us; what somebody adds to it is not ours."""
    labels = live["metadata"].get("labels") or {}
    return (
        manifest["data"].items() <= (live.get("data") or {}).items()
        and manifest["metadata"]["labels"].items() <= labels.items()
        and bool(ownership_of(live))
    )


def _content(live: Manifest | None) -> dict[str, bytes]:
    return {name: base64.b64decode(value) for name, value in ((live or {}).get("data") or {}).items()}


def _checksum(instance_id: str, value: bytes) -> str:
    return hashlib.sha256(instance_id.encode() + b"\0" + value).hexdigest()[:16]


def _name(instance_id: str) -> str:
    return f"perigee-keys-{instance_id}"
