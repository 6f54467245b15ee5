"""The judge of this suite sees what it is there to see."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sandbox.testcluster import LEASES, AuditedRequest
from tests.chaos.judge import reigns, strays

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def asked(agent: str, at: float, *, verb: str = "delete", resource: str = "pods", code: int = 200) -> AuditedRequest:
    """A request that took a tenth of a second."""
    received, finished = BEGIN + timedelta(seconds=at), BEGIN + timedelta(seconds=at + 0.1)
    return AuditedRequest(
        audit_id=f"{agent}{at}",
        user="u",
        user_agent=agent,
        verb=verb,
        resource=resource,
        namespace="home",
        name="a",
        uri="/",
        dry_run=False,
        code=code,
        received=received,
        finished=finished,
    )


def renews(agent: str, at: float, *, code: int = 200) -> AuditedRequest:
    return asked(agent, at, verb="update", resource=LEASES, code=code)


LED = reigns([renews("a", 1), renews("a", 3), renews("b", 4, code=409), renews("b", 13), renews("a", 30)], "home")


def test_reigns_begin_with_the_request_that_took_the_lease_and_end_with_the_next_one() -> None:
    assert [(reign.agent, (reign.begin - BEGIN).total_seconds()) for reign in LED] == [("a", 1), ("b", 13), ("a", 30)]
    assert LED[0].end == LED[1].begin


def test_a_write_of_who_does_not_lead_is_found_and_one_that_was_refused_is_not_held_against_him() -> None:
    good = [asked("a", 2), asked("b", 20), asked("a", 31), asked("a", 14, code=409)]
    bad = [asked("a", 14), asked("b", 12.95), asked("a", 12.95), asked("b", 30.5), asked("stranger", 2)]
    assert strays([*good, *bad], LED) == bad
