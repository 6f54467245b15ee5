"""The way to the control plane: a poll's round trip over mutual TLS, and judging an index. No cluster takes part.

Beside each figure stands its floor: the same bytes by a bare client under the same identity, and the arithmetic alone.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from agent import __version__
from agent.loops.pace import SystemClock
from agent.settings import ClusterSettings, UplinkSettings
from agent.uplink.client import HttpUplink
from agent.uplink.enrol import enrol
from agent.uplink.identity import Identity
from agent.uplink.trust import first_bundle
from agent.wire.envelope import INDEX_TYPE, pae
from agent.wire.index import IndexVerifier
from agent.wire.trust import TrustBundle
from bench.findings import Findings, Row, Unmeasured
from bench.scale import Scale
from bench.stage import Instance
from control_plane.server import ControlPlane

_CLUSTER = "bench-protocol"


@dataclass(frozen=True, slots=True)
class _Member:
    """An enrolled member of the cluster, as the control plane and the wire see it."""

    uplink: UplinkSettings
    identity: Identity
    trust: TrustBundle


async def measure(plane: ControlPlane, directory: Path, findings: Findings, *, scale: Scale) -> None:
    """Enrol, list many instances, poll, verify."""
    member = await _enrolled(plane, directory)
    for number in range(scale.listed):
        await plane.publish(_CLUSTER, Instance(f"listed-{number}").document())
    envelope = await _polls(member, findings, rounds=scale.polls)
    _judge(member.trust, envelope, findings, rounds=scale.indexes)


async def _enrolled(plane: ControlPlane, directory: Path) -> _Member:
    token = directory / "protocol-token"
    await asyncio.to_thread(token.write_text, await plane.create_token(_CLUSTER))
    uplink = UplinkSettings(
        agents_url=plane.agents_url,
        enrol_url=plane.enrol_url,
        root_fingerprint=plane.root_fingerprint,
        token_file=token,
    )
    cluster = ClusterSettings(name=_CLUSTER)
    identity, bundle = await enrol(uplink, cluster, clock=SystemClock(), version=__version__)
    return _Member(uplink, identity, first_bundle(bundle, root_fingerprint=uplink.root_fingerprint))


async def _polls(member: _Member, findings: Findings, *, rounds: int) -> bytes:
    """Poll as the agent does, and as a bare client does; returns the signed index."""
    context = await asyncio.to_thread(member.identity.ssl_context)
    url = f"{member.uplink.agents_url}/v1/desired?wait=0"
    async with (
        HttpUplink(member.uplink, member.identity, clock=SystemClock()) as uplink,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session,
    ):
        answer = await uplink.poll(etag="", wait_seconds=0)
        if answer is None:
            raise Unmeasured("the control plane gave no index")
        tag = answer.etag

        async def bare(known: str) -> None:
            headers = {"If-None-Match": known} if known else {}
            async with session.get(url, headers=headers) as response:
                await response.read()

        measured: dict[Row, Callable[[], Awaitable[object]]] = {
            Row.POLL_SAME: lambda: uplink.poll(etag=tag, wait_seconds=0),
            Row.RAW_SAME: lambda: bare(tag),
            Row.POLL_NEW: lambda: uplink.poll(etag="", wait_seconds=0),
            Row.RAW_NEW: lambda: bare(""),
        }
        for row, seconds in (await _timed(measured, rounds=rounds)).items():
            findings.add(row, "", seconds)
    return answer.envelope


async def _timed(measured: Mapping[Row, Callable[[], Awaitable[object]]], *, rounds: int) -> dict[Row, list[float]]:
    """Each call as often as there are rounds, by turns; before the first one its connection was made."""
    clock = SystemClock()
    seconds: dict[Row, list[float]] = {row: [] for row in measured}
    for call in measured.values():
        await call()
    for _ in range(rounds):
        for row, call in measured.items():
            began = clock.monotonic()
            await call()
            seconds[row].append(clock.monotonic() - began)
    return seconds


def _judge(trust: TrustBundle, envelope: bytes, findings: Findings, *, rounds: int) -> None:
    clock, verifier = SystemClock(), IndexVerifier(trust, _CLUSTER)
    verified: list[float] = []
    checked: list[float] = []
    for _ in range(rounds):
        began = clock.monotonic()
        verifier.index(envelope, now=clock.now(), newest=None)
        middle = clock.monotonic()
        _arithmetic(trust, envelope)
        verified.append(middle - began)
        checked.append(clock.monotonic() - middle)
    findings.add(Row.VERIFIED, "", verified)
    findings.add(Row.CHECKED, "", checked)


def _arithmetic(trust: TrustBundle, envelope: bytes) -> None:
    opened = json.loads(envelope)
    payload, (signature, *_) = base64.b64decode(opened["payload"]), opened["signatures"]
    key = Ed25519PublicKey.from_public_bytes(trust.index.keys[signature["keyid"]])
    key.verify(base64.b64decode(signature["sig"]), pae(payload, INDEX_TYPE))
    json.loads(payload)
