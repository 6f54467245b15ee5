"""An agent whose clock is wrong: told so, served all the same, and never made to enrol again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agent.model.conditions import Truth
from agent.model.facts import IndexAccepted, StateRefused
from agent.planning.clocks import ALLOWED_SECONDS
from sandbox.testcluster import TestCluster
from tests.support.hostile import HostilePlane, Listener, an_index, listening
from tests.support.rights import Granted


def over_for(seconds: float) -> dict[str, Any]:
    """The times of an index that ended so long ago by our clock."""
    end = datetime.now(UTC) - timedelta(seconds=seconds)  # noqa: TID251 - freshness is judged by the real clock
    return {"issuedAt": _text(end - timedelta(hours=1)), "expiresAt": _text(end)}


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def in_step(listener: Listener) -> tuple[Truth, str] | None:
    condition = listener.agent_condition("ClockInStep")
    return (condition.status, condition.reason) if condition else None


async def test_an_index_that_is_over_only_by_our_clock_is_accepted_and_the_clock_is_told(
    embedded_cluster: TestCluster, embedded_namespace: str
) -> None:
    """wazuh/wazuh#38439: a skewed clock was read as a revoked agent, and led to enrolling again without end."""
    plane = HostilePlane()
    plane.skew_seconds = 120.0
    plane.say(an_index(1, [], **over_for(60)))
    async with listening(plane, Granted(embedded_cluster.kubeconfig, None), embedded_namespace) as listener:
        await listener.facts.wait(lambda fact: isinstance(fact, IndexAccepted), seconds=20)
        assert in_step(listener) == (Truth.FALSE, "ClockSkewed")
        plane.skew_seconds = 0.0
        plane.say(an_index(2, []))
        await listener.facts.wait(lambda fact: isinstance(fact, IndexAccepted) and fact.standing.version == 2)
        assert in_step(listener) == (Truth.TRUE, "WithinBound")


@pytest.mark.parametrize(
    ("skew", "over"), [(0.0, 60.0), (-120.0, 60.0), (1e6, ALLOWED_SECONDS + 60)], ids=["in step", "behind", "far ahead"]
)
async def test_an_index_that_is_over_by_more_than_the_clocks_explain_is_refused(
    embedded_cluster: TestCluster, embedded_namespace: str, skew: float, over: float
) -> None:
    plane = HostilePlane()
    plane.skew_seconds = skew
    plane.say(an_index(1, [], **over_for(over)))
    async with listening(plane, Granted(embedded_cluster.kubeconfig, None), embedded_namespace) as listener:
        fact = await listener.facts.wait(lambda fact: isinstance(fact, StateRefused), seconds=20)
        assert isinstance(fact, StateRefused)
        assert fact.reason == "IndexExpired"
