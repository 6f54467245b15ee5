"""Faults as values and as a plan: who is chosen, how often, and what is left when they are switched off."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest
from aiohttp.test_utils import make_mocked_request
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.faults import Cut, End, Fault, FaultPlan, Late, Mute, Running, Slow, Sought, Where, failing
from sandbox.faults.asked import Asked, sought_by
from sandbox.faults.plan import LoopPace
from sandbox.faults.streams import relay
from tests.support.chance_faults import chance_faults
from tests.support.clock import in_loop_time

GET = Sought("get", "configmaps", "team", "settings", "agent/1.0", dry_run=False, streams=False)
WATCH = "/api/v1/namespaces/team/configmaps?watch=true"


def asked(uri: str, method: str = "GET", **headers: str) -> Asked:
    return Asked(make_mocked_request(method, uri), method, uri, headers, b"")


@pytest.mark.parametrize(
    ("method", "uri", "verb", "resource", "name"),
    [
        ("GET", "/api/v1/namespaces/team/configmaps/settings", "get", "configmaps", "settings"),
        ("GET", "/apis/apps/v1/deployments?limit=5", "list", "deployments.apps", ""),
        ("GET", "/api/v1/pods?watch=1", "watch", "pods", ""),
        ("GET", "/api/v1/namespaces/team", "get", "namespaces", "team"),
        ("PUT", "/api/v1/namespaces/team/finalize", "update", "namespaces/finalize", "team"),
        ("PATCH", "/apis/apps/v1/namespaces/team/deployments/web/scale", "patch", "deployments.apps/scale", "web"),
        ("DELETE", "/api/v1/namespaces/team/pods", "deletecollection", "pods", ""),
        ("GET", "/readyz", "get", "", ""),
    ],
)
def test_requests_are_put_into_the_words_of_audit_logs(
    method: str, uri: str, verb: str, resource: str, name: str
) -> None:
    sought = sought_by(asked(uri, method))
    assert (sought.verb, sought.resource, sought.name) == (verb, resource, name)
    assert sought.streams is (verb == "watch")


@pytest.mark.parametrize(
    ("where", "covered"),
    [
        (Where(), True),
        (Where(resource="config*", name="sett?ngs"), True),
        (Where(resource="configmaps.apps"), False),
        (Where(verbs=frozenset({"list"})), False),
        (Where(agent="agent/"), True),
        (Where(agent="1.0"), False),
        (Where(dry_run=True), False),
        (Where(namespace="team-*"), False),
    ],
)
def test_a_place_covers_what_it_says(where: Where, *, covered: bool) -> None:
    assert where.covers(GET) is covered


@given(skip=st.integers(0, 5), times=st.integers(0, 5), share=st.sampled_from([0.0, 0.4, 1.0]), seed=st.integers())
def test_a_fault_takes_no_more_than_its_times_and_none_that_it_skips(
    skip: int, times: int, share: float, seed: int
) -> None:
    fault = Fault(failing(), times=times, skip=skip, share=share, seed=seed)
    running, again = Running(fault), Running(fault)
    taken = [running.claim(GET) for _ in range(20)]
    assert taken == [again.claim(GET) for _ in range(20)]
    assert not any(taken[:skip])
    assert sum(taken) <= times
    if share == 1.0:
        assert sum(taken) == times


def test_a_share_is_about_as_large_as_it_is_said_to_be() -> None:
    running = Running(Fault(failing(), share=0.3))
    assert 250 < sum(running.claim(GET) for _ in range(1000)) < 350


def test_what_is_switched_off_takes_nothing() -> None:
    plan = FaultPlan()
    with plan.on(Fault(failing())) as failure, plan.on(Fault(Slow(1))) as slowness:
        assert plan.running == (failure, slowness)
        plan.clear()
        assert [running.lifted.is_set() for running in (failure, slowness)] == [True, True]
        assert not failure.claim(GET)
    assert not plan.running


@in_loop_time
async def test_the_loops_time_is_waited_for_or_the_event() -> None:
    clock, event = asyncio.get_running_loop().time, asyncio.Event()
    began = clock()
    await LoopPace().wait(event, 30)
    assert clock() - began == pytest.approx(30)
    event.set()
    await LoopPace().wait(event, None)


async def pieces(*chunks: bytes) -> AsyncGenerator[bytes, None]:
    for chunk in chunks:
        yield chunk


async def written(plan: FaultPlan, *chunks: bytes) -> list[bytes]:
    """What is passed on of a stream."""
    passed: list[bytes] = []

    async def write(chunk: bytes) -> None:
        passed.append(chunk)

    await relay(plan, asked(WATCH), pieces(*chunks), write)
    return passed


async def test_without_faults_pieces_are_passed_on_as_they_come() -> None:
    assert await written(FaultPlan(), b"a\nb", b"", b"\nc") == [b"a\nb", b"\nc"]


async def test_lines_are_counted_wherever_the_pieces_end() -> None:
    plan = FaultPlan()
    with plan.on(Fault(Cut(events=2))):
        assert b"".join(await written(plan, b"a\nb", b"b\nc\n", b"d\n")) == b"a\nbb\n"
    with plan.on(Fault(Cut(events=9))):
        assert b"".join(await written(plan, b"a\nb", b"b\nc")) == b"a\nbb\nc"
    with plan.on(Fault(Cut(End.WITHIN_LINE, events=1))):
        assert (await written(plan, b"a\nb\n"))[-1].startswith(b'{"type"')


async def test_a_stream_of_another_place_is_left_alone() -> None:
    plan = FaultPlan()
    elsewhere = Where(namespace="other")
    with plan.on(Fault(Cut(), elsewhere)), plan.on(Fault(Mute(), elsewhere)), plan.on(Fault(Late(), elsewhere)):
        assert await written(plan, b"a\n") == [b"a\n"]


@settings(max_examples=25)
@given(chance_faults(Where(namespace="team"), versions=["7"]))
def test_chance_makes_faults_that_end(fault: Fault) -> None:
    assert fault.times is not None
    running = Running(fault)
    assert sum(running.claim(GET) for _ in range(50)) <= fault.times
