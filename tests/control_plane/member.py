"""Somebody at a control plane's doors, over real TLS: an agent with keys of its own, or an admin with a token."""

from __future__ import annotations

import json
import ssl
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, x25519
from cryptography.x509.oid import NameOID

from agent.wire.enrolment import EnrolRequestV1, sealing_key_signature
from agent.wire.reports import SEQUENCE_HEADER, STREAM_HEADER
from agent.wire.scalars import encode_base64
from control_plane.server import ControlPlane

_NONE: Mapping[str, str] = {}
SECONDS = aiohttp.ClientTimeout(total=30)


@dataclass(frozen=True)
class Reply:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        return str(self.json["error"]["code"])


@dataclass(frozen=True)
class Keys:
    """An agent's keys, and what it asks with them."""

    identity: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def csr(self) -> str:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "whatever the agent writes")])
        csr = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(self.identity, hashes.SHA256())
        return csr.public_bytes(serialization.Encoding.PEM).decode()

    def request(self, token: str, **fields: Any) -> EnrolRequestV1:
        sealing = x25519.X25519PrivateKey.generate().public_key().public_bytes_raw()
        return EnrolRequestV1(
            token=token,
            csr=self.csr(),
            sealing_key=encode_base64(sealing),
            sealing_key_signature=sealing_key_signature(self.identity, sealing),
            **fields,
        )

    def context(self, ca_file: Path, chain: str | bytes) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(ca_file))
        pem = self.identity.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        with tempfile.NamedTemporaryFile() as file:
            Path(file.name).write_bytes(pem + (chain.encode() if isinstance(chain, str) else chain))
            context.load_cert_chain(file.name)
        return context


@dataclass(frozen=True)
class Caller:
    """A session with one of the listeners."""

    session: aiohttp.ClientSession
    base: str

    async def ask(self, method: str, path: str, **options: Any) -> Reply:
        async with self.session.request(method, f"{self.base}{path}", **options) as response:
            return Reply(response.status, response.headers, await response.read())

    async def get(self, path: str, **options: Any) -> Reply:
        return await self.ask("GET", path, **options)

    async def post(self, path: str, **options: Any) -> Reply:
        return await self.ask("POST", path, **options)

    async def poll(self, etag: str = "", *, wait: int = 0) -> Reply:
        headers = {"If-None-Match": etag} if etag else {}
        return await self.get(f"/v1/desired?wait={wait}", headers=headers)

    async def report(
        self, body: bytes, *, stream: str = "pod-1", sequence: int = 1, headers: Mapping[str, str] = _NONE
    ) -> Reply:
        named = {STREAM_HEADER: stream, SEQUENCE_HEADER: str(sequence)}
        return await self.post("/v1/reports", data=body, headers={**named, **headers})


@asynccontextmanager
async def calling(base: str, context: ssl.SSLContext, **headers: str) -> AsyncIterator[Caller]:
    """A session that ends with the block."""
    connector = aiohttp.TCPConnector(ssl=context)
    async with aiohttp.ClientSession(connector=connector, timeout=SECONDS, headers=headers) as session:
        yield Caller(session, base)


@asynccontextmanager
async def at_the_gate(plane: ControlPlane) -> AsyncIterator[Caller]:
    """Anybody, at the enrolment listener."""
    async with calling(plane.enrol_url, ssl.create_default_context(cafile=str(plane.ca_file))) as caller:
        yield caller


@asynccontextmanager
async def administering(plane: ControlPlane, token: str | None = None) -> AsyncIterator[Caller]:
    """Somebody with that bearer token (by default the first admin's) at the admin listener; empty: without one."""
    context = ssl.create_default_context(cafile=str(plane.ca_file))
    token = await plane.admin_token() if token is None else token
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with calling(f"{plane.admin_url}/admin/v1", context, **headers) as caller:
        yield caller


async def enrolled(plane: ControlPlane, cluster: str = "east", *, keys: Keys | None = None) -> ssl.SSLContext:
    """The TLS of an agent that enrolled just now."""
    keys = keys or Keys()
    return keys.context(plane.ca_file, await chain_of(plane, keys, cluster))


async def chain_of(plane: ControlPlane, keys: Keys, cluster: str = "east") -> str:
    """The certificate chain that these keys just enrolled for."""
    async with at_the_gate(plane) as gate:
        request = keys.request(await plane.create_token(cluster))
        reply = await gate.post("/v1/enroll", data=request.to_bytes())
    assert reply.status == 200, reply.body
    return str(reply.json["certificateChain"])


@asynccontextmanager
async def an_agent(plane: ControlPlane, cluster: str = "east") -> AsyncIterator[Caller]:
    """An agent that enrolled just now, at its listener."""
    async with calling(plane.agents_url, await enrolled(plane, cluster)) as caller:
        yield caller
