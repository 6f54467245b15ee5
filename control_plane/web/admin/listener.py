"""The admin listener: who calls, whether they may, what was called; then the call itself; then the audit trail.

The order matters. Who nobody knows learns nothing, not even which paths exist. Every call leaves a record, and one that
changes something leaves it before its effect.
"""

from __future__ import annotations

from dataclasses import replace

from aiohttp import web

from agent.wire.limits import MAX_DOCUMENT_BYTES
from agent.wire.problems import Code
from control_plane.faults import Forbidden, Unauthenticated
from control_plane.services.accounts import Caller
from control_plane.services.assembly import Services
from control_plane.services.trail import Entry
from control_plane.web.admin.dispatch import Performed, perform
from control_plane.web.admin.route import Call, Route
from control_plane.web.admin.table import ROUTES
from control_plane.web.problems import Handler, answer

_BY_NAME = {route.name: route for route in ROUTES}
_SCHEME = "bearer "
_NO_ROUTE = "(no such path)"


class AdminCalls:
    """Serves the route table."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def application(self) -> web.Application:
        """The listener's routes; every call goes through ``_serve``, also one that no route matches."""

        @web.middleware
        async def every_call(request: web.Request, handler: Handler) -> web.StreamResponse:  # noqa: ARG001 - aiohttp's
            return await self._serve(request)

        app = web.Application(middlewares=[every_call], client_max_size=MAX_DOCUMENT_BYTES)
        for route in ROUTES:
            app.router.add_route(route.method, route.pattern, self._serve, name=route.name)
        return app

    async def _serve(self, request: web.Request) -> web.Response:
        route = _BY_NAME.get(request.match_info.route.name or "")
        entry = Entry(
            listener="admin",
            method=request.method,
            path=route.template if route else _NO_ROUTE,
            object="/".join(request.match_info.values()) if route else "",
            remote=request.remote or "",
        )
        try:
            caller = await self._services.accounts.identify(_token(request))
            entry = replace(entry, who=caller.name, role=caller.role)
            allowed = _allowed(request, route, caller)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is audited and told as a problem
            refused = Performed.failed(error)
            await self._services.trail.record(entry, outcome=refused.outcome)
            return _response(None, refused)

        async def read_call() -> Call:
            return await self._call(request, allowed, caller)

        performed = await perform(allowed, read_call, trail=self._services.trail, entry=entry)
        return _response(allowed, performed)

    async def _call(self, request: web.Request, route: Route, caller: Caller) -> Call:
        return Call(
            route=route,
            services=self._services,
            caller=caller,
            path=dict(request.match_info),
            query=tuple(request.query.items()),
            raw=await request.read(),
            if_match=request.headers.get("If-Match") if route.conditional else None,
        )


def _token(request: web.Request) -> str:
    header = request.headers.get("Authorization", "")
    if not header.lower().startswith(_SCHEME):
        raise Unauthenticated(
            Code.NOT_AUTHORISED, "no bearer token came with the call", hint="send Authorization: Bearer <token>"
        )
    return header[len(_SCHEME) :].strip()


def _allowed(request: web.Request, route: Route | None, caller: Caller) -> Route:
    if route is None:
        raise request.match_info.http_exception or web.HTTPNotFound()
    if not caller.role.covers(route.needs):
        raise Forbidden(
            Code.FORBIDDEN,
            f"this call needs the role {route.needs}, and {caller.name} is {caller.role}",
            hint="ask an admin for that role, or for somebody who has it",
        )
    return route


def _response(route: Route | None, performed: Performed) -> web.Response:
    if performed.fault is not None:
        return answer(performed.fault)
    assert route is not None, "only an allowed call has an answer"
    assert performed.answer is not None, "what did not fail has an answer"
    headers = {"Cache-Control": "no-store"}
    if performed.answer.revision is not None:
        headers["ETag"] = f'"{performed.answer.revision}"'
    return web.Response(
        status=route.status, body=performed.answer.to_bytes(), content_type="application/json", headers=headers
    )
