"""Two processes of one agent, and what is done to them: stopped until the other leads, or killed and begun anew."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from agent.cluster.client import Request
from agent.loops.pace import SystemClock
from agent.model.errors import Missing
from agent.settings import Settings
from tests.support.journey import Journey, ready
from tests.support.process import start_agent

PATIENCE_SECONDS = 60


class Ended(Exception):
    """A process ended by itself."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What was done to a leader, and when."""

    kind: str
    at: datetime
    victim: str


@dataclass(slots=True)
class Replica:
    """One process, and the lines of its log."""

    process: asyncio.subprocess.Process
    said: list[dict[str, Any]] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    last_words: str = ""
    """The line that tells why it ended, once it ended by itself."""

    @property
    def leads(self) -> bool:
        """Whether it said so last."""
        words = [line["event"] for line in self.said if line["event"] in {"leadership_taken", "leadership_lost"}]
        return words[-1:] == ["leadership_taken"]

    @property
    def holder(self) -> str:
        """Its name in the Lease, once it led."""
        return next((str(line["holder"]) for line in self.said if line["event"] == "leadership_taken"), "")

    async def read(self) -> None:
        """Take in what it says until it ends."""
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            if line.startswith(b"{"):
                self.said.append(json.loads(line))
            else:
                self.last_words = line.decode()
            self.news.set()

    async def says(self, *events: str, after: int = 0) -> None:
        """Wait until it said one of these, not counting its first ``after`` lines. Raises Ended where it ended."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not any(line["event"] in events for line in self.said[after:]):
                if self.last_words:
                    raise Ended(self.last_words)
                self.news.clear()
                await self.news.wait()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)


@dataclass(slots=True)
class Pair:
    """A journey whose agent runs twice, and one instance whose document keeps changing."""

    path: Journey
    chance: random.Random
    readers: asyncio.TaskGroup
    instance_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    replicas: list[Replica] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    clock: SystemClock = field(default_factory=SystemClock)

    @property
    def settings(self) -> Settings:
        """Both run with these."""
        return self.path.settings(lease={}, report={"seconds": 5}, spool={"directory": None})

    async def begin(self) -> Replica:
        """Start one more process and wait until it leads or stands by."""
        while True:
            replica = Replica(await start_agent(self.settings, self.path.directory))
            self.readers.create_task(replica.read())
            self.replicas.append(replica)
            try:
                await replica.says("leadership_taken", "stood_by")
            except Ended as ended:
                if "does not answer" not in str(ended):  # a kubelet would start it again, too
                    raise
                self.replicas.remove(replica)
            else:
                return replica

    async def leader(self) -> Replica:
        """Who leads, or will in a moment: on a busy machine a leader may lapse without our doing."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not (leading := [replica for replica in self.replicas if replica.leads]):
                await self._pause(0.05, 0.05)
        return leading[0]

    async def live(self, points: int) -> None:
        """Go through so many faults while the document changes; in the end everything is as the last one wants it."""
        await self.begin()
        await self.path.publish(self.instance_id)
        await self.path.told(self.instance_id, ready)
        await self.begin()
        async with asyncio.TaskGroup() as group:
            churning = group.create_task(self._churn())
            for _ in range(points):
                await self._fault()
            churning.cancel()
        revision = await self.path.publish(self.instance_id)
        await self.path.told(
            self.instance_id, lambda told: told.revision == revision and ready(told), seconds=PATIENCE_SECONDS
        )

    async def end(self) -> None:
        """Ask both to stop."""
        for replica in self.replicas:
            if replica.process.returncode is None:
                replica.signal(signal.SIGCONT)
                replica.signal(signal.SIGTERM)
        for replica in self.replicas:
            await replica.process.wait()

    async def _fault(self) -> None:
        await self._pause(0, 2)
        victim = await self.leader()
        [other] = [replica for replica in self.replicas if replica is not victim]
        heard, told = len(other.said), len(victim.said)
        kills = self.chance.random() < 0.3
        victim.signal(signal.SIGKILL if kills else signal.SIGSTOP)
        now = datetime.now(UTC)  # noqa: TID251 - it is compared with the API server's clock
        self.faults.append(Fault("kill" if kills else "stop", now, victim.holder))
        await other.says("leadership_taken", after=heard)
        if kills:
            await victim.process.wait()
            self.replicas.remove(victim)
            await self.begin()
            return
        await self._pause(0, 1)
        victim.signal(signal.SIGCONT)
        await victim.says("stood_by", "leadership_taken", after=told)

    async def _churn(self) -> None:
        """Change how many pods there shall be, have a queue of workers come and go, and delete things by hand."""
        while True:
            await self._pause(0.1, 0.8)
            queues = [{"name": "default", "replicas": self.chance.randint(1, 3)}]
            if self.chance.random() < 0.5:
                queues.append({"name": "extra"})
            api_server = {"replicas": self.chance.randint(1, 3)}
            await self.path.publish(
                self.instance_id, components={"apiServer": api_server, "workers": {"queues": queues}}
            )
            if self.chance.random() < 0.2:
                await self._harm()

    async def _harm(self) -> None:
        path = f"/apis/apps/v1/namespaces/af-{self.instance_id[:8]}/deployments/airflow-triggerer"
        try:
            await self.path.client.send(Request("delete", "DELETE", path, body={"kind": "DeleteOptions"}))
        except Missing:
            return

    async def _pause(self, least: float, most: float) -> None:
        await self.clock.wait(asyncio.Event(), seconds=self.chance.uniform(least, most))


@asynccontextmanager
async def a_pair(path: Journey, chance: random.Random) -> AsyncIterator[Pair]:
    """A pair whose processes end with the block."""
    async with asyncio.TaskGroup() as readers:
        pair = Pair(path, chance, readers)
        try:
            yield pair
        finally:
            await pair.end()
