"""Faults of watches and followed logs: cut, mute, late, without history; the same with knobs and behind a proxy."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from sandbox.faults import Cut, End, Fault, FaultPlan, FaultyCluster, Gone, Late, Mute, Where
from tests.support.behaving import is_true, pod
from tests.support.faults import Ended, Heard, listening
from tests.support.kube import Kube, connected
from tests.support.objects import Objects, config_map
from tests.support.widgets import defined

WATCHES = frozenset({"watch"})
FIRST = config_map("first")


@pytest.fixture
async def kube(any_faulty_cluster: FaultyCluster) -> AsyncIterator[Kube]:
    """A raw client of the cluster of this turn, through its faults."""
    async with connected(any_faulty_cluster.kubeconfig) as client:
        yield client


@pytest.fixture
async def objects(kube: Kube, any_faulty_namespace: str) -> Objects:
    """The objects of a namespace of this test alone, the first of which is there."""
    found = Objects(kube, any_faulty_namespace)
    await found.create(FIRST, "ann")
    return found


@pytest.fixture
def faults(any_faulty_cluster: FaultyCluster) -> FaultPlan:
    """What can go wrong on the cluster of this turn."""
    return any_faulty_cluster.faults


@pytest.fixture
async def heard(objects: Objects) -> AsyncIterator[Heard]:
    """What is told of this test's namespace, from the first object on."""
    params = {"fieldSelector": "metadata.name!=kube-root-ca.crt"}
    async with listening(objects.kube, objects.collection(FIRST), params) as ear:
        await ear.until(1)
        yield ear


def here(objects: Objects) -> Where:
    return Where(verbs=WATCHES, namespace=objects.namespace)


ENDS = [(End.CLEAN, Ended.CLEAN), (End.WITHIN_LINE, Ended.WITHIN_LINE), (End.BROKEN, Ended.BROKEN)]


@pytest.mark.parametrize(("end", "ended"), ENDS)
async def test_an_open_watch_is_cut(objects: Objects, faults: FaultPlan, heard: Heard, end: End, ended: Ended) -> None:
    with faults.on(Fault(Cut(end), here(objects))) as cut:
        assert await heard.end() is ended
        assert cut.count == 1
    assert heard.told == [("ADDED", "first")]


@pytest.mark.parametrize(("end", "ended"), ENDS)
async def test_a_watch_is_cut_after_so_many_events(
    objects: Objects, faults: FaultPlan, heard: Heard, end: End, ended: Ended
) -> None:
    with faults.on(Fault(Cut(end, events=2), here(objects))) as cut:
        for name in ("second", "third"):
            await objects.create(config_map(name), "ann")
        await cut.struck()
        assert await heard.end() is ended
    assert heard.told == [("ADDED", "first"), ("ADDED", "second"), ("ADDED", "third")]


async def test_watches_that_begin_are_cut_so_many_times(objects: Objects, faults: FaultPlan) -> None:
    params = {"fieldSelector": "metadata.name=first", "timeoutSeconds": "1"}
    with faults.on(Fault(Cut(events=1), here(objects), times=2)) as cut:
        for count in (1, 2, 2):
            async with asyncio.timeout(10), aclosing(objects.kube.watch(objects.collection(FIRST), params)) as events:
                assert [event["type"] async for event in events] == ["ADDED"]
            assert cut.count == count


async def test_who_goes_on_from_the_last_event_has_all(objects: Objects, faults: FaultPlan, heard: Heard) -> None:
    with faults.on(Fault(Cut(events=1), here(objects), times=1)):
        second = await objects.create(config_map("second"), "ann")
        third = await objects.create(config_map("third"), "ann")
        assert await heard.end() is Ended.CLEAN
        assert heard.events[-1]["object"] == second
        params = {"resourceVersion": second["metadata"]["resourceVersion"]}
        async with listening(objects.kube, objects.collection(FIRST), params) as again:
            assert (await again.until(1))[0]["object"] == third


async def test_other_watches_go_on(objects: Objects, faults: FaultPlan, heard: Heard) -> None:
    with faults.on(Fault(Cut(), Where(verbs=WATCHES, namespace="another"))) as cut:
        await objects.create(config_map("second"), "ann")
        await heard.until(2)
    assert cut.count == 0


async def test_a_fault_that_was_lifted_cuts_nothing(objects: Objects, faults: FaultPlan, heard: Heard) -> None:
    with faults.on(Fault(Cut(events=2), here(objects))) as cut:
        await objects.create(config_map("second"), "ann")
        await heard.until(2)
    await objects.create(config_map("third"), "ann")
    await objects.create(config_map("fourth"), "ann")
    await heard.until(4)
    assert cut.count == 0


async def test_a_mute_watch_is_open_and_says_nothing(objects: Objects, faults: FaultPlan, heard: Heard) -> None:
    with faults.on(Fault(Mute(), here(objects), times=1)) as silence:
        await silence.struck()
        await objects.create(config_map("second"), "ann")
        async with listening(objects.kube, objects.collection(FIRST), {}) as other:
            await other.until(2)
        assert heard.told == [("ADDED", "first")]
    assert await heard.end() is Ended.BROKEN
    assert heard.told == [("ADDED", "first")]


async def test_a_watch_falls_silent_after_so_many_events(objects: Objects, faults: FaultPlan, heard: Heard) -> None:
    with faults.on(Fault(Mute(events=1), here(objects))) as silence:
        await objects.create(config_map("second"), "ann")
        await silence.struck()
        await objects.create(config_map("third"), "ann")
    assert await heard.end() is Ended.BROKEN
    assert heard.told == [("ADDED", "first"), ("ADDED", "second")]


async def test_late_events_come_in_their_order(objects: Objects, faults: FaultPlan, heard: Heard) -> None:
    with faults.on(Fault(Late(), here(objects), times=1)) as lag:
        await objects.create(config_map("second"), "ann")
        await lag.struck()
        await objects.create(config_map("third"), "ann")
        async with listening(objects.kube, objects.collection(FIRST), {}) as other:
            await other.until(3)
        assert heard.told == [("ADDED", "first")]
    await heard.until(3)
    assert heard.told == [("ADDED", "first"), ("ADDED", "second"), ("ADDED", "third")]


async def test_a_late_watch_can_be_cut(objects: Objects, faults: FaultPlan, heard: Heard) -> None:
    with faults.on(Fault(Late(), here(objects))) as lag:
        await objects.create(config_map("second"), "ann")
        await lag.struck()
        with faults.on(Fault(Cut(), here(objects))):
            assert await heard.end() is Ended.CLEAN
    assert heard.told == [("ADDED", "first")]


async def test_history_is_gone_as_the_real_server_says_it(objects: Objects, faults: FaultPlan) -> None:
    """A kind has no history from before it was defined: that is how to get a genuine answer."""
    async with defined(objects.kube, objects.namespace) as widgets:
        params = {"resourceVersion": "1"}
        async with aclosing(objects.kube.watch(widgets.collection, params)) as events:
            genuine = await anext(events)
        with faults.on(Fault(Gone(), here(objects))):
            async with aclosing(objects.kube.watch(objects.collection(FIRST), params)) as events:
                found = [event async for event in events]
    assert len(found) == 1
    assert strip(found[0]["object"]["message"]) == strip(genuine["object"]["message"])
    assert found[0] | {"object": {}} == genuine | {"object": {}}
    assert found[0]["object"] | {"message": ""} == genuine["object"] | {"message": ""}


def strip(message: str) -> str:
    """A message without the versions that it names."""
    return "".join(letter for letter in message if not letter.isdigit())


async def test_history_is_lost_while_one_watches(objects: Objects, faults: FaultPlan, heard: Heard) -> None:
    with faults.on(Fault(Gone(events=1), here(objects))) as loss:
        await objects.create(config_map("second"), "ann")
        await loss.struck()
        assert await heard.end() is Ended.CLEAN
    *_, last = heard.events
    assert (last["type"], last["object"]["code"], last["object"]["reason"]) == ("ERROR", 410, "Expired")
    assert last["object"]["message"] == "The resourceVersion for the provided watch is too old."
    assert heard.told[:2] == [("ADDED", "first"), ("ADDED", "second")]


async def test_a_watch_can_be_refused_with_410(objects: Objects, faults: FaultPlan, heard: Heard) -> None:
    """As some servers behind the aggregation layer do; watches that are open stay open."""
    with faults.on(Fault(Gone(as_status=True), here(objects))) as loss:
        params = {"watch": "true", "resourceVersion": "7"}
        answer = await objects.kube.request("GET", objects.collection(FIRST), params=params)
        assert (answer.status, answer.body["reason"]) == (410, "Expired")
        assert answer.body["message"] == "too old resource version: 7 (8)"
        assert (await objects.kube.request("GET", objects.collection(FIRST))).status == 200
        await objects.create(config_map("second"), "ann")
        await heard.until(2)
    assert loss.count == 1


@pytest.mark.parametrize("way_to_fail", ["embedded_cluster", "embedded_proxy"], indirect=True)
async def test_a_followed_log_is_cut(objects: Objects, faults: FaultPlan) -> None:
    """The pods of a simulated node of the real cluster write no logs."""
    await objects.kube.until(f"/api/v1/namespaces/{objects.namespace}/serviceaccounts/default", lambda _: True)
    await objects.create(pod(), "ann")
    await objects.kube.until(objects.path(pod()), is_true("Ready"))
    with faults.on(Fault(Cut(), Where(resource="pods/log", namespace=objects.namespace))) as cut:
        answer = await objects.kube.request("GET", objects.path(pod(), "log"), params={"follow": "true"})
        assert (answer.status, answer.body) == (200, "")
    assert cut.count == 1
