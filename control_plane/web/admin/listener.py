"""The admin listener: who calls, whether they may, what was called; then the handler; then the audit trail.

The order matters. Who nobody knows learns nothing, not even which paths exist. Every call leaves a record, and one that
changes something leaves it before its effect.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from aiohttp import web

from agent.wire.frames import Frame
from agent.wire.limits import MAX_DOCUMENT_BYTES
from agent.wire.problems import Code
from agent.wire.strict import canonical
from control_plane.faults import Fault, Forbidden, Unauthenticated
from control_plane.services.accounts import Caller
from control_plane.services.assembly import Services
from control_plane.services.trail import Entry
from control_plane.web.admin.route import Answer, Call, Route
from control_plane.web.admin.table import ROUTES
from control_plane.web.problems import Handler, answer, fault_of

_BY_NAME = {route.name: route for route in ROUTES}
_SCHEME = "bearer "
_NO_ROUTE = "(no such path)"


@dataclass(frozen=True, slots=True)
class _Outcome:
    response: web.Response
    code: str
    about: str = ""


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
            refused = _failed(error)
            await self._services.trail.record(entry, outcome=refused.code)
            return refused.response
        return await self._audited(request, allowed, caller=caller, entry=entry)

    async def _audited(self, request: web.Request, route: Route, *, caller: Caller, entry: Entry) -> web.Response:
        trail = self._services.trail
        record = await trail.begin(entry) if route.writes else None
        try:
            outcome = await self._outcome(request, route, caller)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is audited and told as a problem
            outcome = _failed(error)
        if record is None:
            await trail.record(entry, outcome=outcome.code)
        else:
            await trail.finish(record, replace(entry, object=outcome.about or entry.object), outcome=outcome.code)
        return outcome.response

    async def _outcome(self, request: web.Request, route: Route, caller: Caller) -> _Outcome:
        call = Call(
            route=route,
            services=self._services,
            caller=caller,
            path=dict(request.match_info),
            query=request.query,
            raw=await request.read(),
            if_match=request.headers.get("If-Match") if route.conditional else None,
        )
        done = await route.handler(call)
        return _Outcome(_response(route, done), str(route.status), done.about)


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


def _response(route: Route, done: Answer) -> web.Response:
    body = done.frame.to_bytes() if isinstance(done.frame, Frame) else canonical(done.frame)
    headers = {"Cache-Control": "no-store"}
    if done.revision is not None:
        headers["ETag"] = f'"{done.revision}"'
    return web.Response(status=route.status, body=body, content_type="application/json", headers=headers)


def _failed(error: Exception) -> _Outcome:
    fault: Fault = fault_of(error)
    return _Outcome(answer(fault), f"{fault.status} {fault.code}")
