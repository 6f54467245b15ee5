"""What agents call, over mutual TLS: desired state, documents, reports. The certificate says which cluster it is."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from aiohttp import web
from cryptography import x509

from agent.wire.documents import decode_request, encode_answer
from agent.wire.encodings import ENCODINGS, unpack
from agent.wire.frames import expect_schema, receive
from agent.wire.limits import MAX_DOCUMENTS_ANSWER_BYTES, MAX_REPORT_BYTES
from agent.wire.problems import Code
from agent.wire.reports import REPORT_SCHEMA, SEQUENCE_HEADER, STREAM_HEADER, ReportV1
from agent.wire.strict import parse_object
from control_plane.authority import serial_of
from control_plane.faults import Fault, Forbidden, NotFound, Throttled, Unsupported
from control_plane.services.assembly import Services
from control_plane.services.reporting import Batch
from control_plane.web.problems import told_as_problems

_LONGEST_STREAM = 100
_BASE64_OVERHEAD = 200
"""What a document costs in an answer beside its base64: its digest, quotes, commas, rounded up."""


class AgentCalls:
    """The handlers of the agents' listener."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def application(self) -> web.Application:
        """The listener's routes."""
        app = web.Application(middlewares=[told_as_problems], client_max_size=MAX_REPORT_BYTES)
        app.router.add_get("/v1/desired", self.desired)
        app.router.add_get("/v1/documents/{digest:[0-9a-f]{64}}", self.document)
        app.router.add_post("/v1/documents", self.documents)
        app.router.add_post("/v1/reports", self.reports)
        return app

    async def desired(self, request: web.Request) -> web.Response:
        """The signed index; with ``wait`` and ``If-None-Match``, as soon as there is another one, or 304."""
        cluster = await self._admitted(request)
        wait = wait_seconds(request.query.get("wait"), longest=self._services.settings.limits.wait_seconds)
        if self._services.news.listening(cluster) >= self._services.settings.limits.polls:
            raise Throttled(Code.THROTTLED, "too many polls of this cluster wait already", hint="close some first")
        known = _known_tag(request)
        served = await self._services.desired.newer_than(cluster, known, wait_seconds=wait)
        await self._admitted(request)  # it may have been revoked while it waited
        if served is None:
            return web.Response(status=304, headers={"ETag": f'"{known}"'})
        return web.Response(
            body=served.envelope,
            content_type="application/json",
            headers={"ETag": f'"{served.etag}"', "Cache-Control": "no-store"},
        )

    async def document(self, request: web.Request) -> web.Response:
        """One document by digest, its exact bytes."""
        digest = request.match_info["digest"]
        found = await self._services.publishing.documents(await self._admitted(request), [digest])
        if digest not in found:
            raise NotFound(Code.NOT_FOUND, f"this cluster has no document {digest}")
        return web.Response(body=found[digest], content_type="application/json")

    async def documents(self, request: web.Request) -> web.Response:
        """Many documents at once: those that exist, as many as fit."""
        cluster = await self._admitted(request)
        digests = decode_request(await request.read())
        found = await self._services.publishing.documents(cluster, digests)
        return web.Response(body=encode_answer(fitting(found)), content_type="application/json")

    async def reports(self, request: web.Request) -> web.Response:
        """One batch of reports, counted once per stream and sequence."""
        cluster = await self._admitted(request)
        encoding = request.headers.get("Content-Encoding", "").lower() or "identity"
        if encoding not in ENCODINGS:
            raise Unsupported(Code.UNSUPPORTED_ENCODING, f"reports are taken as {', '.join(ENCODINGS)}")
        stream, sequence = _position(request)
        packed = await request.read()
        raw = await asyncio.to_thread(unpack, packed, encoding, limit=MAX_REPORT_BYTES, what="report")
        data = parse_object(raw, limit=MAX_REPORT_BYTES, what="report")
        expect_schema(data, REPORT_SCHEMA)
        report, _ = receive(ReportV1, data, what="report")
        batch = Batch(cluster, stream, sequence, report, serial_of(_certificate(request)))
        fresh = await self._services.reporting.take_in(batch)
        return web.json_response({"duplicate": not fresh})

    async def _admitted(self, request: web.Request) -> str:
        return await self._services.membership.admit(_certificate(request))


def _certificate(request: web.Request) -> x509.Certificate:
    tls = request.get_extra_info("ssl_object")
    certificate = tls.getpeercert(binary_form=True) if tls is not None else None
    if certificate is None:
        raise Forbidden(Code.FORBIDDEN, "no client certificate came with the call")
    return x509.load_der_x509_certificate(certificate)


def wait_seconds(text: str | None, *, longest: float) -> float:
    """How long a poll may wait that asks for this; raises Fault if it is no whole number of seconds."""
    if text is None:
        return 0.0
    if not text.isascii() or not text.isdigit():
        raise Fault(Code.MALFORMED, "must be a whole number of seconds", path="wait")
    return min(float(text[:6]), longest)


def _known_tag(request: web.Request) -> str | None:
    tags = request.if_none_match
    return tags[0].value if tags else None


def _position(request: web.Request) -> tuple[str, int]:
    stream, sequence = request.headers.get(STREAM_HEADER, ""), request.headers.get(SEQUENCE_HEADER, "")
    if not 0 < len(stream) <= _LONGEST_STREAM or not stream.isprintable():
        raise Fault(Code.MALFORMED, f"must name the stream in 1 to {_LONGEST_STREAM} characters", path=STREAM_HEADER)
    if not sequence.isascii() or not sequence.isdigit() or len(sequence) > len(str(2**53)):
        raise Fault(Code.MALFORMED, "must be the batch's number in its stream", path=SEQUENCE_HEADER)
    return stream, int(sequence)


def fitting(found: Mapping[str, bytes]) -> dict[str, bytes]:
    """As many documents as one answer may hold; the agent asks again for the rest."""
    taken: dict[str, bytes] = {}
    room = MAX_DOCUMENTS_ANSWER_BYTES - _BASE64_OVERHEAD
    for digest, content in found.items():
        room -= (len(content) + 2) // 3 * 4 + _BASE64_OVERHEAD
        if room < 0:
            break
        taken[digest] = content
    return taken
