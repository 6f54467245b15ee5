"""The next certificate: for who holds the key of the last one, and for nobody else; also for a while after its end."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from agent.wire.renewal import RenewRequestV1, decode_renew_response, renew_request
from control_plane.authority import cluster_of, serial_of
from control_plane.server import ControlPlane
from tests.control_plane.member import Caller, Keys, Reply, at_the_gate, calling, chain_of
from tests.support.clock import StillClock


@pytest.fixture
async def gate(plane: ControlPlane) -> AsyncIterator[Caller]:
    async with at_the_gate(plane) as caller:
        yield caller


def asked(old: Keys, certificate: str, new: Keys) -> bytes:
    return renew_request(RenewRequestV1(csr=new.csr(), certificate=certificate), identity=old.identity)


async def renewed(gate: Caller, old: Keys, certificate: str, new: Keys) -> Reply:
    return await gate.post("/v1/renew", data=asked(old, certificate, new))


async def status_of(plane: ControlPlane, context: ssl.SSLContext) -> int:
    async with calling(plane.agents_url, context) as agent:
        return (await agent.poll()).status


def certificate_in(reply: Reply) -> x509.Certificate:
    return x509.load_pem_x509_certificate(decode_renew_response(reply.body).certificate_chain.encode())


async def test_the_old_key_gets_a_certificate_for_a_new_one_and_both_are_let_in(
    plane: ControlPlane, gate: Caller
) -> None:
    old, new = Keys(), Keys()
    chain = await chain_of(plane, old)
    reply = await renewed(gate, old, chain, new)
    assert reply.status == 200
    certificate = certificate_in(reply)
    assert (cluster_of(certificate), certificate.public_key()) == ("east", new.identity.public_key())
    for keys, held in ((old, chain), (new, reply.json["certificateChain"])):
        assert await status_of(plane, keys.context(plane.ca_file, held)) == 200
    known = {one.serial for one in (await plane.services.membership.cluster("east")).certificates}
    assert serial_of(certificate) in known
    [row] = await plane.services.trail.page(before=None, limit=1)
    assert (row.who, row.path, row.outcome) == ("cluster/east", "/v1/renew", "200")


async def test_a_lost_answer_or_a_replayed_request_brings_the_same_certificate(
    plane: ControlPlane, gate: Caller
) -> None:
    old = Keys()
    request = asked(old, await chain_of(plane, old), Keys())
    first, again = [await gate.post("/v1/renew", data=request) for _ in range(2)]
    assert first.body == again.body
    assert len((await plane.services.membership.cluster("east")).certificates) == 2


async def test_an_expired_certificate_is_renewed_within_the_grace(
    plane: ControlPlane, clock: StillClock, gate: Caller
) -> None:
    old = Keys()
    chain = await chain_of(plane, old)
    clock.at += timedelta(days=119)
    assert (await renewed(gate, old, chain, Keys())).status == 200
    clock.at += timedelta(days=2)
    refused = await renewed(gate, old, chain, Keys())
    assert (refused.status, refused.code) == (403, "CertificateExpired")


async def test_a_revoked_cluster_may_not_renew_not_even_what_it_asked_for_before(
    plane: ControlPlane, gate: Caller
) -> None:
    old = Keys()
    request = asked(old, await chain_of(plane, old), Keys())
    assert (await gate.post("/v1/renew", data=request)).status == 200
    await plane.revoke("east")
    refused = await gate.post("/v1/renew", data=request)
    assert (refused.status, refused.code) == (403, "CertificateRevoked")


async def test_a_certificate_alone_is_of_no_use(plane: ControlPlane, gate: Caller) -> None:
    refused = await renewed(gate, Keys(), await chain_of(plane, Keys()), Keys())
    assert (refused.status, refused.code) == (422, "BadSignature")


async def test_a_certificate_with_our_serial_that_we_did_not_issue_is_nobodys(
    plane: ControlPlane, gate: Caller
) -> None:
    """What a thief of the authority's key could make."""
    issued = x509.load_pem_x509_certificate((await chain_of(plane, Keys())).encode())
    thief = Keys()
    draft = (
        x509.CertificateBuilder()
        .subject_name(issued.subject)
        .issuer_name(issued.issuer)
        .public_key(thief.identity.public_key())
        .serial_number(issued.serial_number)
        .not_valid_before(issued.not_valid_before_utc)
        .not_valid_after(issued.not_valid_after_utc)
    )
    for extension in issued.extensions:
        draft = draft.add_extension(extension.value, critical=extension.critical)
    key = load_pem_private_key(plane.services.state.authority.key_pem, password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    forged = draft.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()
    refused = await renewed(gate, thief, forged, Keys())
    assert (refused.status, refused.code) == (403, "Forbidden")
    async with calling(plane.agents_url, thief.context(plane.ca_file, forged)) as agent:
        assert (await agent.poll()).code == "Forbidden"
