"""The card of a sealing key: what somebody needs to seal values for a cluster, and to see whose key it is.

A control plane hands it on; it cannot make one for a key of its own that has the fingerprint of the agent's. Whoever
compares the fingerprint with the one that the agent tells need not believe the control plane.
"""

from __future__ import annotations

from cryptography.x509 import InvalidVersion, load_pem_x509_certificate
from cryptography.x509.oid import NameOID
from pydantic import Field

from agent.model.errors import Refused
from agent.wire.enrolment import verify_sealing_key
from agent.wire.frames import Frame, receive
from agent.wire.limits import MAX_ENROLMENT_BYTES
from agent.wire.refusals import Reason
from agent.wire.scalars import Base64, DnsLabel, decode_base64
from agent.wire.sealing import X25519_BYTES
from agent.wire.strict import parse_object


class SealingKeyV1(Frame):
    """The public key (raw X25519) that values for a cluster are sealed to, the signature of the agent's identity key
    over it, and the certificate (PEM) of that key.
    """

    cluster: DnsLabel
    sealing_key: Base64
    sealing_key_signature: Base64
    certificate: str = Field(max_length=65536)


def proven(raw: bytes, *, cluster: str) -> bytes:
    """The public key on a card for that cluster, signed by the key that its certificate names.

    Raises Refused: Malformed, WrongCluster, BadSignature.
    """
    card, _ = receive(SealingKeyV1, parse_object(raw, limit=MAX_ENROLMENT_BYTES, what="sealing key"), what="card")
    if card.cluster != cluster:
        message = f"is {card.cluster}, and the value is for {cluster}"
        raise Refused(message, path="cluster", reason=Reason.WRONG_CLUSTER, hint="use the key of that cluster")
    public = decode_base64(card.sealing_key)
    if len(public) != X25519_BYTES:
        raise Refused("must be the 32 raw bytes of an X25519 key", path="sealingKey", reason=Reason.MALFORMED)
    try:
        certificate = load_pem_x509_certificate(card.certificate.encode())
        identity = certificate.public_key()
    except (ValueError, InvalidVersion):
        raise Refused("is no certificate in PEM", path="certificate", reason=Reason.MALFORMED) from None
    names = [one.value for one in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    if names != [cluster]:
        raise Refused("is not for that cluster", path="certificate", reason=Reason.WRONG_CLUSTER)
    verify_sealing_key(identity, public, card.sealing_key_signature, holder="certificate")
    return public
