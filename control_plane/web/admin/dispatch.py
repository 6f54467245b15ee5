"""One admin call performed and audited, wherever it comes from: the listener, or the command line on the directory."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from control_plane.faults import Fault
from control_plane.services.trail import Entry, Trail
from control_plane.web.admin.route import Answer, Call, Route
from control_plane.web.problems import fault_of


@dataclass(frozen=True, slots=True)
class Performed:
    """How a call ended: with an answer, or with a fault."""

    answer: Answer | None
    fault: Fault | None
    outcome: str
    """For the audit trail: the status, and the code of a fault."""

    @classmethod
    def failed(cls, error: Exception) -> Performed:
        """A call that ended with this error."""
        fault = fault_of(error)
        return cls(None, fault, f"{fault.status} {fault.code}")


async def perform(route: Route, read_call: Callable[[], Awaitable[Call]], *, trail: Trail, entry: Entry) -> Performed:
    """Perform an allowed call. One that changes something is recorded before its effect and finished after it."""
    record = await trail.begin(entry) if route.writes else None
    about = ""
    try:
        answer = await route.handler(await read_call())
        performed, about = Performed(answer, None, str(route.status)), answer.about
    except Exception as error:  # noqa: BLE001 - whatever it is, it is audited and told as a problem
        performed = Performed.failed(error)
    if record is None:
        await trail.record(entry, outcome=performed.outcome)
    else:
        await trail.finish(record, replace(entry, object=about or entry.object), outcome=performed.outcome)
    return performed
