"""A token lets one agent in, once; whatever is wrong with it is said only to who holds its secret."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from cryptography import x509

from agent.model.errors import Refused
from agent.wire.enrolment import decode_enrol_response
from agent.wire.scalars import encode_base64
from agent.wire.sealing_key import proven
from agent.wire.trust import verify_first
from control_plane.authority import cluster_of
from control_plane.bearer import Bearer, Kind
from control_plane.server import ControlPlane
from tests.control_plane.member import Caller, Keys, administering, an_agent, at_the_gate
from tests.support.clock import StillClock

MANY = 20


@pytest.fixture
async def gate(plane: ControlPlane) -> AsyncIterator[Caller]:
    async with at_the_gate(plane) as caller:
        yield caller


async def test_a_token_gives_a_certificate_for_its_cluster_and_our_key(plane: ControlPlane, gate: Caller) -> None:
    keys = Keys()
    request = keys.request(await plane.create_token("east", labels={"zone": "b"}), labels={"zone": "a", "env": "prod"})
    reply = await gate.post("/v1/enroll", data=request.to_bytes())
    assert reply.status == 200
    response = decode_enrol_response(reply.body)
    certificate = x509.load_pem_x509_certificate(response.certificate_chain.encode())
    assert response.cluster == cluster_of(certificate) == "east"
    assert certificate.public_key() == keys.identity.public_key()
    bundle = verify_first(response.trust.to_bytes(), root_fingerprint=plane.root_fingerprint)
    assert bundle.ca == (plane.ca_file.read_text(),)
    cluster = (await plane.services.membership.cluster("east")).cluster
    assert cluster.state == "active"
    assert cluster.labels == {"zone": "b", "env": "prod"}, "what the token says wins"
    assert cluster.sealing_key == request.sealing_key
    assert cluster.sealing_key_signature == request.sealing_key_signature


async def test_a_certificate_holds_for_the_time_that_the_settings_say(plane: ControlPlane, gate: Caller) -> None:
    reply = await gate.post("/v1/enroll", data=Keys().request(await plane.create_token("east")).to_bytes())
    certificate = x509.load_pem_x509_certificate(reply.json["certificateChain"].encode())
    assert certificate.not_valid_after_utc - certificate.not_valid_before_utc == timedelta(days=90, minutes=5)


async def test_a_token_works_once(plane: ControlPlane, gate: Caller) -> None:
    token = await plane.create_token("east")
    assert (await gate.post("/v1/enroll", data=Keys().request(token).to_bytes())).status == 200
    again = await gate.post("/v1/enroll", data=Keys().request(token).to_bytes())
    assert (again.status, again.code) == (401, "TokenSpent")


async def test_of_many_who_come_with_one_token_at_once_one_is_let_in(plane: ControlPlane) -> None:
    token = await plane.create_token("east")

    async def enter() -> str:
        async with at_the_gate(plane) as gate:
            reply = await gate.post("/v1/enroll", data=Keys().request(token).to_bytes())
            return "in" if reply.status == 200 else reply.code

    outcomes = await asyncio.gather(*(enter() for _ in range(MANY)))
    assert sorted(outcomes) == ["TokenSpent"] * (MANY - 1) + ["in"]
    assert len((await plane.services.membership.cluster("east")).certificates) == 1


async def test_a_token_expires(plane: ControlPlane, gate: Caller, clock: StillClock) -> None:
    token = await plane.create_token("east", ttl=timedelta(minutes=10))
    clock.pass_by(600)
    late = await gate.post("/v1/enroll", data=Keys().request(token).to_bytes())
    assert (late.status, late.code) == (401, "TokenExpired")


async def test_a_revoked_token_lets_nobody_in(plane: ControlPlane, gate: Caller) -> None:
    token = await plane.create_token("east")
    await plane.services.membership.revoke_token(token.split("_")[1])
    refused = await gate.post("/v1/enroll", data=Keys().request(token).to_bytes())
    assert (refused.status, refused.code) == (401, "TokenRevoked")


async def test_a_token_is_for_its_cluster_and_survives_being_tried_for_another(
    plane: ControlPlane, gate: Caller
) -> None:
    token = await plane.create_token("east")
    wrong = await gate.post("/v1/enroll", data=Keys().request(token, cluster="west").to_bytes())
    assert (wrong.status, wrong.code) == (403, "WrongCluster")
    assert b"east" not in wrong.body, "whose token it is, is not told"
    assert (await gate.post("/v1/enroll", data=Keys().request(token, cluster="east").to_bytes())).status == 200


async def test_who_guesses_cannot_tell_a_token_that_exists_from_one_that_does_not(
    plane: ControlPlane, gate: Caller, clock: StillClock
) -> None:
    """Whatever state the row is in: without its secret the answer is, byte for byte, that of no row."""
    spent, expired, revoked, fresh = [await plane.create_token("east", ttl=timedelta(minutes=10)) for _ in range(4)]
    await gate.post("/v1/enroll", data=Keys().request(spent).to_bytes())
    await plane.services.membership.revoke_token(revoked.split("_")[1])
    clock.pass_by(601)
    guesses = [f"{token[:21]}_{Bearer.new(Kind.ENROL).secret}" for token in (spent, expired, revoked)]
    guesses += [Bearer.new(Kind.ENROL).reveal(), Bearer.new(Kind.ADMIN).reveal(), "not-a-token-at-all"]
    replies = [await gate.post("/v1/enroll", data=Keys().request(guess).to_bytes()) for guess in guesses]
    assert {(reply.status, reply.body) for reply in replies} == {(401, replies[0].body)}
    assert replies[0].code == "TokenUnknown"
    assert fresh


async def test_an_admins_token_enrols_nobody(plane: ControlPlane, gate: Caller) -> None:
    refused = await gate.post("/v1/enroll", data=Keys().request(await plane.admin_token()).to_bytes())
    assert (refused.status, refused.code) == (401, "TokenUnknown")


@pytest.mark.parametrize(
    "change",
    [
        {"csr": "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n"},
        {"sealing_key": "AAAA"},
        {"sealing_key_signature": "AAAA"},
    ],
    ids=["csr", "sealing key", "signature"],
)
async def test_a_malformed_request_does_not_spend_the_token(
    plane: ControlPlane, gate: Caller, change: dict[str, str]
) -> None:
    token = await plane.create_token("east")
    broken = Keys().request(token).model_copy(update=change)
    refused = await gate.post("/v1/enroll", data=broken.to_bytes())
    assert refused.status in {400, 422}, refused.body
    assert (await gate.post("/v1/enroll", data=Keys().request(token).to_bytes())).status == 200


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"{" * 1000, b'{"schema":"perigee.dev/enrol/v2"}'])
async def test_what_is_no_request_is_refused(gate: Caller, body: bytes) -> None:
    refused = await gate.post("/v1/enroll", data=body)
    assert 400 <= refused.status < 500
    assert refused.code


async def test_a_request_without_end_is_cut_off(gate: Caller) -> None:
    refused = await gate.post("/v1/enroll", data=b" " * 600_000)
    assert (refused.status, refused.code) == (413, "TooLarge")


async def test_a_token_for_too_long_or_too_short_is_not_made(plane: ControlPlane) -> None:
    async with administering(plane) as admin:
        for seconds in (1, 40 * 24 * 3600):
            refused = await admin.post("/tokens", json={"cluster": "east", "ttlSeconds": seconds})
            assert (refused.status, refused.code) == (422, "TokenLife")


async def test_the_trust_chain_is_read_by_version(plane: ControlPlane, gate: Caller) -> None:
    first = await gate.get("/v1/trust")
    assert verify_first(first.body, root_fingerprint=plane.root_fingerprint).version == 1
    await plane.services.trust.new_epoch()
    newest = verify_first((await gate.get("/v1/trust")).body, root_fingerprint=plane.root_fingerprint)
    assert (newest.version, newest.epoch) == (2, 2)
    assert (await gate.get("/v1/trust?version=1")).body == first.body
    assert (await gate.get("/v1/trust?version=9")).status == 404
    assert (await gate.get("/v1/trust?version=x")).status == 400


async def test_enrolments_are_audited_whether_they_succeed_or_not(plane: ControlPlane, gate: Caller) -> None:
    token = await plane.create_token("east")
    for _ in range(2):
        await gate.post("/v1/enroll", data=Keys().request(token).to_bytes())
    rows = await plane.services.trail.page(before=None, limit=10)
    assert [(row.listener, row.who, row.object, row.outcome) for row in rows] == [
        ("enrol", "", "", "401 TokenSpent"),
        ("enrol", "cluster/east", "east", "200"),
    ]


async def test_a_revoked_cluster_is_out_and_a_new_token_is_its_way_back(plane: ControlPlane) -> None:
    async with an_agent(plane) as old:
        assert (await old.poll()).status == 200
        unused = await plane.create_token("east")
        await plane.revoke("east")
        refused = await old.poll()
        assert (refused.status, refused.code) == (403, "CertificateRevoked")
        async with at_the_gate(plane) as gate:
            late = await gate.post("/v1/enroll", data=Keys().request(unused).to_bytes())
            assert late.code == "TokenRevoked"
        async with an_agent(plane) as back:
            assert (await back.poll()).status == 200
        assert (await old.poll()).status == 403, "the old certificate stays worthless"


async def test_the_sealing_key_is_told_with_the_proof_whose_it_is(plane: ControlPlane, gate: Caller) -> None:
    request = Keys().request(await plane.create_token("east"))
    async with administering(plane) as admin:
        before = await admin.get("/clusters/east/sealing-key")
        assert (before.status, before.code) == (404, "NotFound")
        assert (await gate.post("/v1/enroll", data=request.to_bytes())).status == 200
        card = await admin.get("/clusters/east/sealing-key")
    assert card.status == 200
    assert encode_base64(proven(card.body, cluster="east")) == request.sealing_key
    with pytest.raises(Refused):
        proven(card.body, cluster="west")
