"""Faults of requests: refused, slow, unanswered, broken, halved, contested; the same with knobs and behind a proxy."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from sandbox.faults import (
    LOST_ANSWER,
    WRITES,
    Broken,
    Conflicting,
    Fault,
    FaultPlan,
    FaultyCluster,
    Halved,
    Refused,
    Slow,
    Unanswered,
    Where,
    failing,
    throttled,
    unavailable,
)
from tests.support.kube import Json, Kube, Response, connected
from tests.support.objects import APPLY_PATCH, JSON_PATCH, MERGE_PATCH, Objects, but, config_map, deployment


@pytest.fixture
async def kube(any_faulty_cluster: FaultyCluster) -> AsyncIterator[Kube]:
    """A raw client of the cluster of this turn, through its faults."""
    async with connected(any_faulty_cluster.kubeconfig) as client:
        yield client


@pytest.fixture
def objects(kube: Kube, any_faulty_namespace: str) -> Objects:
    """The objects of a namespace of this test alone."""
    return Objects(kube, any_faulty_namespace)


@pytest.fixture
def faults(any_faulty_cluster: FaultyCluster) -> FaultPlan:
    """What can go wrong on the cluster of this turn."""
    return any_faulty_cluster.faults


def here(objects: Objects, **only: Any) -> Where:
    """The requests about this test's namespace."""
    return Where(namespace=objects.namespace, **only)


async def test_a_throttled_request_is_told_when_to_come_back(objects: Objects, faults: FaultPlan) -> None:
    with faults.on(Fault(throttled(retry_after=3), here(objects), times=2)) as throttling:
        for _ in range(2):
            answer = await objects.kube.request("POST", objects.collection(config_map()), config_map())
            assert (answer.status, answer.headers["Retry-After"]) == (429, "3")
            assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
            assert answer.body == "Too many requests, please try again later.\n"
        await objects.create(config_map(), "ann")
    assert throttling.count == 2
    assert {(sought.verb, sought.resource) for sought in throttling.requests} == {("create", "configmaps")}


@pytest.mark.parametrize(
    ("what", "code", "reason"),
    [
        (failing(), 500, "InternalError"),
        (unavailable(), 503, "ServiceUnavailable"),
        (unavailable(retry_after=5), 503, "ServiceUnavailable"),
        (Refused(403, "no", reason="Forbidden"), 403, "Forbidden"),
    ],
)
async def test_a_refused_request_has_no_effect(
    objects: Objects, faults: FaultPlan, what: Refused, code: int, reason: str
) -> None:
    with faults.on(Fault(what, here(objects))):
        answer = await objects.kube.request("POST", objects.collection(config_map()), config_map())
        assert (answer.status, answer.body["kind"], answer.body["status"]) == (code, "Status", "Failure")
        assert (answer.body["reason"], answer.body["code"]) == (reason, code)
        assert answer.headers.get("Retry-After") == (str(what.retry_after) if what.retry_after else None)
    assert (await objects.kube.request("GET", objects.path(config_map()))).status == 404


@pytest.mark.parametrize(
    "only",
    [
        {"verbs": WRITES},
        {"resource": "configmaps"},
        {"name": "sett*"},
        {"agent": "contracts/"},
        {"verbs": frozenset({"patch"}), "dry_run": False},
    ],
)
async def test_a_fault_strikes_what_it_is_for_and_nothing_else(
    objects: Objects, faults: FaultPlan, only: dict[str, Any]
) -> None:
    await objects.create(config_map(), "ann")
    await objects.create(deployment("other", paused=True), "ann")
    spared = {"verbs": "GET", "resource": "deployments", "name": "deployments", "agent": "", "dry_run": "dry"}
    with faults.on(Fault(failing(), here(objects, **only))) as failure:
        params, labels = {"fieldManager": "ann"}, {"metadata": {"labels": {"a": "b"}}}
        path = objects.path(config_map())
        struck = await objects.kube.request("PATCH", path, labels, content_type=MERGE_PATCH, params=params)
        assert struck.status == 500
        how = spared[next(reversed(only))]
        headers = {"User-Agent": "other/1.0"} if not how else {}
        params |= {"dryRun": "All"} if how == "dry" else {}
        path = objects.path(deployment("other")) if how == "deployments" else path
        method, body = ("GET", None) if how == "GET" else ("PATCH", labels)
        passed = await objects.kube.request(
            method, path, body, content_type=MERGE_PATCH, params=params, headers=headers
        )
        assert passed.status == 200
    assert failure.count == 1


async def test_a_resource_is_not_its_subresource(objects: Objects, faults: FaultPlan) -> None:
    await objects.create(deployment(paused=True), "ann")
    with faults.on(Fault(failing(), here(objects, resource="deployments.apps/scale"))):
        assert (await objects.kube.request("GET", objects.path(deployment()))).status == 200
        assert (await objects.kube.request("GET", objects.path(deployment(), "scale"))).status == 500


async def test_everything_can_fail(objects: Objects, faults: FaultPlan) -> None:
    with faults.on(Fault(unavailable(), Where(agent="contracts/"))):
        for path in ("/readyz", "/apis", "/api/v1/nodes"):
            assert (await objects.kube.request("GET", path)).status == 503


async def test_the_first_ones_may_pass(objects: Objects, faults: FaultPlan) -> None:
    with faults.on(Fault(failing(), here(objects), skip=2, times=1)):
        answers = [await objects.kube.request("GET", objects.collection(config_map())) for _ in range(4)]
    assert [answer.status for answer in answers] == [200, 200, 500, 200]


async def test_chance_is_the_same_for_the_same_seed(objects: Objects, faults: FaultPlan) -> None:
    async def codes(seed: int) -> list[int]:
        with faults.on(Fault(failing(), here(objects), share=0.5, seed=seed)):
            path = objects.collection(config_map())
            return [(await objects.kube.request("GET", path)).status for _ in range(16)]

    first = await codes(1)
    assert await codes(1) == first
    assert await codes(2) != first
    assert set(first) == {200, 500}


async def test_of_two_faults_the_older_one_strikes_first(objects: Objects, faults: FaultPlan) -> None:
    with faults.on(Fault(throttled(), here(objects), times=1)), faults.on(Fault(failing(), here(objects))) as second:
        answers = [await objects.kube.request("GET", objects.collection(config_map())) for _ in range(2)]
    assert [answer.status for answer in answers] == [429, 500]
    assert second.count == 1


async def test_a_slow_request_is_carried_out_later(objects: Objects, faults: FaultPlan) -> None:
    async with asyncio.TaskGroup() as group:
        with faults.on(Fault(Slow(3600), here(objects, verbs=WRITES))) as slowness:
            creation = group.create_task(objects.create(config_map(), "ann"))
            await slowness.struck()
            assert (await objects.kube.request("GET", objects.path(config_map()))).status == 404
            assert not creation.done()
    assert (await objects.get(config_map())) == creation.result()


async def test_a_request_is_as_slow_as_it_is_told(objects: Objects, faults: FaultPlan) -> None:
    clock = asyncio.get_running_loop().time
    began = clock()
    with faults.on(Fault(Slow(0.2), here(objects))):
        await objects.create(config_map(), "ann")
    assert clock() - began >= 0.2


@pytest.mark.parametrize("effect", [False, True])
async def test_a_half_open_request_is_never_answered(objects: Objects, faults: FaultPlan, *, effect: bool) -> None:
    async with asyncio.TaskGroup() as group:
        with faults.on(Fault(Unanswered(effect=effect), here(objects, verbs=WRITES))) as silence:
            creation = group.create_task(failed(objects, "POST", config_map()))
            await silence.struck()
            if effect:
                await objects.kube.until(objects.path(config_map()), lambda _: True)
            assert not creation.done()
    assert creation.result()
    found = await objects.kube.request("GET", objects.path(config_map()))
    assert found.status == (200 if effect else 404)


@pytest.mark.parametrize("effect", [False, True])
async def test_a_connection_breaks_before_the_answer(objects: Objects, faults: FaultPlan, *, effect: bool) -> None:
    with faults.on(Fault(Broken(effect=effect), here(objects, verbs=WRITES), times=1)):
        assert await failed(objects, "POST", config_map())
        found = await objects.kube.request("GET", objects.path(config_map()))
        assert found.status == (200 if effect else 404)


async def test_a_deletion_of_which_nobody_hears_took_place(objects: Objects, faults: FaultPlan) -> None:
    await objects.create(config_map(), "ann")
    with faults.on(Fault(LOST_ANSWER, here(objects, verbs=frozenset({"delete"})))):
        assert await failed(objects, "DELETE", config_map())
    assert (await objects.kube.request("GET", objects.path(config_map()))).status == 404


@pytest.mark.parametrize("hangs", [False, True])
async def test_an_answer_stops_in_the_middle(objects: Objects, faults: FaultPlan, *, hangs: bool) -> None:
    large = config_map(a="x" * 100_000)
    async with asyncio.TaskGroup() as group:
        with faults.on(Fault(Halved(hangs=hangs), here(objects, verbs=WRITES))) as halving:
            creation = group.create_task(failed(objects, "POST", large))
            await halving.struck()
            await objects.kube.until(objects.path(large), lambda _: True)
            if not hangs:
                assert await creation
    assert creation.result()


async def failed(objects: Objects, method: str, document: Json) -> bool:
    """Whether a request breaks."""
    creates = method == "POST"
    path, body = (objects.collection(document), document) if creates else (objects.path(document), None)
    try:
        await objects.kube.request(method, path, body)
    except (aiohttp.ClientError, json.JSONDecodeError):
        return True
    return False


STEPS: list[Json] = [
    {"op": "add", "path": "/metadata/resourceVersion"},
    {"op": "add", "path": "/data", "value": {"a": "2"}},
]
SENT: list[tuple[str, str, str]] = [
    ("PUT", "application/json", "resourceVersion"),
    ("PATCH", MERGE_PATCH, "resourceVersion"),
    ("PATCH", JSON_PATCH, "resourceVersion"),
    ("PATCH", APPLY_PATCH, "resourceVersion"),
    ("PATCH", MERGE_PATCH, "uid"),
    ("DELETE", "application/json", "uid"),
    ("DELETE", "application/json", "resourceVersion"),
]


async def write(objects: Objects, method: str, form: str, condition: dict[str, str]) -> Response:
    """A write on a condition, or on none."""
    body: Any = but(config_map(a="2"), "metadata", value={"name": "settings"} | condition)
    if form == JSON_PATCH:
        body = [STEPS[0] | {"value": value} for value in condition.values()] + STEPS[1:]
    if method == "DELETE":
        body = {"preconditions": condition}
    params = {} if method == "DELETE" else {"fieldManager": "ann"}
    path = objects.path(config_map())
    return await objects.kube.request(method, path, body, content_type=form, params=params)


@pytest.mark.parametrize(("method", "form", "field"), SENT)
async def test_a_contested_write_gets_the_servers_own_conflict(
    objects: Objects, faults: FaultPlan, method: str, form: str, field: str
) -> None:
    metadata = (await objects.apply(config_map(a="1"), "ann"))["metadata"]
    with faults.on(Fault(Conflicting(), here(objects), times=2)) as contest:
        for _ in range(2):
            struck = await write(objects, method, form, {field: metadata[field]})
            assert (struck.status, struck.body["reason"]) == (409, "Conflict")
    assert contest.count == 2
    assert (await objects.get(config_map()))["metadata"] == metadata
    genuine = await write(objects, method, form, {field: metadata[field], "resourceVersion": "1"})
    assert struck.body == genuine.body
    assert (await write(objects, method, form, {field: metadata[field]})).status == 200


@pytest.mark.parametrize(("method", "form"), sorted({(method, form) for method, form, _ in SENT}))
async def test_a_write_on_no_condition_is_not_contested(
    objects: Objects, faults: FaultPlan, method: str, form: str
) -> None:
    await objects.apply(config_map(a="1"), "ann")
    with faults.on(Fault(Conflicting(), here(objects))) as contest:
        assert (await write(objects, method, form, {})).status == 200
    assert contest.count == 0


async def test_replicas_can_be_contested(objects: Objects, faults: FaultPlan) -> None:
    stored = await objects.create(deployment(paused=True), "ann")
    version = stored["metadata"]["resourceVersion"]
    scale = {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "web"}, "spec": {"replicas": 2}}
    sent = but(scale, "metadata", "resourceVersion", value=version)
    with faults.on(Fault(Conflicting(), here(objects, resource="deployments.apps/scale"))):
        answer = await objects.kube.request("PUT", objects.path(deployment(), "scale"), sent)
    assert (answer.status, answer.body["reason"]) == (409, "Conflict")


async def test_an_unreadable_write_is_left_to_the_server(objects: Objects, faults: FaultPlan) -> None:
    with faults.on(Fault(Conflicting(), here(objects))) as contest:
        answer = await objects.kube.request("PUT", objects.path(config_map()), "{")
    assert (answer.status, contest.count) == (400, 0)


async def test_waiting_for_a_strike_ends(objects: Objects, faults: FaultPlan) -> None:
    late = pytest.raises(TimeoutError, match="struck 0 of 1 times")
    with faults.on(Fault(failing(), here(objects))) as failure, late:
        await failure.struck(seconds=0.01)


@pytest.mark.parametrize("path", ["/readyz", "/api/v1/namespaces"])
async def test_without_faults_all_is_well(objects: Objects, path: str) -> None:
    assert (await objects.kube.request("GET", path)).status == 200
