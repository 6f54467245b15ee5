"""A control plane of a few lines for the uplink's tests: real TLS on loopback, answers as each test wants them."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.settings import ClusterSettings, UplinkSettings
from agent.uplink.client import HttpUplink
from agent.uplink.identity import Identity, Keys
from agent.wire.enrolment import EnrolResponseV1, decode_enrol_request, load_csr
from agent.wire.envelope import TRUST_TYPE, EnvelopeV1, SigningKey, open_envelope, sign
from agent.wire.limits import MAX_TRUST_BYTES
from agent.wire.problems import STATUS, Code, problem
from agent.wire.scalars import encode_base64
from agent.wire.trust import KeyV1, RolesV1, RoleV1, TrustBundleV1, fingerprint
from tests.support.clock import BEGIN, StillClock
from tests.support.pki import LASTING, Authority, Validity, pem

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
TOKEN = "pgt-canary-0123456789abcdef"
CLUSTER = ClusterSettings(name="north", labels={"region": "eu"})


@asynccontextmanager
async def serving(routes: Mapping[str, Handler], tls: ssl.SSLContext | None) -> AsyncIterator[str]:
    """Answer ``"GET /path"`` and the like; yields the base address."""
    app = web.Application(client_max_size=16 * 1024 * 1024)
    for route, handler in routes.items():
        method, path = route.split(" ")
        app.router.add_route(method, path, handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, auto_decompress=False)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    try:
        yield f"https://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


CA = Authority()


def settings(base: str, **more: object) -> UplinkSettings:
    return UplinkSettings.model_validate(
        {"agents_url": base, "enrol_url": base, "connect_timeout_seconds": 5, "request_timeout_seconds": 5} | more
    )


def identity(authority: Authority, *, trusts: Authority | None = None, validity: Validity = LASTING) -> Identity:
    keys = Keys.generate()
    certificate = authority.client(keys.identity.public_key(), name="north", validity=validity)
    return Identity.of(keys, chain=pem(certificate), authorities=(trusts or authority).pem)


ME = identity(CA)


@asynccontextmanager
async def uplink(routes: Mapping[str, Handler], clock: StillClock | None = None) -> AsyncIterator[HttpUplink]:
    """An uplink of ``ME`` to a control plane with these routes, over mutual TLS."""
    async with (
        serving(routes, CA.mutual()) as base,
        HttpUplink(settings(base), ME, clock=clock or StillClock()) as client,
    ):
        yield client


@dataclass
class Enroller:
    """The two calls without a client certificate. ``accepts``: the token; what it saw is kept."""

    authority: Authority = field(default_factory=Authority)
    root: SigningKey = field(default_factory=lambda: SigningKey(Ed25519PrivateKey.generate()))
    index: SigningKey = field(default_factory=lambda: SigningKey(Ed25519PrivateKey.generate()))
    accepts: str = TOKEN
    refuses_with: Code = Code.TOKEN_SPENT
    names: str = "north"
    requests: list[bytes] = field(default_factory=list)

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.root.public)

    @property
    def trust(self) -> bytes:
        bundle = TrustBundleV1(
            version=1,
            epoch=1,
            issued_at=BEGIN,
            roles=RolesV1(
                root=RoleV1(keyids=(self.root.keyid,), threshold=1),
                index=RoleV1(keyids=(self.index.keyid,), threshold=1),
            ),
            keys={
                key.keyid: KeyV1(type="ed25519", public=encode_base64(key.public)) for key in (self.root, self.index)
            },
            ca=(self.authority.pem.decode(),),
        )
        return sign(bundle.to_bytes(), TRUST_TYPE, keys=[self.root])

    def routes(self) -> dict[str, Handler]:
        return {"GET /v1/trust": self._show_trust, "POST /v1/enroll": self._enrol}

    async def _show_trust(self, _: web.Request) -> web.Response:
        return web.Response(body=self.trust, content_type="application/json")

    async def _enrol(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.requests.append(body)
        asked = decode_enrol_request(body)
        if asked.token != self.accepts:
            told = problem(self.refuses_with, "the token was used at 12:00")
            return web.Response(status=STATUS[self.refuses_with], body=told)
        return web.Response(body=self.granted(asked.csr).to_bytes())

    def granted(self, csr: str) -> EnrolResponseV1:
        public = load_csr(csr).public_key()
        certificate = self.authority.client(public, name=self.names)  # type: ignore[arg-type]
        trust: EnvelopeV1 = open_envelope(self.trust, TRUST_TYPE, limit=MAX_TRUST_BYTES)
        return EnrolResponseV1(cluster=self.names, certificate_chain=pem(certificate).decode(), trust=trust)


def token_file(folder: Path, content: str = f"{TOKEN}\n") -> Path:
    file = folder / "token"
    file.write_text(content)
    return file
