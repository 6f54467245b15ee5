"""Where trust begins: the first trust bundle, taken for one of two reasons.

Either its root key has the fingerprint that somebody pinned, whoever delivered it; or it came over a connection (or
out of a Secret) that was trusted already, and then it must still be whole: signed by the root keys that it names.
"""

from __future__ import annotations

from agent.model.errors import Refused
from agent.wire.envelope import TRUST_TYPE, open_envelope
from agent.wire.limits import MAX_TRUST_BYTES
from agent.wire.scalars import decode_base64
from agent.wire.strict import parse_object
from agent.wire.trust import TrustBundle, fingerprint, verify_first


def first_bundle(envelope: bytes, *, root_fingerprint: str | None) -> TrustBundle:
    """The bundle; ``root_fingerprint`` None: its source is trusted, so that its own root key counts as pinned.

    Raises Refused: WrongRoot, BadSignature, Malformed, TooLarge, …
    """
    return verify_first(envelope, root_fingerprint=root_fingerprint or _own_root(envelope))


def _own_root(envelope: bytes) -> str:
    """The fingerprint of a root key that the bundle itself names; nothing is verified yet."""
    payload = decode_base64(open_envelope(envelope, TRUST_TYPE, limit=MAX_TRUST_BYTES).payload)
    data = parse_object(payload, limit=MAX_TRUST_BYTES, what="trust bundle")
    try:
        keyid = data["roles"]["root"]["keyids"][0]
        return fingerprint(decode_base64(data["keys"][keyid]["public"]))
    except (KeyError, IndexError, TypeError, ValueError):
        raise Refused("names no root key", path="roles.root.keyids", reason="Malformed") from None
