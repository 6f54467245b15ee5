"""What anybody may call without a certificate: to enrol with a token, to renew a certificate with the key of the last
one, and to read the signed trust bundles.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from aiohttp import web

from agent.wire.enrolment import EnrolResponseV1, decode_enrol_request
from agent.wire.envelope import TRUST_TYPE, open_envelope
from agent.wire.limits import MAX_ENROLMENT_BYTES, MAX_TRUST_BYTES
from agent.wire.problems import Code
from agent.wire.renewal import RenewResponseV1, decode_renew_request
from control_plane.faults import Fault
from control_plane.services.assembly import Services
from control_plane.services.trail import Entry
from control_plane.web.problems import answer, fault_of, told_as_problems

_MOST_DIGITS = 9


class EnrolCalls:
    """The handlers of the enrolment listener."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def application(self) -> web.Application:
        """The listener's routes."""
        app = web.Application(middlewares=[told_as_problems], client_max_size=MAX_ENROLMENT_BYTES)
        app.router.add_post("/v1/enroll", self.enrol)
        app.router.add_post("/v1/renew", self.renew)
        app.router.add_get("/v1/trust", self.trust)
        return app

    async def enrol(self, request: web.Request) -> web.Response:
        """A token and a signing request for a certificate and the trust bundle; audited, refused or not."""
        return await self._certifying(request, self._enrol)

    async def renew(self, request: web.Request) -> web.Response:
        """A request that is signed with the old key for the next certificate; audited, refused or not."""
        return await self._certifying(request, self._renew)

    async def _certifying(
        self, request: web.Request, work: Callable[[bytes], Awaitable[tuple[str, bytes]]]
    ) -> web.Response:
        entry = Entry(listener="enrol", method="POST", path=request.path, remote=request.remote or "")
        try:
            cluster, body = await work(await request.read())
        except Exception as error:  # noqa: BLE001 - whatever it is, it is audited and told as a problem
            fault = fault_of(error)
            await self._services.trail.record(entry, outcome=f"{fault.status} {fault.code}")
            return answer(fault)
        told = replace(entry, object=cluster, who=f"cluster/{cluster}")
        await self._services.trail.record(told, outcome="200")
        return web.Response(body=body, content_type="application/json")

    async def trust(self, request: web.Request) -> web.Response:
        """The newest trust bundle, or with ``version`` that one of the chain."""
        text = request.query.get("version")
        if text is not None and not (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS):
            raise Fault(Code.MALFORMED, "must be a whole number", path="version")
        envelope = await self._services.trust.envelope(None if text is None else int(text))
        return web.Response(body=envelope, content_type="application/json")

    async def _enrol(self, raw: bytes) -> tuple[str, bytes]:
        cluster, issued = await self._services.membership.enrol(decode_enrol_request(raw))
        trust = open_envelope(await self._services.trust.envelope(), TRUST_TYPE, limit=MAX_TRUST_BYTES)
        response = EnrolResponseV1(cluster=cluster, certificate_chain=issued.chain.decode(), trust=trust)
        return cluster, response.to_bytes()

    async def _renew(self, raw: bytes) -> tuple[str, bytes]:
        row = await self._services.renewals.renew(decode_renew_request(raw))
        return row.cluster, RenewResponseV1(cluster=row.cluster, certificate_chain=row.chain).to_bytes()
