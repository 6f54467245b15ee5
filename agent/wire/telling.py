"""Statuses, audit records and results of orders to the bytes of a report, piece by piece; and reports back.

A piece is encoded when it is put into the outbox, and has its bound there; a report is pieces put together, and fits
by that. Not here: the shapes (reports, audit).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

from agent.model.changes import Change
from agent.model.conditions import Condition
from agent.model.errors import Refused
from agent.model.orders import OrderResult
from agent.model.spool import Letter, Priority
from agent.model.status import AgentStatus, InstanceStatus
from agent.wire.frames import Frame, expect_schema, receive
from agent.wire.limits import MAX_REPORT_BYTES
from agent.wire.orders import LONGEST_MESSAGE, OrderResultV1
from agent.wire.refusals import Reason
from agent.wire.reports import (
    LONGEST_TEXT,
    MOST_CHANGES,
    MOST_COMPONENTS,
    MOST_CONDITIONS,
    REPORT_SCHEMA,
    AgentReportV1,
    InstanceReportV1,
    ReportV1,
)
from agent.wire.scalars import encode_moment
from agent.wire.strict import canonical, parse_object


class _Detail(NamedTuple):
    """How much of each status is told: texts of this length at most, and so many changes."""

    text: int
    changes: int


_DETAILS: Final = (_Detail(LONGEST_TEXT, MOST_CHANGES), _Detail(500, 20), _Detail(120, 0))
"""Tried in this order until the piece is small enough."""
_LARGEST_PIECE: Final = 128 * 1024
"""The agent's own part, and each status: so small that several go into one report."""


class WireReports:
    """Reports as they go over the wire. Implements the port ``ReportCodec``."""

    def status(self, status: InstanceStatus) -> Letter:
        """The status with as much detail as fits. Raises Refused where it cannot be told."""
        body = _fitting(lambda detail: _instance_report(status, detail), InstanceReportV1, what=status.id)
        return Letter(Priority.HEALTH, body, status.id)

    def report(self, *, agent: AgentStatus, letters: Sequence[Letter], orders: Sequence[OrderResult] = ()) -> bytes:
        """The canonical bytes of the report that these pieces make. Raises Refused (TooLarge) for too many."""
        head = _fitting(lambda detail: _agent_report(agent, detail), AgentReportV1, what="agent")
        statuses = [one.body for one in letters if one.priority is Priority.HEALTH]
        # Records travel as texts: what they are chained by is the digest of exact bytes.
        records = [canonical(one.body.decode()) for one in letters if one.priority is Priority.AUDIT]
        results = [_fitting(partial(_order_result, one), OrderResultV1, what=one.id) for one in orders]
        parts = (head, b",".join(records), b",".join(statuses), b",".join(results), canonical(REPORT_SCHEMA))
        raw = b'{"agent":%s,"audit":[%s],"instances":[%s],"orders":[%s],"schema":%s}' % parts
        if len(raw) > MAX_REPORT_BYTES:
            message = (
                f"{len(letters) + len(orders)} pieces need {len(raw)} bytes, more than the {MAX_REPORT_BYTES} allowed"
            )
            raise Refused(message, path="report", reason=Reason.TOO_LARGE, hint="report fewer at once")
        return raw


def decode_report(raw: bytes) -> ReportV1:
    """The report that an agent sent; fields that a newer agent adds are ignored. Raises Refused."""
    data = parse_object(raw, limit=MAX_REPORT_BYTES, what="report")
    expect_schema(data, REPORT_SCHEMA)
    return receive(ReportV1, data, what="report")[0]


def _fitting(told: Callable[[_Detail], dict[str, Any]], kind: type[Frame], *, what: str) -> bytes:
    """The piece with as much detail as fits, checked to be what may be sent."""
    for detail in _DETAILS:
        data = told(detail)
        raw = canonical(data)
        if len(raw) <= _LARGEST_PIECE:
            kind.model_validate(data, by_alias=True, by_name=False)
            return raw
    raise Refused(f"needs {len(raw)} bytes, more than the {_LARGEST_PIECE} allowed", path=what, reason=Reason.TOO_LARGE)


def _agent_report(agent: AgentStatus, detail: _Detail) -> dict[str, Any]:
    return {
        "version": agent.version,
        "cluster": agent.cluster,
        "standing": {"epoch": agent.standing.epoch, "version": agent.standing.version},
        "trustVersion": agent.trust,
        "conditions": _conditions(agent.conditions, detail),
        "requests": dict(agent.requests),
        "outbox": {
            "waiting": agent.outbox.waiting,
            "bytes": agent.outbox.size,
            "dropped": {word: lost for word, lost in agent.outbox.dropped.items() if lost},
        },
        "observedAt": encode_moment(agent.observed_at),
    }


def _instance_report(status: InstanceStatus, detail: _Detail) -> dict[str, Any]:
    return {
        "id": status.id,
        "name": status.name,
        "namespace": status.namespace,
        "revision": status.revision,
        "state": status.state,
        "conditions": _conditions(status.conditions, detail),
        "components": tuple(
            {"name": one.name, "desired": one.desired, "ready": one.ready}
            for one in status.components[:MOST_COMPONENTS]
        ),
        "changes": tuple(_change(change, detail) for change in status.changes[: detail.changes]),
        "changesOmitted": max(0, len(status.changes) - detail.changes),
        "observedAt": encode_moment(status.observed_at),
    }


def _order_result(result: OrderResult, detail: _Detail) -> dict[str, Any]:
    return {
        "id": result.id,
        "outcome": result.outcome.value,
        "reason": result.reason,
        "message": _cut(result.message, min(detail.text, LONGEST_MESSAGE)),
        "at": encode_moment(result.at),
    }


def _conditions(conditions: Iterable[Condition], detail: _Detail) -> tuple[dict[str, Any], ...]:
    return tuple(
        {
            "type": one.type,
            "status": one.status.value,
            "reason": one.reason,
            "message": _cut(one.message, detail.text),
            "since": encode_moment(one.since),
        }
        for one in tuple(conditions)[:MOST_CONDITIONS]
    )


def _change(change: Change, detail: _Detail) -> dict[str, Any]:
    ref = change.ref
    return {
        "object": {"apiVersion": ref.api_version, "kind": ref.kind, "namespace": ref.namespace, "name": ref.name},
        "action": change.action.value,
        "why": _cut(change.why, detail.text),
    }


def _cut(text: str, most: int) -> str:
    """Text that can be sent: of bounded length, and without the lone surrogates that undecodable bytes leave behind."""
    whole = text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
    return whole if len(whole) <= most else f"{whole[: most - 1]}…"
