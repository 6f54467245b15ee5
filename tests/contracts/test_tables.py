"""What kubectl needs beside objects: tables to print, and a word on options before it writes."""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import aclosing
from typing import Any

import pytest

from tests.support.behaving import has, is_true, job, observed, pod, workload
from tests.support.kube import Json, Kube
from tests.support.objects import Objects, config_map

TABLE = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"}
AGE = re.compile(r"\d+s")


@pytest.fixture(autouse=True)
async def furnished(kube: Kube, objects: Objects) -> None:
    """Pods need the account that a new namespace gets a moment later."""
    await kube.until(f"/api/v1/namespaces/{objects.namespace}/serviceaccounts/default", lambda _: True)


def printed(table: Json) -> list[list[Any]]:
    """The narrow columns of a table, heads first, with ages as `*`."""
    assert (table["kind"], table["apiVersion"]) == ("Table", "meta.k8s.io/v1")
    narrow = [at for at, column in enumerate(table["columnDefinitions"]) if column["priority"] == 0]
    rows = [[column["name"] for column in table["columnDefinitions"]], *[row["cells"] for row in table["rows"]]]
    return [["*" if AGE.fullmatch(str(row[at])) else row[at] for at in narrow] for row in rows]


async def listed(objects: Objects, document: Json) -> list[list[Any]]:
    answer = await objects.kube.request("GET", objects.collection(document), headers=TABLE)
    return printed(answer.body)


async def test_pods_in_a_table(kube: Kube, objects: Objects) -> None:
    for document, phase in (
        (pod("a"), "Running"),
        (pod("b", does="crash"), "Running"),
        (pod("c", does="pending"), "Pending"),
        (pod("d", does="terminating"), "Running"),
    ):
        await objects.create(document, "ann")
        await kube.until(objects.path(document), has("status", "phase", equal=phase))
    await kube.until(objects.path(pod("a")), is_true("Ready"))
    await kube.request("DELETE", objects.path(pod("d")))
    rows = await listed(objects, pod())
    assert rows[:2] == [["Name", "Ready", "Status", "Restarts", "Age"], ["a", "1/1", "Running", "0", "*"]]
    assert rows[2][:3] == ["b", "0/1", "CrashLoopBackOff"]
    assert re.fullmatch(r"1 \(\d+s ago\)", rows[2][3])
    assert rows[3] == ["c", "0/1", "Pending", "0", "*"]
    assert rows[4] == ["d", "1/1", "Terminating", "0", "*"]
    await kube.request("DELETE", objects.path(pod("d")), {"gracePeriodSeconds": 0})


async def test_workloads_in_tables(kube: Kube, objects: Objects) -> None:
    web, db = workload("Deployment", replicas=2), workload("StatefulSet", "db")
    for document in (web, db):
        await objects.create(document, "ann")
        replicas = document["spec"]["replicas"]
        await kube.until(objects.path(document), observed(readyReplicas=replicas, availableReplicas=replicas))
    assert await listed(objects, web) == [
        ["Name", "Ready", "Up-to-date", "Available", "Age"],
        ["web", "2/2", 2, 2, "*"],
    ]
    assert await listed(objects, db) == [["Name", "Ready", "Age"], ["db", "1/1", "*"]]


async def test_jobs_in_a_table(kube: Kube, objects: Objects) -> None:
    done, failed = job("done"), job("failed", does="fail", backoffLimit=0)
    running, waiting = job("running", does="running"), job("waiting", suspend=True)
    for document, condition in ((done, "Complete"), (failed, "Failed"), (waiting, "Suspended")):
        await objects.create(document, "ann")
        await kube.until(objects.path(document), is_true(condition))
    await objects.create(running, "ann")
    await kube.until(objects.path(running), has("status", "ready", equal=1))
    assert await listed(objects, done) == [
        ["Name", "Status", "Completions", "Duration", "Age"],
        ["done", "Complete", "1/1", "*", "*"],
        ["failed", "Failed", "0/1", "*", "*"],
        ["running", "Running", "0/1", "*", "*"],
        ["waiting", "Suspended", "0/1", "", "*"],
    ]


async def test_one_object_is_a_table_of_one_row(kube: Kube, objects: Objects) -> None:
    created = await objects.create(workload("Deployment", replicas=0), "ann")
    answer = await kube.request("GET", objects.path(created), headers=TABLE)
    assert printed(answer.body)[1][0] == "web"
    shown = answer.body["rows"][0]["object"]
    assert (shown["kind"], shown["metadata"]["uid"]) == ("PartialObjectMetadata", created["metadata"]["uid"])


async def test_a_watch_shows_rows(kube: Kube, objects: Objects) -> None:
    params = {"allowWatchBookmarks": "true", "sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
    async with asyncio.timeout(10), aclosing(kube.watch(objects.collection(pod()), params, headers=TABLE)) as events:
        assert (await anext(events))["type"] == "BOOKMARK"
        await objects.create(pod("late", does="pending"), "ann")
        event = await anext(events)
    assert (event["type"], event["object"]["kind"]) == ("ADDED", "Table")
    assert event["object"]["rows"][0]["cells"][0] == "late"


async def test_a_list_that_is_no_table_is_taken_as_well(kube: Kube, objects: Objects) -> None:
    await objects.create(config_map("a"), "ann")
    only = {"Accept": "application/json"}
    answer = await kube.request("GET", objects.collection(config_map()), headers=only)
    assert answer.body["kind"] == "ConfigMapList"


async def test_the_server_says_which_options_a_patch_takes(kube: Kube) -> None:
    wanted = {"Accept": "application/json"}
    index = (await kube.request("GET", "/openapi/v3", headers=wanted)).body
    # The real server says that its index were plain text.
    paths = (json.loads(index) if isinstance(index, str) else index)["paths"]
    assert {"api/v1", "apis/apps/v1", "apis/batch/v1"} <= paths.keys()
    for root, place, kind in (
        ("apis/apps/v1", "/apis/apps/v1/namespaces/{namespace}/deployments/{name}", "Deployment"),
        ("api/v1", "/api/v1/nodes/{name}", "Node"),
    ):
        document = (await kube.request("GET", paths[root]["serverRelativeURL"], headers=wanted)).body
        assert document["openapi"].startswith("3.")
        patch = document["paths"][place]["patch"]
        assert {"dryRun", "fieldManager", "fieldValidation", "force"} <= {each["name"] for each in patch["parameters"]}
        assert patch["x-kubernetes-group-version-kind"]["kind"] == kind


async def test_it_describes_nothing_else(kube: Kube) -> None:
    answer = await kube.request("GET", "/openapi/v3/apis/nobody.test.invalid/v1")
    assert answer.status == 404
