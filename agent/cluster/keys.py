"""Generated keys: made in the cluster once, copied into the agent's namespace, only restored from then on.

The second copy is written first: a crash in between loses nothing. A key that existed before and is left in neither
place is never replaced by a new one, since a new Fernet key would make every stored connection unreadable.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Collection, Mapping, Sequence

from agent.cluster.apply import apply
from agent.cluster.client import KubeClient, Request
from agent.cluster.kinds import path_of
from agent.cluster.secrets import SecretShelf
from agent.model.errors import KeyLost, Missing
from agent.model.objects import Manifest, Owned
from agent.planning.ownership import owned_as, ownership_of
from agent.ports import KeptKeys, KeyDemand, KeyPlace

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

    def __init__(self, client: KubeClient, shelf: SecretShelf) -> None:
        self._client = client
        self._shelf = shelf

    async def ensure(self, place: KeyPlace, demands: Sequence[KeyDemand], *, known: Collection[str]) -> KeptKeys:
        """Make or restore the keys; writes nothing where both copies hold them already."""
        copy = await self._shelf.read(_name(place.instance_id))
        live = await self._live(place)
        held = {**_content(live), **(copy.content if copy else {})}
        keys = {demand.name: held.get(demand.name) or _made(demand, place, known) for demand in demands}
        if copy is None:
            await self._shelf.create(_name(place.instance_id), keys, role=_ROLE)
        elif not keys.items() <= copy.content.items():
            await self._shelf.replace(copy, {**copy.content, **keys}, role=_ROLE)
        return KeptKeys(
            checksums={name: _checksum(place.instance_id, value) for name, value in keys.items()},
            owned=await self._placed(place, keys, live),
        )

    async def forget(self, instance_id: str) -> None:
        """Delete the second copy."""
        await self._shelf.delete(_name(instance_id))

    async def _live(self, place: KeyPlace) -> Manifest | None:
        try:
            return await self._client.send(Request("get", "GET", path_of(place.ref)))
        except Missing:
            return None

    async def _placed(self, place: KeyPlace, keys: Mapping[str, bytes], live: Manifest | None) -> Owned:
        manifest: Manifest = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": place.secret, "namespace": place.namespace, "labels": dict(place.labels)},
            "type": "Opaque",
            "data": {name: base64.b64encode(value).decode() for name, value in sorted(keys.items())},
        }
        if live is not None and _shows(live, manifest):
            return owned_as(manifest, live)
        return owned_as(manifest, (await apply(self._client, manifest)).manifest)


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
