"""What the bench counts for itself is counted right: watches in an audit log, lines of the agent's log."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from bench.ledger import USER_AGENT, open_watches, traffic
from bench.process import every_pass, in_sync
from sandbox.testcluster import START, AuditLog


def event(number: int, stage: str, *, verb: str = "watch", code: int = 200, **more: Any) -> dict[str, Any]:
    return {
        "auditID": str(number),
        "stage": stage,
        "verb": verb,
        "userAgent": f"{USER_AGENT}1.0",
        "requestURI": "/api/v1/pods",
        "requestReceivedTimestamp": "2026-01-01T00:00:00.000000Z",
        "stageTimestamp": "2026-01-01T00:00:01.000000Z",
        "responseStatus": {"code": code},
        **more,
    }


def logged(folder: Path, events: Sequence[dict[str, Any]]) -> Path:
    log = folder / "audit.log"
    log.write_text("".join(f"{json.dumps(one)}\n" for one in events), encoding="utf-8")
    return log


async def test_a_watch_is_open_from_its_beginning_until_its_end(tmp_path: Path) -> None:
    log = logged(
        tmp_path,
        [
            event(1, "ResponseStarted"),
            event(2, "ResponseStarted"),
            event(1, "ResponseComplete"),
            event(3, "ResponseComplete", code=410),
            event(4, "ResponseStarted", userAgent="somebody-else"),
            event(5, "ResponseComplete", verb="get"),
        ],
    )
    assert await open_watches(log, START) == 1


async def test_a_log_without_beginnings_tells_nothing(tmp_path: Path) -> None:
    assert await open_watches(logged(tmp_path, [event(1, "ResponseComplete")]), START) is None


async def test_watches_and_leases_are_set_aside_and_reads_are_no_writes(tmp_path: Path) -> None:
    lease = {"resource": "leases", "apiGroup": "coordination.k8s.io"}
    events = [
        event(1, "ResponseStarted"),
        event(2, "ResponseComplete", verb="update", objectRef=lease),
        event(3, "ResponseComplete", verb="get", objectRef={"resource": "secrets"}),
        event(4, "ResponseComplete", verb="patch", objectRef={"resource": "secrets"}),
    ]
    counted = await traffic(AuditLog(logged(tmp_path, events)), START)
    assert (counted.total, counted.aside, counted.writes) == (4, 2, 1)


def test_in_sync_is_when_the_last_pass_and_the_last_report_are_through() -> None:
    lines: list[dict[str, Any]] = [
        {"event": "reconcile_finished", "instance_id": "a"},
        {"event": "report_delivered", "reports": 1},
        {"event": "report_delivered", "reports": 1},
        {"event": "reconcile_finished", "instance_id": "b"},
    ]
    judge = in_sync({"a", "b"})
    assert [judge(line) for line in lines] == [False, False, False, True]


@pytest.mark.parametrize("stranger", [{"event": "poll_answered"}, {"event": "reconcile_finished", "instance_id": "c"}])
def test_only_the_instances_asked_for_count(stranger: dict[str, Any]) -> None:
    assert not every_pass({"a"})(stranger)
