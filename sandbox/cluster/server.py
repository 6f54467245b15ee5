"""HTTP: requests in, answers and streams out, every one of them audited.

Here: aiohttp, bearer tokens, routing between discovery, resources and watches. Not here: what the verbs do, and the
faults that a request may meet before it comes here; those are in no audit log.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from aiohttp import web

from sandbox.cluster import asks, audit, discovery, errors, logs, openapi, routes, verbs
from sandbox.cluster.api import Api
from sandbox.cluster.audit import AuditLog
from sandbox.cluster.calls import Answer, Call
from sandbox.cluster.pace import micro_stamp
from sandbox.cluster.routes import Target
from sandbox.cluster.store import encoded
from sandbox.cluster.watches import Feed, Watch
from sandbox.faults import FaultPlan
from sandbox.faults.asked import Asked
from sandbox.faults.streams import relay
from sandbox.faults.strikes import through

_PUBLIC = (*discovery.HEALTH, "/version")
_LARGEST_BODY = 3 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Access:
    """How clients get in, and how often a silent watch is told the present version."""

    token: str
    bookmark_seconds: float


class Server:
    """The API server as an aiohttp application."""

    def __init__(self, api: Api, log: AuditLog, access: Access, faults: FaultPlan) -> None:
        self._faults = faults
        self._api = api
        self._log = log
        self._access = access
        self._feeds: set[Feed] = set()

    def application(self) -> web.Application:
        """Return the application: one handler, since Kubernetes' paths are a grammar and not a list."""
        application = web.Application(client_max_size=_LARGEST_BODY)
        application.router.add_route("*", "/{path:.*}", self._handle)
        return application

    def stop(self) -> None:
        """End all faults and watches, so that the server can stop without waiting for them."""
        self._faults.clear()
        for feed in self._feeds:
            feed.stop()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        return await through(self._faults, await Asked.of(request), self._answer)

    async def _answer(self, asked: Asked) -> web.StreamResponse:
        path = asked.path
        seen = audit.Request(
            asked.method,
            asked.uri,
            asked.headers.get("User-Agent", ""),
            asked.request.remote or "",
            micro_stamp(self._api.pace.now()),
            None,
        )
        try:
            self._admit(asked)
            describes = openapi if path.startswith("/openapi/") else discovery
            document = describes.document(path, self._api.catalogue)
            if path in discovery.HEALTH or document is not None:
                return self._finish(seen, _plain(document))
            target = routes.parse(path, self._api.catalogue)
            call = _call(asked, target)
            seen = replace(seen, target=target, watching=call.flag("watch"))
            if call.flag("watch") and call.method == "GET":
                return await self._watch(asked, call, seen)
            if call.flag("follow") and target.subresource == "log":
                return await self._follow(asked, call, seen)
            return self._finish(seen, verbs.answer(self._api, call))
        except errors.ApiError as refusal:
            return self._finish(seen, Answer(refusal.code, encoded(refusal.status())), refusal.headers)
        except routes.UnknownGroupError:
            return self._finish(seen, Answer(404, b"404 page not found\n", discovery.TEXT))

    def _admit(self, asked: Asked) -> None:
        scheme, _, token = asked.headers.get("Authorization", "").partition(" ")
        if scheme and token != self._access.token:
            raise errors.unauthorized()
        if not scheme and asked.path not in _PUBLIC:
            raise errors.anonymous(asked.method.lower(), asked.path)

    def _finish(
        self, seen: audit.Request, answer: Answer, headers: Mapping[str, str] = MappingProxyType({})
    ) -> web.Response:
        self._audit(replace(seen, named=answer.named), answer.code)
        typed = {"Content-Type": answer.content_type, **headers}
        return web.Response(status=answer.code, body=answer.body, headers=typed)

    def _audit(self, seen: audit.Request, code: int) -> None:
        self._log.write(audit.record(seen, finished=micro_stamp(self._api.pace.now()), code=code))

    async def _watch(self, asked: Asked, call: Call, seen: audit.Request) -> web.StreamResponse:
        ask = asks.read(call.target.kind, call.query, watching=True)
        with self._feed() as feed:
            watch = Watch(self._api, call, ask, feed=feed, bookmark_seconds=self._access.bookmark_seconds)
            return await self._stream(asked, seen, watch.chunks())

    async def _follow(self, asked: Asked, call: Call, seen: audit.Request) -> web.StreamResponse:
        first = logs.lines(self._api, call.target, call.query)
        with self._feed() as feed:
            followed = logs.followed(feed, call.target, first)
            return await self._stream(asked, seen, followed, content_type=discovery.TEXT)

    @contextmanager
    def _feed(self) -> Iterator[Feed]:
        feed = Feed(self._api)
        self._feeds.add(feed)
        try:
            yield feed
        finally:
            self._feeds.discard(feed)
            feed.close()

    async def _stream(
        self,
        asked: Asked,
        seen: audit.Request,
        chunks: AsyncGenerator[bytes, None],
        *,
        content_type: str = "application/json",
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": content_type})
        try:
            await response.prepare(asked.request)
            await relay(self._faults, asked, chunks, response.write)
            if asked.is_open:
                await response.write_eof()
        finally:
            self._audit(seen, 200)
        return response


def _plain(document: dict[str, Any] | None) -> Answer:
    if document is None:
        return Answer(200, b"ok", discovery.TEXT)
    return Answer(200, encoded(document))


def _call(asked: Asked, target: Target) -> Call:
    return Call(
        method=asked.method,
        target=target,
        query=asked.query,
        body=asked.body,
        content_type=asked.content_type,
        accept=asked.headers.get("Accept", ""),
        agent=asked.headers.get("User-Agent", ""),
    )
