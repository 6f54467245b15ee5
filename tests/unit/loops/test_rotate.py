"""New keys and new trust are kept before they are used; failures are told, and tried again with growing waits."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta

from agent.loops.rotate import RotateLoop, RotatePace, RotatePorts
from agent.loops.statuses import Statuses
from agent.loops.trust import Trust
from agent.model.conditions import Condition, Truth
from agent.model.errors import AgentError, Conflict, NotAuthorised, Refused, Unreachable
from agent.model.facts import CertificateRenewed, Fact, RenewalFailed, TrustFailed, TrustFollowed
from agent.model.identity import Life
from tests.support.clock import BEGIN, StillClock

DAY = timedelta(days=1)
YOUNG, DUE = Life(BEGIN, BEGIN + 90 * DAY), Life(BEGIN - 80 * DAY, BEGIN + 10 * DAY)
OVER = Life(BEGIN - 100 * DAY, BEGIN - DAY)


class World:
    """Credentials, vault and telemetry in one, which note in which order they are used."""

    def __init__(self, life: Life = YOUNG, *, newest: int = 1) -> None:
        self.life = life
        self.trust = 1
        self.newest = newest
        self.steps: list[str] = []
        self.facts: list[Fact] = []
        self.fails: list[AgentError] = []
        self.taken = False
        self.clock = StillClock()
        self.statuses = Statuses()
        self.doubts = Trust()
        self.stop = asyncio.Event()

    async def next_trust(self) -> Mapping[str, bytes] | None:
        self._fail()
        return {"bundle": b"%d" % (self.trust + 1)} if self.trust < self.newest else None

    def believe(self, content: Mapping[str, bytes]) -> None:
        self.trust = int(content["bundle"])
        self.steps.append(f"believe {self.trust}")

    async def next_identity(self) -> Mapping[str, bytes]:
        self._fail()
        return {"tls.crt": b"new"}

    def become(self, content: Mapping[str, bytes]) -> None:
        self.steps.append(f"become {content['tls.crt'].decode()}")
        self.life = Life(self.clock.now(), self.clock.now() + 90 * DAY)

    async def identity(self) -> Mapping[str, bytes]:
        return {"tls.crt": b"theirs"}

    async def keep_identity(self, content: Mapping[str, bytes]) -> None:
        if self.taken:
            raise Conflict("somebody else wrote it")
        self.steps.append(f"keep {content['tls.crt'].decode()}")

    async def keep_trust(self, content: Mapping[str, bytes]) -> None:
        self.steps.append(f"keep {content['bundle'].decode()}")

    def emit(self, fact: Fact) -> None:
        self.facts.append(fact)

    def _fail(self) -> None:
        if self.fails:
            raise self.fails.pop(0)

    async def lived(self, waits: int = 1) -> None:
        """Let the loop live until it has waited so often."""
        ports = RotatePorts(self, self, self, _Ending(self, waits))  # type: ignore[arg-type]
        loop = RotateLoop(ports, self.statuses, self.doubts, pace=RotatePace(1, 60, 0.0))
        async with asyncio.timeout(5):
            await loop.run(self.stop)

    def condition(self, name: str) -> Condition:
        return next(one for one in self.statuses.conditions() if one.type == name)


class _Ending(StillClock):
    """The world's clock, which stops the loop after so many waits."""

    def __init__(self, world: World, waits: int) -> None:
        super().__init__(world.clock.at)
        self._world = world
        self._left = waits

    async def wait(self, event: asyncio.Event, *, seconds: float) -> bool:
        self._left -= 1
        if self._left <= 0:
            self._world.stop.set()
        self._world.clock.waits.append(seconds)
        return await super().wait(event, seconds=seconds)


async def test_every_step_of_trust_is_kept_before_it_is_believed() -> None:
    world = World(newest=3)
    await world.lived()
    assert world.steps == ["keep 2", "believe 2", "keep 3", "believe 3"]
    assert world.doubts.version == 3
    assert [fact for fact in world.facts if isinstance(fact, TrustFollowed)] == [TrustFollowed(2), TrustFollowed(3)]
    assert world.condition("TrustCurrent").message == "trust bundle 3"
    assert world.doubts.changed.is_set(), "who waits to try again need not wait any longer"


async def test_a_young_certificate_is_left_alone_and_its_end_is_told() -> None:
    world = World()
    await world.lived()
    assert world.steps == []
    told = world.condition("CertificateValid")
    assert (told.status, told.reason) == (Truth.TRUE, "Valid")
    assert YOUNG.not_after.isoformat() in told.message


async def test_a_new_identity_is_kept_before_it_is_used() -> None:
    world = World(DUE)
    await world.lived()
    assert world.steps == ["keep new", "become new"]
    assert [type(fact) for fact in world.facts] == [CertificateRenewed]


async def test_an_expired_certificate_is_renewed_at_the_start() -> None:
    world = World(OVER)
    await world.lived()
    assert world.steps == ["keep new", "become new"]


async def test_what_another_replica_kept_meanwhile_is_taken_instead_of_being_overwritten() -> None:
    world = World(DUE)
    world.taken = True
    await world.lived()
    assert world.steps == ["become theirs"]


async def test_a_renewal_that_fails_is_told_with_the_end_and_tried_again() -> None:
    world = World(DUE)
    world.fails = [Unreachable("nobody answers"), Unreachable("nobody answers")]
    await world.lived(waits=1)
    told = world.condition("CertificateValid")
    assert (told.status, told.reason) == (Truth.TRUE, "Unreachable")
    assert "renewing it fails: nobody answers" in told.message
    assert [type(fact) for fact in world.facts] == [TrustFailed, RenewalFailed]
    world.stop.clear()
    await world.lived()
    assert world.steps == ["keep new", "become new"]
    assert world.condition("CertificateValid").reason == "Valid"


async def test_over_and_shut_out_is_told_as_such() -> None:
    world = World(OVER)
    world.fails = [Refused("forged", reason="BadSignature"), NotAuthorised("revoked")]
    await world.lived()
    told = world.condition("CertificateValid")
    assert (told.status, told.reason) == (Truth.FALSE, "NotAuthorised")
    assert world.condition("TrustCurrent").reason == "BadSignature"


def test_only_what_new_keys_may_explain_makes_doubt() -> None:
    trust = Trust()
    trust.about(Unreachable("away"))
    trust.named(0)
    assert not trust.doubted.is_set()
    trust.about(Refused("unknown key", reason="BadSignature"))
    assert trust.doubted.is_set()
    later = Trust()
    later.named(1)
    assert later.doubted.is_set()


async def test_a_control_plane_that_is_away_is_not_asked_more_and_more_often() -> None:
    world = World(DUE)
    world.fails = [Unreachable("nobody answers")] * 200
    await world.lived(waits=40)
    assert len(world.fails) == 200 - 2 * 40
    assert sum(world.clock.waits[20:]) > 20 * 10, "from 1 s up to 60 s, at random"
