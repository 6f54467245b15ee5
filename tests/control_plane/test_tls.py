"""What the three listeners' TLS agrees to: 1.2 and newer, forward secrecy, authenticated encryption, nothing else."""

from __future__ import annotations

import asyncio
import ssl
import warnings
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import pytest

from control_plane.listeners import agents_context, open_context
from control_plane.server import ControlPlane
from control_plane.state import Paths
from tests.control_plane.member import enrolled

LISTENERS = ("agents_url", "admin_url", "enrol_url")
EVERYTHING = "ALL:COMPLEMENTOFALL:@SECLEVEL=0"
"""Whatever this OpenSSL can still do, also what it would not do by itself."""


@pytest.fixture
async def curious(plane: ControlPlane) -> ssl.SSLContext:
    """An enrolled agent that is after the weakest that it can get: its certificate is no reason to refuse it."""
    context = await enrolled(plane)
    context.set_ciphers(EVERYTHING)
    return context


def is_strong(suite: Mapping[str, Any]) -> bool:
    return bool(suite["aead"]) and suite["kea"] in {"kx-ecdhe", "kx-any"}


async def agreed(url: str, context: ssl.SSLContext) -> ssl.SSLObject | None:
    """The connection as it was agreed upon; None if the server hung up on the offer."""
    place = urlsplit(url)
    try:
        _, writer = await asyncio.open_connection(place.hostname, place.port, ssl=context)
    except (ssl.SSLError, ConnectionError):
        return None
    found = writer.get_extra_info("ssl_object")
    assert isinstance(found, ssl.SSLObject)
    writer.transport.abort()
    return found


@pytest.mark.parametrize("listener", LISTENERS)
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
async def test_older_versions_than_1_2_are_refused(
    plane: ControlPlane, curious: ssl.SSLContext, listener: str, version: ssl.TLSVersion
) -> None:
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):  # Python says itself that it is old
        curious.minimum_version = curious.maximum_version = version
    assert await agreed(getattr(plane, listener), curious) is None


@pytest.mark.parametrize("listener", LISTENERS)
async def test_who_offers_only_weak_suites_is_refused(
    plane: ControlPlane, curious: ssl.SSLContext, listener: str
) -> None:
    weak = [str(one["name"]) for one in curious.get_ciphers() if not is_strong(one)]
    assert len(weak) > 20
    curious.maximum_version = ssl.TLSVersion.TLSv1_2
    curious.set_ciphers(f"{':'.join(weak)}:@SECLEVEL=0")
    assert await agreed(getattr(plane, listener), curious) is None


@pytest.mark.parametrize("listener", LISTENERS)
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_of_all_that_is_offered_the_strong_is_chosen_and_nothing_is_compressed(
    plane: ControlPlane, curious: ssl.SSLContext, listener: str, version: ssl.TLSVersion
) -> None:
    curious.minimum_version = curious.maximum_version = version
    found = await agreed(getattr(plane, listener), curious)
    assert found is not None
    chosen = found.cipher()
    assert chosen is not None
    assert chosen[0] in {one["name"] for one in curious.get_ciphers() if is_strong(one)}
    assert found.compression() is None


@pytest.mark.parametrize("make", [agents_context, open_context], ids=["agents", "admin and enrol"])
async def test_nobody_may_renegotiate_and_every_suite_is_strong(
    plane: ControlPlane, make: Callable[[Paths], ssl.SSLContext]
) -> None:
    context = await asyncio.to_thread(make, Paths(plane.services.settings.directory))
    assert context.options & ssl.OP_NO_RENEGOTIATION
    assert context.options & ssl.OP_NO_COMPRESSION
    assert [one["name"] for one in context.get_ciphers() if not is_strong(one)] == []
