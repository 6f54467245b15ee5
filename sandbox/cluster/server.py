"""HTTP: requests in, answers and streams out, every one of them audited.

Here: aiohttp, bearer tokens, routing between discovery, resources and watches. Not here: what the verbs do.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
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

_PUBLIC = (*discovery.HEALTH, "/version")
_LARGEST_BODY = 3 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Access:
    """How clients get in, and how often a silent watch is told the present version."""

    token: str
    bookmark_seconds: float


class Server:
    """The API server as an aiohttp application."""

    def __init__(self, api: Api, log: AuditLog, access: Access) -> None:
        self._api = api
        self._log = log
        self._access = access
        self._feeds: set[Feed] = set()

    def application(self) -> web.Application:
        """Return the application: one handler, since Kubernetes' paths are a grammar and not a list."""
        application = web.Application(client_max_size=_LARGEST_BODY)
        application.router.add_route("*", "/{path:.*}", self._handle)
        return application

    def stop_watches(self) -> None:
        """End all watches, so that the server can stop without waiting for them."""
        for feed in self._feeds:
            feed.stop()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        seen = audit.Request(
            request.method,
            request.path_qs,
            request.headers.get("User-Agent", ""),
            request.remote or "",
            micro_stamp(self._api.pace.now()),
            None,
        )
        try:
            self._admit(request)
            describes = openapi if request.path.startswith("/openapi/") else discovery
            document = describes.document(request.path, self._api.catalogue)
            if request.path in discovery.HEALTH or document is not None:
                return self._finish(seen, _plain(document))
            target = routes.parse(request.path, self._api.catalogue)
            call = await _call(request, target)
            seen = replace(seen, target=target, watching=call.flag("watch"))
            if call.flag("watch") and call.method == "GET":
                return await self._watch(request, call, seen)
            if call.flag("follow") and target.subresource == "log":
                return await self._follow(request, call, seen)
            return self._finish(seen, verbs.answer(self._api, call))
        except errors.ApiError as refusal:
            return self._finish(seen, Answer(refusal.code, encoded(refusal.status())))
        except routes.UnknownGroupError:
            return self._finish(seen, Answer(404, b"404 page not found\n", discovery.TEXT))

    def _admit(self, request: web.Request) -> None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme and token != self._access.token:
            raise errors.unauthorized()
        if not scheme and request.path not in _PUBLIC:
            raise errors.anonymous(request.method.lower(), request.path)

    def _finish(self, seen: audit.Request, answer: Answer) -> web.Response:
        self._audit(replace(seen, named=answer.named), answer.code)
        headers = {"Content-Type": answer.content_type}
        return web.Response(status=answer.code, body=answer.body, headers=headers)

    def _audit(self, seen: audit.Request, code: int) -> None:
        self._log.write(audit.record(seen, finished=micro_stamp(self._api.pace.now()), code=code))

    async def _watch(self, request: web.Request, call: Call, seen: audit.Request) -> web.StreamResponse:
        ask = asks.read(call.target.kind, call.query, watching=True)
        with self._feed() as feed:
            watch = Watch(self._api, call, ask, feed=feed, bookmark_seconds=self._access.bookmark_seconds)
            return await self._stream(request, seen, watch.chunks())

    async def _follow(self, request: web.Request, call: Call, seen: audit.Request) -> web.StreamResponse:
        first = logs.lines(self._api, call.target, call.query)
        with self._feed() as feed:
            return await self._stream(
                request, seen, logs.followed(feed, call.target, first), content_type=discovery.TEXT
            )

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
        request: web.Request,
        seen: audit.Request,
        chunks: AsyncIterator[bytes],
        *,
        content_type: str = "application/json",
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": content_type})
        try:
            await response.prepare(request)
            async for chunk in chunks:
                if chunk:
                    await response.write(chunk)
            await response.write_eof()
        finally:
            self._audit(seen, 200)
        return response


def _plain(document: dict[str, Any] | None) -> Answer:
    if document is None:
        return Answer(200, b"ok", discovery.TEXT)
    return Answer(200, encoded(document))


async def _call(request: web.Request, target: Target) -> Call:
    return Call(
        method=request.method,
        target=target,
        query=request.query,
        body=await request.read(),
        content_type=request.content_type,
        accept=request.headers.get("Accept", ""),
        agent=request.headers.get("User-Agent", ""),
    )
