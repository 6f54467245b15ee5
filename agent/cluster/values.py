"""Secret values that documents name: read from labelled Secrets or opened, and put where the instance's pods read them.

All values of an instance lie in one Secret of its own, also those that come from a Secret beside it. So what pods start
with is what was judged and what their checksum says, until the next judgement, whoever edits or deletes the source.

The checksums are keyed (HMAC) with a key that stays in the agent's namespace: a report or a record tells nobody whether
a guess is right. Not here: when values are looked at, and which pods they roll.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from agent.cluster.places import Places, content_of, manifest_of
from agent.cluster.secrets import SecretShelf
from agent.model.errors import Misconfigured, Missing, NotAuthorised, Refused
from agent.model.instance import SecretRef
from agent.model.labels import ALLOW_INSTANCES, ANY_INSTANCE, INSTANCE, MANAGED_BY
from agent.model.objects import KnownSecret, Manifest, ObjectRef, Owned
from agent.model.secrets import FoundSecrets, SecretWant, entry_of
from agent.planning.ownership import digest_of, owned_as
from agent.ports import KeyPlace

CHECKSUM_KEY = "perigee-checksum-key"
_ROLE = "checksum-key"
_ENTRY = "key"
Opener = Callable[[str, str, str], bytes]
"""Opens a sealed text: instance, path, text. Raises Refused."""
Judge = Callable[[bytes, str], None]
"""Raises Refused for a value that cannot be used, at that path."""


@dataclass(frozen=True, slots=True)
class Opening:
    """How sealed values are opened, and what is a value at all."""

    opened: Opener
    judge: Judge


class ResolvedSecrets:
    """Implements ``ports.SecretValues``. ``shared``: the namespaces beside its own that an instance may refer to."""

    def __init__(self, shelf: SecretShelf, places: Places, opening: Opening, *, shared: Collection[str]) -> None:
        self._shelf = shelf
        self._places = places
        self._opening = opening
        self._shared = frozenset(shared)
        self._key = b""

    async def find(
        self, place: KeyPlace, wants: Sequence[SecretWant], *, known: Mapping[str, KnownSecret]
    ) -> FoundSecrets:
        """Each Secret is read once, however many of its values are wanted."""
        del known
        key = await self._checksum_key()
        values: dict[str, bytes] = {}
        problems: dict[str, Refused] = {}
        read: dict[ObjectRef, Manifest | None] = {}
        for want in wants:
            try:
                values[want.path] = await self._value(place, want, read)
            except Refused as refused:
                problems[want.path] = refused
        found = {
            want.path: KnownSecret(want.source, _checksum(key, place.instance_id, want.path, values[want.path]))
            for want in wants
            if want.path in values
        }
        return FoundSecrets(found, problems, values)

    async def place(self, place: KeyPlace, found: FoundSecrets, *, keep: Collection[str]) -> Owned:
        """Put them there; nothing is written where they are there already."""
        live = await self._places.live(place)
        before = content_of(live)
        gone = sorted(path for path in keep if entry_of(path) not in before)
        if gone:
            raise Missing(
                f"{place.ref} does not hold the value of {gone[0]} any more, and it cannot be had again at present",
                hint="what keeps it from being had is told beside this",
            )
        values = {entry_of(path): value for path, value in found.values.items()}
        kept = {entry_of(path): before[entry_of(path)] for path in keep}
        manifest = manifest_of(place, values | kept)
        owned = owned_as(manifest, await self._places.put(place, manifest, live))
        # A digest of the manifest would tell a guesser whether he is right.
        return replace(owned, rendered=digest_of(sorted(one.checksum for one in found.known.values())))

    async def _value(self, place: KeyPlace, want: SecretWant, read: dict[ObjectRef, Manifest | None]) -> bytes:
        if isinstance(want.value, SecretRef):
            value = await self._referred(place, want.path, want.value, read)
        else:
            value = self._opening.opened(place.instance_id, want.path, want.value.text)
        self._opening.judge(value, want.path)
        return value

    async def _referred(
        self, place: KeyPlace, path: str, source: SecretRef, read: dict[ObjectRef, Manifest | None]
    ) -> bytes:
        ref = ObjectRef("v1", "Secret", source.namespace or place.namespace, source.name)
        self._refuse_foreign(ref, place, path=path)
        if ref not in read:
            read[ref] = await self._read(ref, place, path=path)
        live = read[ref]
        if live is None:
            raise Refused(f"{ref} does not exist", path=path, reason="SecretMissing", hint="create it")
        _refuse_closed(ref, live, place, path=path)
        encoded = (live.get("data") or {}).get(source.key)
        if encoded is None:
            raise Refused(f"{ref} has no key {source.key}", path=path, reason="SecretKeyMissing", hint="add the key")
        return base64.b64decode(encoded)

    async def _read(self, ref: ObjectRef, place: KeyPlace, *, path: str) -> Manifest | None:
        try:
            return await self._places.read(ref)
        except NotAuthorised as error:
            if ref.namespace == place.namespace:
                raise  # our rights there are on their way, or are missing for everything
            raise Refused(
                f"{ref} may not be read by the agent",
                path=path,
                reason="NotAuthorised",
                hint=f"allow the agent's account to get Secrets in {ref.namespace}",
            ) from error

    def _refuse_foreign(self, ref: ObjectRef, place: KeyPlace, *, path: str) -> None:
        if ref.namespace == self._shelf.namespace:
            message = f"{ref.namespace} is the agent's own namespace, and nothing in it is for instances"
            raise Refused(message, path=path, reason="SecretProtected", hint="name a Secret in another namespace")
        if ref.namespace != place.namespace and ref.namespace not in self._shared:
            raise Refused(
                f"{ref.namespace} is neither the instance's own namespace nor one that the agent may share",
                path=path,
                reason="SecretNotAllowed",
                hint="leave namespace out, or name it in the agent's setting secrets.namespaces",
            )

    async def _checksum_key(self) -> bytes:
        """Made once; a change of it would roll every pod that has a secret value."""
        if not self._key:
            stored = await self._shelf.read(CHECKSUM_KEY)
            if stored is None:
                # Should somebody else make it this very moment: Conflict, and the pass comes again.
                stored = await self._shelf.create(CHECKSUM_KEY, {_ENTRY: secrets.token_bytes(32)}, role=_ROLE)
            if not stored.content.get(_ENTRY):
                raise Misconfigured(
                    f"Secret {self._shelf.namespace}/{CHECKSUM_KEY} has no {_ENTRY}",
                    hint="restore it, or delete it: then it is made anew, and pods with secret values roll once",
                )
            self._key = stored.content[_ENTRY]
        return self._key


def _refuse_closed(ref: ObjectRef, live: Manifest, place: KeyPlace, *, path: str) -> None:
    """Only what somebody opened for this instance by a label, and never what Perigee itself keeps."""
    labels: Mapping[str, str] = live["metadata"].get("labels") or {}
    if INSTANCE in labels or labels.get(MANAGED_BY) == "perigee" or ref == place.ref:
        message = f"{ref} is one of Perigee's own"
        raise Refused(message, path=path, reason="SecretProtected", hint="name a Secret of yours")
    opened = {text for key, text in labels.items() if key == ALLOW_INSTANCES or key.startswith(f"{ALLOW_INSTANCES}.")}
    if not opened & {ANY_INSTANCE, place.instance_id}:
        raise Refused(
            f"{ref} is not opened for this instance",
            path=path,
            reason="SecretNotAllowed",
            hint=f"kubectl label secret -n {ref.namespace} {ref.name} {ALLOW_INSTANCES}={place.instance_id}",
        )


def _checksum(key: bytes, instance_id: str, path: str, value: bytes) -> str:
    message = f"{instance_id}\0{path}\0".encode() + value
    return hmac.new(key, message, hashlib.sha256).hexdigest()[:32]
