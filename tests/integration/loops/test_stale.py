"""What is in force stays in force when nobody vouches for it any more, and that is said."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

from agent.model.conditions import Truth
from agent.model.facts import ChangeApplied, Fact, IndexAccepted, StateRefused
from agent.wire.scalars import encode_moment
from tests.integration.loops.lives import World
from tests.integration.uplink.attacker import MovedClock
from tests.support.builders import an_entry, document_bytes
from tests.support.hostile import HostilePlane, Listener, an_index, listening


def says_stale(listener: Listener) -> tuple[Truth, str]:
    told = next(one for one in listener.statuses.conditions() if one.type == "DesiredStateStale")
    return told.status, told.reason


async def test_what_was_accepted_is_kept_beyond_its_time_and_the_staleness_is_told(world: World) -> None:
    instance_id = str(uuid.uuid5(uuid.UUID(world.id), "0"))
    raw = document_bytes(instance_id, namespace=f"af-{instance_id[:8]}")
    entry, plane, clock = an_entry(raw, instance_id), HostilePlane(), MovedClock()
    quota = f"/api/v1/namespaces/af-{instance_id[:8]}/resourcequotas/airflow-quota"

    def accepted(version: int, fact: Fact) -> bool:
        return isinstance(fact, IndexAccepted) and fact.standing.version == version

    def repaired(fact: Fact) -> bool:
        return isinstance(fact, ChangeApplied) and fact.change.ref.kind == "ResourceQuota"

    plane.say(an_index(1, [entry]), {entry.digest: raw})
    async with listening(plane, world.granted, world.namespace, clock=clock) as listener:
        await listener.facts.wait(lambda fact: accepted(1, fact), seconds=20)
        await listener.facts.wait(repaired, seconds=20)
        plane.say(b"nothing of use")
        await listener.facts.wait(lambda fact: isinstance(fact, StateRefused), seconds=20)
        assert says_stale(listener) == (Truth.FALSE, "Fresh")
        clock.ahead = timedelta(hours=2)
        plane.say(b"nothing of use either")
        await listener.facts.wait(lambda _: says_stale(listener) == (Truth.TRUE, "IndexExpired"), seconds=20)
        before = len([fact for fact in listener.facts.stated if repaired(fact)])
        await world.send("delete", "DELETE", quota)
        await listener.facts.wait(
            lambda _: len([fact for fact in listener.facts.stated if repaired(fact)]) > before, seconds=20
        )
        later = encode_moment(datetime.now(UTC) + timedelta(hours=4))  # noqa: TID251 - freshness goes by the real clock
        plane.say(an_index(2, [entry], expiresAt=later), {entry.digest: raw})
        await listener.facts.wait(lambda fact: accepted(2, fact), seconds=20)
        await listener.facts.wait(lambda _: says_stale(listener) == (Truth.FALSE, "Fresh"), seconds=20)
