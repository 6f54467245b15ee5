"""What each fault does to a request on its way to the server and to the answer on its way back.

Here: a request goes through the faults that are switched on, first come first met, and then to the server, or not. Not
here: open streams (``streams``). Without faults there is one look at an empty tuple.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from aiohttp import web

from sandbox.faults import answers, rewrites
from sandbox.faults.asked import Asked, Sought, sought_by
from sandbox.faults.plan import FaultPlan, Running
from sandbox.faults.values import Broken, Conflicting, Gone, Halved, Refused, Slow, Stale, Unanswered

Answer = Callable[[Asked], Awaitable[web.StreamResponse]]
_CONTENT_HEADERS = {"content-length", "transfer-encoding", "date", "server"}
"""Those that are made when an answer is sent."""


async def through(plan: FaultPlan, asked: Asked, answer: Answer) -> web.StreamResponse:
    """Answer a request, or let a fault have it."""
    running = plan.running
    if not running:
        return await answer(asked)
    return await _Way(plan, sought_by(asked), answer).go(running, asked)


class _Way:
    """The way of one request through the faults."""

    def __init__(self, plan: FaultPlan, sought: Sought, answer: Answer) -> None:
        self._plan = plan
        self._sought = sought
        self._answer = answer

    async def go(self, ahead: tuple[Running, ...], asked: Asked) -> web.StreamResponse:
        """Meet the first of these that takes the request; it decides what comes after."""
        for index, running in enumerate(ahead):
            what = running.fault.what
            strike = _STRIKES.get(type(what))
            if strike and _concerns(what, self._sought, asked) and running.claim(self._sought):
                running.mark(self._sought)
                onwards = partial(self.go, ahead[index + 1 :])
                return await strike(_Met(running, self._plan, self._sought), what, asked, onwards)
        return await self._answer(asked)


class _Met:
    """A fault that meets a request."""

    def __init__(self, running: Running, plan: FaultPlan, sought: Sought) -> None:
        self.lifted = running.lifted
        self.pace = plan.pace
        self.sought = sought

    async def hang(self, asked: Asked) -> None:
        """Leave a connection open as long as the fault lasts, and break it then."""
        await self.lifted.wait()
        asked.hang_up()


def _concerns(what: Any, sought: Sought, asked: Asked) -> bool:
    if isinstance(what, Stale):
        return sought.verb in {"get", "list"} and bool(sought.resource) and "/" not in sought.resource
    if isinstance(what, Conflicting):
        return rewrites.contested(asked) is not None
    if isinstance(what, Gone):
        pages = "continue" in asked.query or asked.query.get("resourceVersionMatch") == "Exact"
        return (sought.verb == "watch" and what.as_status) or (sought.verb == "list" and pages)
    whole = isinstance(what, Halved) or (isinstance(what, Unanswered | Broken) and what.effect)
    return not (whole and sought.streams)


async def _refuse(_met: _Met, what: Refused, _asked: Asked, _onwards: Answer) -> web.StreamResponse:
    return answers.refusal(what)


async def _delay(met: _Met, what: Slow, asked: Asked, onwards: Answer) -> web.StreamResponse:
    await met.pace.wait(met.lifted, what.seconds)
    return await onwards(asked)


async def _leave_open(met: _Met, what: Unanswered, asked: Asked, onwards: Answer) -> web.StreamResponse:
    if what.effect:
        await onwards(asked)
    await met.hang(asked)
    return web.Response()


async def _break(_met: _Met, what: Broken, asked: Asked, onwards: Answer) -> web.StreamResponse:
    if what.effect:
        await onwards(asked)
    asked.hang_up()
    return web.Response()


async def _halve(met: _Met, what: Halved, asked: Asked, onwards: Answer) -> web.StreamResponse:
    answer = await onwards(asked)
    if not isinstance(answer, web.Response) or not isinstance(answer.body, bytes):
        return answer
    kept = {name: value for name, value in answer.headers.items() if name.lower() not in _CONTENT_HEADERS}
    begun = web.StreamResponse(status=answer.status, headers=kept)
    begun.content_length = len(answer.body)
    await begun.prepare(asked.request)
    await begun.write(answer.body[: int(len(answer.body) * what.share)])
    if what.hangs:
        await met.lifted.wait()
    asked.hang_up()
    return begun


async def _outdate(met: _Met, what: Stale, asked: Asked, onwards: Answer) -> web.StreamResponse:
    if met.sought.verb == "get":
        return rewrites.only_item(await onwards(rewrites.stale_get(asked, met.sought, what.version)), met.sought)
    older = rewrites.stale_list(asked, what.version)
    return await onwards(older) if isinstance(older, Asked) else older


async def _expire(met: _Met, _what: Gone, asked: Asked, _onwards: Answer) -> web.StreamResponse:
    if met.sought.verb == "watch":
        return answers.answered(answers.expired_watch(asked, begun=False))
    return answers.answered(answers.expired_list(asked))


async def _contest(_met: _Met, _what: Conflicting, asked: Asked, onwards: Answer) -> web.StreamResponse:
    changed = rewrites.contested(asked)
    assert changed is not None
    return await onwards(changed)


_STRIKES: dict[type, Callable[[_Met, Any, Asked, Answer], Awaitable[web.StreamResponse]]] = {
    Refused: _refuse,
    Slow: _delay,
    Unanswered: _leave_open,
    Broken: _break,
    Halved: _halve,
    Stale: _outdate,
    Gone: _expire,
    Conflicting: _contest,
}
