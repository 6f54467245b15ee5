"""Who gets through which door: certificates at the agents', tokens at the admins', and neither at the other's."""

from __future__ import annotations

import asyncio
import ssl
from datetime import timedelta

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID

from control_plane.authority import Authority, Validity
from control_plane.server import ControlPlane
from control_plane.state import open_state
from tests.control_plane.member import Keys, administering, calling, enrolled
from tests.support.clock import StillClock

A_DAY = timedelta(days=1)
NO_ENTRY = (aiohttp.ClientError, ConnectionError)


def csr(keys: Keys) -> bytes:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "east")])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(keys.identity, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM)


async def our_authority(plane: ControlPlane, clock: StillClock) -> Authority:
    state = await asyncio.to_thread(lambda: open_state(plane.services.settings, now=clock.now()))
    return state.authority


async def refused_by_tls(plane: ControlPlane, context: ssl.SSLContext) -> bool:
    async with calling(plane.agents_url, context) as stranger:
        try:
            await stranger.poll()
        except NO_ENTRY:
            return True
    return False


async def test_without_a_certificate_tls_ends_the_call(plane: ControlPlane) -> None:
    assert await refused_by_tls(plane, ssl.create_default_context(cafile=str(plane.ca_file)))


async def test_a_certificate_of_another_authority_does_not_count(plane: ControlPlane, clock: StillClock) -> None:
    keys, other = Keys(), Authority.create(Validity(clock.now(), A_DAY))
    chain = other.client_certificate(csr(keys), "east", validity=Validity(clock.now(), A_DAY)).chain
    assert await refused_by_tls(plane, keys.context(plane.ca_file, chain))


async def test_an_expired_certificate_does_not_count(plane: ControlPlane, clock: StillClock) -> None:
    keys, ours = Keys(), await our_authority(plane, clock)
    long_ago = Validity(clock.now() - 2 * A_DAY, A_DAY)
    chain = ours.client_certificate(csr(keys), "east", validity=long_ago).chain
    assert await refused_by_tls(plane, keys.context(plane.ca_file, chain))


async def test_the_servers_own_certificate_is_no_agents(plane: ControlPlane) -> None:
    context = ssl.create_default_context(cafile=str(plane.ca_file))
    directory = plane.services.settings.directory
    context.load_cert_chain(directory / "server.crt", directory / "server.key")
    assert await refused_by_tls(plane, context)


async def test_a_certificate_of_ours_that_nobody_enrolled_for_does_not_count(
    plane: ControlPlane, clock: StillClock
) -> None:
    await enrolled(plane)
    keys, ours = Keys(), await our_authority(plane, clock)
    chain = ours.client_certificate(csr(keys), "east", validity=Validity(clock.now(), A_DAY)).chain
    async with calling(plane.agents_url, keys.context(plane.ca_file, chain)) as stranger:
        refused = await stranger.poll()
    assert (refused.status, refused.code) == (403, "Forbidden")


@pytest.mark.parametrize("path", ["/admin/v1/instances", "/v1/enroll", "/v1/trust", "/"])
async def test_the_agents_door_leads_to_the_agents_calls_only(plane: ControlPlane, path: str) -> None:
    async with calling(plane.agents_url, await enrolled(plane)) as agent:
        refused = await agent.get(path)
    assert (refused.status, refused.code) == (404, "NotFound")


async def test_an_agents_certificate_has_no_admin_right(plane: ControlPlane) -> None:
    async with calling(f"{plane.admin_url}/admin/v1", await enrolled(plane)) as agent:
        refused = await agent.get("/instances")
    assert (refused.status, refused.code) == (401, "NotAuthorised")


async def test_an_admins_token_has_no_agent_right(plane: ControlPlane) -> None:
    context = ssl.create_default_context(cafile=str(plane.ca_file))
    token = await plane.admin_token()
    async with calling(plane.agents_url, context, Authorization=f"Bearer {token}") as admin:
        with pytest.raises(NO_ENTRY):
            await admin.poll()


async def test_an_enrolment_token_has_no_admin_right(plane: ControlPlane) -> None:
    async with administering(plane, await plane.create_token("east")) as agent:
        assert (await agent.get("/instances")).status == 401


@pytest.mark.parametrize("listener", ["agents", "admin", "enrol"])
async def test_who_does_not_trust_our_authority_does_not_talk_to_us(plane: ControlPlane, listener: str) -> None:
    async with calling(getattr(plane, f"{listener}_url"), ssl.create_default_context()) as stranger:
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await stranger.get("/v1/trust")


@pytest.mark.parametrize("listener", ["agents", "admin", "enrol"])
async def test_old_tls_is_not_spoken(plane: ControlPlane, listener: str) -> None:
    context = ssl.create_default_context(cafile=str(plane.ca_file))
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    async with calling(getattr(plane, f"{listener}_url"), context) as stranger:
        with pytest.raises(NO_ENTRY):
            await stranger.get("/v1/trust")
