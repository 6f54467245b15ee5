"""Whatever goes wrong in a call, in the one shape of the wire. The unforeseen is logged, and told without detail."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from aiohttp import web

from agent.model.errors import Refused
from agent.wire.problems import Code, ErrorV1, ProblemV1
from agent.wire.refusals import Reason
from control_plane.faults import Fault, NotFound, TooLarge, Unacceptable, Unauthenticated

LOG = logging.getLogger("control_plane.web")
_LONGEST = 2000
_CODES = {404: Code.NOT_FOUND, 405: Code.METHOD_NOT_ALLOWED, 413: Code.TOO_LARGE, 415: Code.UNSUPPORTED_ENCODING}
_REFUSED: dict[str, type[Fault]] = {Reason.TOO_LARGE: TooLarge, Reason.MALFORMED: Fault}


def fault_of(error: Exception) -> Fault:
    """The error as a fault of the call, if it is one; anything else becomes an internal one, logged with its place."""
    if isinstance(error, Fault):
        return error
    if isinstance(error, Refused):
        kind = _REFUSED.get(error.reason, Unacceptable)
        return kind(error.reason, str(error), hint=error.hint)
    if isinstance(error, web.HTTPException):
        return _of_aiohttp(error)
    # The text of an unforeseen error may quote what was sent; its kind and place do not.
    LOG.error("call_failed error=%s at=%s", type(error).__name__, _place(error))
    return _Internal(Code.INTERNAL, "the control plane met an error that it did not foresee", hint="see its log")


def answer(fault: Fault) -> web.Response:
    """The answer that tells a fault."""
    message = f"{fault.path}: {fault.message}" if fault.path else fault.message
    body = ProblemV1(error=ErrorV1(code=fault.code, message=message[:_LONGEST], hint=fault.hint[:_LONGEST]))
    headers = {"WWW-Authenticate": "Bearer"} if isinstance(fault, Unauthenticated) else None
    return web.Response(status=fault.status, body=body.to_bytes(), content_type="application/json", headers=headers)


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def told_as_problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every error of a call as a problem."""
    try:
        return await handler(request)
    except Exception as error:  # noqa: BLE001 - the outermost place where one call's error can be answered
        return answer(fault_of(error))


class _Internal(Fault):
    status = HTTPStatus.INTERNAL_SERVER_ERROR


class _OfAiohttp(Fault):
    """An error that aiohttp raised itself, under its status."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(code, message)
        self.status = status


def _of_aiohttp(error: web.HTTPException) -> Fault:
    if error.status == HTTPStatus.NOT_FOUND:
        return NotFound(Code.NOT_FOUND, "there is nothing at this path")
    return _OfAiohttp(error.status, _CODES.get(error.status, Code.MALFORMED), error.reason)


def _place(error: BaseException) -> str:
    trace, place = error.__traceback__, "?"
    while trace is not None:
        place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place
