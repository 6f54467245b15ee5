from __future__ import annotations

import json
import logging
import traceback
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.model.errors import AgentError, Misconfigured, NotAuthorised, Refused, Unreachable
from agent.settings import ClusterSettings
from agent.uplink.client import HttpUplink
from agent.uplink.enrol import enrol
from agent.uplink.faults import ServerNotVerified
from agent.uplink.identity import Identity
from agent.wire.envelope import SigningKey
from agent.wire.problems import Code
from agent.wire.trust import fingerprint, verify_first
from tests.integration.uplink.plane import CLUSTER, TOKEN, Enroller, serving, settings, token_file
from tests.support.clock import StillClock
from tests.support.pki import EXPIRED, Authority

OTHER_ROOT = fingerprint(SigningKey(Ed25519PrivateKey.generate()).public)


async def enrolled(
    base: str, cluster: ClusterSettings = CLUSTER, clock: StillClock | None = None, **more: object
) -> tuple[Identity, bytes]:
    return await enrol(settings(base, **more), cluster, clock=clock or StillClock(), version="1.2.3")


def ca_file(folder: Path, authority: Authority) -> Path:
    file = folder / "ca.pem"
    file.write_bytes(authority.pem)
    return file


async def test_with_a_ca_file_the_agent_gets_an_identity_that_the_control_plane_knows(tmp_path: Path) -> None:
    plane = Enroller()

    async def desired(request: web.Request) -> web.Response:
        subject = request.get_extra_info("peercert")["subject"]
        return web.Response(body=json.dumps(subject).encode(), headers={"ETag": '"1"'})

    async with serving(plane.routes(), plane.authority.server()) as base:
        identity, trust = await enrolled(
            base, token_file=token_file(tmp_path), ca_file=ca_file(tmp_path, plane.authority)
        )
    assert verify_first(trust, root_fingerprint=plane.fingerprint).version == 1
    async with (
        serving({"GET /v1/desired": desired}, plane.authority.mutual()) as base,
        HttpUplink(settings(base), Identity.from_secret(identity.to_secret()), clock=StillClock()) as uplink,
    ):
        answer = await uplink.poll(etag="", wait_seconds=0)
    assert answer is not None
    assert json.loads(answer.envelope) == [[["commonName", "north"]]]
    [request] = plane.requests
    sent = json.loads(request)
    assert sent["cluster"] == "north"
    assert sent["labels"] == {"region": "eu"}
    assert sent["agentVersion"] == "1.2.3"
    assert b"PRIVATE" not in request


async def test_with_a_pinned_root_alone_the_bundle_vouches_for_the_server(tmp_path: Path) -> None:
    plane = Enroller()
    async with serving(plane.routes(), plane.authority.server()) as base:
        identity, trust = await enrolled(
            base,
            token_file=token_file(tmp_path),
            root_fingerprint=plane.fingerprint.upper().replace("SHA256", "sha256"),
        )
    assert identity.authorities == (plane.authority.certificate,)
    assert verify_first(trust, root_fingerprint=plane.fingerprint).ca == (plane.authority.pem.decode(),)


@pytest.mark.parametrize("with_ca_file", [False, True])
async def test_another_root_than_the_pinned_one_is_refused(tmp_path: Path, *, with_ca_file: bool) -> None:
    plane = Enroller()
    more: dict[str, Any] = {"ca_file": ca_file(tmp_path, plane.authority)} if with_ca_file else {}
    async with serving(plane.routes(), plane.authority.server()) as base:
        with pytest.raises(Refused) as raised:
            await enrolled(base, token_file=token_file(tmp_path), root_fingerprint=OTHER_ROOT, **more)
    assert raised.value.reason == "WrongRoot"
    assert len(plane.requests) == int(with_ca_file)


async def test_a_server_between_us_and_the_control_plane_sees_no_token(tmp_path: Path) -> None:
    """It can show the true bundle, but not a certificate that the bundle's CA has signed."""
    plane = Enroller()
    async with serving(plane.routes(), Authority("interceptor").server()) as base:
        with pytest.raises(ServerNotVerified, match="but by CN=interceptor") as raised:
            await enrolled(base, token_file=token_file(tmp_path), root_fingerprint=plane.fingerprint)
    assert raised.value.reason == "TLSIntercepted"
    assert plane.requests == []


async def test_a_server_that_the_ca_file_does_not_vouch_for_sees_no_token(tmp_path: Path) -> None:
    plane = Enroller()
    async with serving(plane.routes(), plane.authority.server(validity=EXPIRED)) as base:
        with pytest.raises(ServerNotVerified, match="has expired"):
            await enrolled(base, token_file=token_file(tmp_path), ca_file=ca_file(tmp_path, plane.authority))
    assert plane.requests == []


@pytest.mark.parametrize("code", [Code.TOKEN_SPENT, Code.TOKEN_EXPIRED, Code.TOKEN_UNKNOWN])
async def test_a_token_that_is_not_accepted_says_why_and_what_to_do(tmp_path: Path, code: Code) -> None:
    plane = Enroller(accepts="another token", refuses_with=code)
    async with serving(plane.routes(), plane.authority.server()) as base:
        with pytest.raises(NotAuthorised) as raised:
            await enrolled(base, token_file=token_file(tmp_path), root_fingerprint=plane.fingerprint)
    assert raised.value.explain() == (
        f"{base}/v1/enroll answered 401 {code}: the token was used at 12:00. "
        "create a new one with `perigee control-plane token create --cluster north`."
    )
    assert len(plane.requests) == 1


async def test_no_token_file_is_a_setting_to_correct(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"uplink\.tokenFile .*/absent cannot be read: No such file") as raised:
        await enrolled("https://plane.test", token_file=tmp_path / "absent")
    assert "token create --cluster north" in raised.value.hint


@pytest.mark.parametrize("content", ["", " \n"])
async def test_an_empty_token_is_said_to_be_empty(tmp_path: Path, content: str) -> None:
    with pytest.raises(Misconfigured, match="is empty"):
        await enrolled("https://plane.test", token_file=token_file(tmp_path, content))


@pytest.mark.parametrize(
    "content", ["short-canary", "canary with spaces in it 0123456789", "\x00canary" * 10, "ü" * 40]
)
async def test_what_cannot_be_a_token_is_not_sent_and_not_quoted(tmp_path: Path, content: str) -> None:
    with pytest.raises(Misconfigured, match="cannot be an enrolment token") as raised:
        await enrolled("https://plane.test", token_file=token_file(tmp_path, content))
    told = "".join(traceback.format_exception(raised.value))
    assert "canary" not in told.replace(str(tmp_path), "")


async def test_labels_that_the_protocol_does_not_take_are_a_setting_to_correct(tmp_path: Path) -> None:
    cluster = ClusterSettings(name="north", labels={f"label-{number}": "x" for number in range(40)})
    with pytest.raises(Misconfigured, match="cannot be told to a control plane: labels"):
        await enrolled("https://plane.test", cluster, token_file=token_file(tmp_path))


async def test_without_a_way_to_know_the_server_nothing_is_sent(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="no way to know the control plane") as raised:
        await enrolled("https://plane.test", token_file=token_file(tmp_path))
    assert "uplink.rootFingerprint" in raised.value.hint


async def test_a_ca_file_that_is_none_is_named(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    with pytest.raises(Misconfigured, match=r"uplink\.caFile .*ca\.pem cannot be read"):
        await enrolled("https://plane.test", token_file=token_file(tmp_path), ca_file=file)
    file.write_text("nothing")
    with pytest.raises(Misconfigured, match=r"ca\.pem holds no CA certificate"):
        await enrolled("https://plane.test", token_file=token_file(tmp_path), ca_file=file)


async def test_nobody_at_the_address_is_tried_three_times_and_named(tmp_path: Path) -> None:
    async with serving({}, None) as base:
        pass
    clock = StillClock()
    authority = Authority()
    with pytest.raises(Unreachable, match=f"cannot connect to {base}/v1/enroll"):
        await enrolled(base, clock=clock, token_file=token_file(tmp_path), ca_file=ca_file(tmp_path, authority))
    assert clock.waits == [0.5, 1.0]


async def test_a_request_that_may_have_arrived_is_not_repeated(tmp_path: Path) -> None:
    plane = Enroller()
    seen: list[int] = []

    async def cut(request: web.Request) -> web.Response:
        seen.append(1)
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async with serving(plane.routes() | {"POST /v1/enroll": cut}, plane.authority.server()) as base:
        with pytest.raises(Unreachable, match="broke the connection"):
            await enrolled(base, token_file=token_file(tmp_path), root_fingerprint=plane.fingerprint)
    assert seen == [1]


async def test_a_bundle_that_does_not_come_at_first_is_asked_for_again(tmp_path: Path) -> None:
    plane = Enroller()
    failures = [503]

    async def trust(_: web.Request) -> web.Response:
        return web.Response(status=failures.pop()) if failures else web.Response(body=plane.trust)

    async with serving(plane.routes() | {"GET /v1/trust": trust}, plane.authority.server()) as base:
        identity, _ = await enrolled(base, token_file=token_file(tmp_path), root_fingerprint=plane.fingerprint)
    assert identity.chain[0].subject.rfc4514_string() == "CN=north"


async def test_a_token_of_another_cluster_is_not_taken_for_ours(tmp_path: Path) -> None:
    plane = Enroller(names="south")
    async with serving(plane.routes(), plane.authority.server()) as base:
        with pytest.raises(Refused, match=r"enrolled us as south, and cluster\.name is north") as raised:
            await enrolled(base, token_file=token_file(tmp_path), root_fingerprint=plane.fingerprint)
    assert raised.value.reason == "WrongCluster"


async def test_a_certificate_for_another_key_is_refused(tmp_path: Path) -> None:
    plane, stranger = Enroller(), Authority("stranger")

    async def enroll(request: web.Request) -> web.Response:
        granted = plane.granted(json.loads(await request.read())["csr"])
        return web.Response(body=granted.model_copy(update={"certificate_chain": stranger.pem.decode()}).to_bytes())

    async with serving(plane.routes() | {"POST /v1/enroll": enroll}, plane.authority.server()) as base:
        with pytest.raises(Refused, match="not for the identity key"):
            await enrolled(base, token_file=token_file(tmp_path), root_fingerprint=plane.fingerprint)


@pytest.mark.parametrize("answer", [b"<html>welcome</html>", b"{}", b'{"schema": "perigee.dev/enrolled/v9"}'])
async def test_an_answer_of_another_kind_is_refused(tmp_path: Path, answer: bytes) -> None:
    plane = Enroller()

    async def enroll(_: web.Request) -> web.Response:
        return web.Response(body=answer)

    async with serving(plane.routes() | {"POST /v1/enroll": enroll}, plane.authority.server()) as base:
        with pytest.raises(Refused):
            await enrolled(base, token_file=token_file(tmp_path), root_fingerprint=plane.fingerprint)


async def test_a_bundle_that_is_none_is_refused_even_if_the_server_is_trusted(tmp_path: Path) -> None:
    """With a CA file the source of the bundle is trusted; a bundle that its own root has not signed is broken still."""
    plane = Enroller()
    original = plane.trust

    async def enroll(request: web.Request) -> web.Response:
        answer = json.loads(plane.granted(json.loads(await request.read())["csr"]).to_bytes())
        answer["trust"] = json.loads(original) | {"signatures": json.loads(forged)["signatures"]}
        return web.Response(body=json.dumps(answer).encode())

    forged = Enroller(authority=plane.authority, index=plane.index).trust
    async with serving({"POST /v1/enroll": enroll}, plane.authority.server()) as base:
        with pytest.raises(Refused) as raised:
            await enrolled(base, token_file=token_file(tmp_path), ca_file=ca_file(tmp_path, plane.authority))
    assert raised.value.reason == "BadSignature"


async def test_neither_token_nor_key_shows_in_logs_or_errors(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    plane = Enroller()
    file = token_file(tmp_path)
    told: list[str] = []
    with caplog.at_level(logging.DEBUG):
        async with serving(plane.routes(), plane.authority.server()) as base:
            identity, _ = await enrolled(base, token_file=file, root_fingerprint=plane.fingerprint)
            plane.accepts = "spent"
            for pin in (plane.fingerprint, OTHER_ROOT, None):
                with pytest.raises(AgentError) as raised:
                    await enrolled(base, token_file=file, root_fingerprint=pin)
                told += ["".join(traceback.format_exception(raised.value)), repr(raised.value), raised.value.explain()]
    kept = identity.to_secret()
    canaries = [TOKEN, *(line for name in ("tls.key", "sealing.key") for line in kept[name].decode().split("\n")[1:-2])]
    captured = capfd.readouterr()
    everything = "\n".join([*told, caplog.text, captured.out, captured.err, repr(identity), repr(settings(base))])
    assert len(canaries) >= 4
    assert [canary for canary in canaries if canary in everything] == []
