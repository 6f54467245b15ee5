"""An agent's outbox against the reference control plane: away for long, with restarts in between, and back again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from agent.loops.accepted import Accepted
from agent.loops.audit import AuditLoop
from agent.loops.outbox import Outbox
from agent.loops.pace import SystemClock
from agent.loops.report import ReportLoop, ReportPace, ReportPorts, Teller, Told
from agent.loops.results import OrderResults
from agent.loops.statuses import Statuses
from agent.loops.trust import Trust
from agent.model.errors import AgentError, Unreachable
from agent.model.facts import Fact, ReportDelayed, ReportDelivered, StateRefused
from agent.model.lease import Term
from agent.model.spool import Letter
from agent.model.status import InstanceStatus
from agent.settings import SpoolSettings
from agent.telemetry.audit import AuditTrail
from agent.uplink.client import HttpUplink
from agent.uplink.spool import DurableSpool, opened
from agent.wire.audit import read_record, verify
from agent.wire.telling import WireReports
from control_plane.cli import commands
from control_plane.server import ControlPlane
from control_plane.settings import Limits, Ports, Settings
from control_plane.store.agent_audit import RecordRow
from tests.integration.uplink.test_uplink_reference import an_instance, enrolled

CLOCK = SystemClock()
BOUND = 1024**2


@dataclass
class Way:
    """The way to the control plane, which is open or not; an answer may be lost on it. Implements the port."""

    client: HttpUplink
    open: bool = True
    loses_answers: int = 0
    batches: int = 0

    async def report(self, *, stream: str, sequence: int, body: bytes) -> None:
        if not self.open:
            raise Unreachable("the way is closed")
        await self.client.report(stream=stream, sequence=sequence, body=body)
        self.batches += 1
        if self.loses_answers > 0:
            self.loses_answers -= 1
            raise Unreachable("the answer was lost")

    def requests(self) -> dict[str, int]:
        return {}

    def failures(self) -> tuple[AgentError, ...]:
        return ()


class Heard(AuditTrail):
    """The audit trail's sink, and an event for each report that got through or did not."""

    def __init__(self) -> None:
        super().__init__(CLOCK)
        self.delayed, self.delivered = asyncio.Event(), asyncio.Event()

    def emit(self, fact: Fact) -> None:
        super().emit(fact)
        if isinstance(fact, ReportDelayed):
            self.delayed.set()
        if isinstance(fact, ReportDelivered):
            self.delivered.set()


@dataclass
class Life:
    """One life of an agent that only reports."""

    known: Statuses
    trail: Heard
    spool: DurableSpool
    way: Way

    async def happens(self, statuses: Sequence[InstanceStatus], refusals: Sequence[str] = ()) -> None:
        """Something happens, and the agent tries to tell it."""
        self.trail.delayed.clear()
        for status in statuses:
            self.known.put(status)
        for message in refusals:
            self.trail.emit(StateRefused("index", "Malformed", message))
        if not self.way.open:
            await asyncio.wait_for(self.trail.delayed.wait(), 10)


@asynccontextmanager
async def living(directory: Path, way: Way) -> AsyncIterator[Life]:
    trail, known, stop = Heard(), Statuses(), asyncio.Event()
    async with opened(SpoolSettings(directory=directory, max_bytes=BOUND), trail) as spool:
        loop = ReportLoop(
            ReportPorts(way, way, WireReports(), trail, CLOCK),  # type: ignore[arg-type]
            Told(Accepted(), known, Trust(), OrderResults()),
            Outbox(spool, batch_limit=50),
            pace=ReportPace(0.01, 0.2, 0.01, 0.05),
            teller=Teller("1", "north", Term(1, "pod")),
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(loop.run(stop))
            group.create_task(AuditLoop(trail, spool, CLOCK).run(stop))
            try:
                yield Life(known, trail, spool, way)
            finally:
                stop.set()


def status(instance_id: str, revision: int, *, words: int = 0) -> InstanceStatus:
    return InstanceStatus(instance_id, "n" + "x" * words, "ns", revision, "running", (), (), (), CLOCK.now())


def id_of(number: int) -> str:
    return str(json.loads(an_instance(number))["metadata"]["id"])


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[ControlPlane]:
    limits = Limits(status_history=100_000)
    async with ControlPlane.serve(Settings(directory=tmp_path / "plane", ports=Ports.free(), limits=limits)) as serving:
        yield serving


@pytest.fixture
async def way(plane: ControlPlane, tmp_path: Path) -> AsyncIterator[Way]:
    uplink, identity, _ = await enrolled(plane, tmp_path)
    for number in (1, 2):
        await plane.publish("north", an_instance(number))
    async with HttpUplink(uplink, identity, clock=CLOCK) as client:
        yield Way(client)


async def revisions(plane: ControlPlane, instance_id: str) -> list[int]:
    """The revisions that the control plane was told of, oldest first."""
    past = await plane.services.reporting.history("north", instance_id, limit=100_000)
    return [one.report.revision for one in reversed(past)]


async def records(plane: ControlPlane) -> list[RecordRow]:
    return await plane.services.agent_trail.page("north", after=0, limit=1000)


async def emptied(life: Life) -> None:
    async with asyncio.timeout(30):
        while life.spool.standing().waiting:
            life.trail.delivered.clear()
            await life.trail.delivered.wait()


async def outage(way: Way, directory: Path) -> None:
    """The control plane is away; the agent starts three times, and each time more is to be told than there is room."""
    way.open = False
    for start in range(3):
        async with living(directory, way) as life:
            told = range(start * 1500 + 1, (start + 1) * 1500 + 1)
            await life.spool.put([a_letter(id_of(1), number) for number in told], notes={})
            await life.happens([status(id_of(2), 10 + start)], [f"refusal {start}"])


def a_letter(instance_id: str, revision: int) -> Letter:
    return WireReports().status(status(instance_id, revision, words=300))


async def test_what_was_not_dropped_arrives_in_order_and_once_after_an_outage_with_restarts(
    plane: ControlPlane, way: Way, tmp_path: Path
) -> None:
    await outage(way, tmp_path / "spool")
    async with living(tmp_path / "spool", way) as life:
        lost = life.spool.standing().dropped
        assert (lost["health"] > 0, lost["audit"]) == (True, 0)
        assert life.spool.standing().size <= BOUND
        way.loses_answers = 2
        way.open = True
        await emptied(life)
    cluster = (await plane.services.membership.cluster("north")).cluster
    assert cluster.agent is not None
    assert cluster.agent["outbox"]["dropped"] == {"health": lost["health"]}
    seen = await revisions(plane, id_of(1))
    others = await revisions(plane, id_of(2))
    assert seen == sorted(set(seen))
    assert (seen[-1], others[-1]) == (4500, 12), "the newest of an instance is never what is dropped"
    assert len(seen) + len(others) + lost["health"] == 4503, "and what is not there was counted"


async def test_audit_records_outlive_the_statuses_of_a_long_outage(
    plane: ControlPlane, way: Way, tmp_path: Path
) -> None:
    await outage(way, tmp_path / "spool")
    way.open = True
    async with living(tmp_path / "spool", way) as life:
        await emptied(life)
    kept = await records(plane)
    messages = [read_record(row.text.encode(), what="r").record.message for row in kept]
    assert messages == [f"refusal {start}" for start in range(3)]
    assert [row.fault for row in kept] == ["", "", ""]
    assert verify(row.text.encode() for row in kept).chains == 3


async def test_an_answer_that_was_lost_makes_nothing_count_twice_over_a_restart(
    plane: ControlPlane, way: Way, tmp_path: Path
) -> None:
    one = id_of(1)
    way.loses_answers = 1
    async with living(tmp_path / "spool", way) as life:
        life.known.put(status(one, 1))
        await asyncio.wait_for(life.trail.delayed.wait(), 10)
        way.open = False
    way.open = True
    async with living(tmp_path / "spool", way) as life:
        life.known.put(status(one, 2))
        await emptied(life)
        await plane.wait_status("north", one, until=lambda told: told.revision == 2)
    assert await revisions(plane, one) == [1, 2]


async def test_records_that_come_twice_by_two_ways_are_kept_once_and_what_is_wrong_is_noted(
    plane: ControlPlane, way: Way, tmp_path: Path
) -> None:
    async with living(tmp_path / "a", way) as life:
        await life.happens([], ["first", "second", "third"])
        async with asyncio.timeout(30):
            while len(await records(plane)) < 3:
                life.trail.delivered.clear()
                await life.trail.delivered.wait()
    texts = [row.text for row in await records(plane)]
    forged = json.loads(texts[2])
    forged |= {"number": 4, "previous": "0" * 64}
    body = {
        "schema": "perigee.dev/report/v1",
        "agent": {
            "version": "1",
            "cluster": "north",
            "standing": {"epoch": 0, "version": 0},
            "observedAt": "2026-01-01T00:00:00Z",
        },
        "audit": [*texts, json.dumps(forged)],
    }
    await way.client.report(stream="another", sequence=1, body=json.dumps(body).encode())
    kept = await records(plane)
    assert [row.number for row in kept] == [1, 2, 3, 4]
    assert [bool(row.fault) for row in kept] == [False, False, False, True]


async def test_a_forged_line_of_an_export_is_found_offline(plane: ControlPlane, way: Way, tmp_path: Path) -> None:
    async with living(tmp_path / "spool", way) as life:
        await life.happens([], ["first", "second", "third"])
        async with asyncio.timeout(30):
            while len(await records(plane)) < 3:
                life.trail.delivered.clear()
                await life.trail.delivered.wait()
    app = typer.Typer()
    commands(app)

    def perigee(*arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, list(arguments))
        return done.exit_code, done.output

    where = ("--control-plane", plane.admin_url, "--ca-file", str(plane.ca_file))
    token = ("--token-file", str(plane.admin_token_file))
    code, exported = await asyncio.to_thread(perigee, "audit", "export", "--cluster", "north", *where, *token)
    assert code == 0
    assert len(exported.splitlines()) == 3
    file = tmp_path / "audit.jsonl"
    file.write_text(exported)
    assert await asyncio.to_thread(perigee, "audit", "verify", str(file)) == (
        0,
        "3 records in 1 chains are as they were written\n",
    )
    file.write_text(exported.replace("second", "secret"))
    code, said = await asyncio.to_thread(perigee, "audit", "verify", str(file))
    assert code == 6
    assert "line 3" in said
    assert "altered" in said
