"""Letters and an outbox in memory for tests, and what comes out of it."""

from __future__ import annotations

from collections.abc import Callable

from agent.loops.outbox import Outbox
from agent.model.desired import Standing
from agent.model.facts import Fact
from agent.model.spool import Letter, Priority
from agent.model.status import AgentStatus
from agent.settings import SpoolSettings
from agent.uplink.spool import DurableSpool
from agent.uplink.spoolfile import SpoolFile
from tests.support.clock import BEGIN

AGENT = AgentStatus("1", "north", Standing(1, 1), (), {}, BEGIN)


class Stated:
    """A telemetry sink that keeps what it is told."""

    def __init__(self) -> None:
        self.facts: list[Fact] = []

    def emit(self, fact: Fact) -> None:
        """Keep the fact."""
        self.facts.append(fact)


def health(subject: str, text: str = "1", *, size: int = 0) -> Letter:
    """A status of an instance, at least so long."""
    return Letter(Priority.HEALTH, f"{subject}{text}".ljust(size).encode(), subject)


def memory_spool() -> DurableSpool:
    """An outbox that is in memory by its settings."""
    return DurableSpool(SpoolSettings(directory=None), Stated(), opening=SpoolFile)


async def sent(outbox: Outbox, *, taken: Callable[[tuple[Letter, ...]], bool] | None = None) -> list[list[str]]:
    """The bodies of each batch that is taken; the others are rejected."""
    batches = []
    while (parcel := await outbox.next()) is not None:
        if taken is None or taken(parcel.batch.letters):
            batches.append([letter.body.decode().strip() for letter in parcel.batch.letters])
            await outbox.acknowledge(parcel)
        else:
            await outbox.reject(parcel)
    return batches
