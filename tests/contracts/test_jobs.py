"""Jobs: their pods do their work, or do not."""

from __future__ import annotations

import pytest

from tests.support.behaving import conditions, has, is_true, job, pod
from tests.support.kube import Json, Kube
from tests.support.objects import Objects


@pytest.fixture(autouse=True)
async def furnished(kube: Kube, objects: Objects) -> None:
    """Pods need the account that a new namespace gets a moment later."""
    await kube.until(f"/api/v1/namespaces/{objects.namespace}/serviceaccounts/default", lambda _: True)


async def pods(kube: Kube, objects: Objects) -> list[Json]:
    listed = await kube.request("GET", objects.collection(pod()), params={"labelSelector": "job-name=work"})
    found: list[Json] = listed.body["items"]
    return found


async def test_a_job_completes(kube: Kube, objects: Objects) -> None:
    created = await objects.create(job(), "ann")
    stored = await kube.until(objects.path(job()), is_true("Complete"))
    status = stored["status"]
    assert (status["succeeded"], status.get("active", 0), status["ready"]) == (1, 0, 0)
    assert {"startTime", "completionTime"} <= status.keys()
    found = conditions(stored)
    assert found["SuccessCriteriaMet"]["reason"] == found["Complete"]["reason"] == "CompletionsReached"
    assert found["Complete"]["message"] == "Reached expected number of succeeded pods"
    (worker,) = await pods(kube, objects)
    assert worker["status"]["phase"] == "Succeeded"
    assert worker["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 0
    assert worker["metadata"]["generateName"] == "work-"
    assert worker["metadata"]["labels"]["batch.kubernetes.io/controller-uid"] == created["metadata"]["uid"]
    assert worker["metadata"]["ownerReferences"][0]["kind"] == "Job"


async def test_a_job_fails_after_its_last_attempt(kube: Kube, objects: Objects) -> None:
    document = job(does="fail", backoffLimit=0)
    await objects.create(document, "ann")
    stored = await kube.until(objects.path(document), is_true("Failed"))
    found = conditions(stored)
    assert found["FailureTarget"]["reason"] == found["Failed"]["reason"] == "BackoffLimitExceeded"
    assert found["Failed"]["message"] == "Job has reached the specified backoff limit"
    assert (stored["status"]["failed"], "completionTime" in stored["status"]) == (1, False)
    (worker,) = await pods(kube, objects)
    assert worker["status"]["phase"] == "Failed"
    assert worker["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 1


async def test_a_job_that_goes_on_is_active(kube: Kube, objects: Objects) -> None:
    document = job(does="running")
    await objects.create(document, "ann")
    stored = await kube.until(objects.path(document), has("status", "ready", equal=1))
    assert stored["status"]["active"] == 1
    assert conditions(stored) == {}


async def test_several_pods_work_side_by_side(kube: Kube, objects: Objects) -> None:
    document = job(completions=3, parallelism=2)
    await objects.create(document, "ann")
    stored = await kube.until(objects.path(document), is_true("Complete"))
    assert stored["status"]["succeeded"] == 3
    assert len(await pods(kube, objects)) == 3


async def test_without_completions_all_work_until_the_first_one_is_done(kube: Kube, objects: Objects) -> None:
    document = job(parallelism=2)
    await objects.create(document, "ann")
    stored = await kube.until(objects.path(document), is_true("Complete"))
    assert 1 <= stored["status"]["succeeded"] <= 2
    assert "completions" not in stored["spec"]
    assert 1 <= len(await pods(kube, objects)) <= 2


async def test_no_more_run_than_may(kube: Kube, objects: Objects) -> None:
    document = job(does="running", completions=3, parallelism=2)
    await objects.create(document, "ann")
    await kube.until(objects.path(document), has("status", "active", equal=2))
    await kube.until(objects.path(document), has("status", "ready", equal=2))
    assert len(await pods(kube, objects)) == 2


async def test_a_suspended_job_waits(kube: Kube, objects: Objects) -> None:
    document = job(suspend=True)
    await objects.create(document, "ann")
    stored = await kube.until(objects.path(document), is_true("Suspended"))
    assert conditions(stored)["Suspended"]["reason"] == "JobSuspended"
    assert "startTime" not in stored["status"]
    assert await pods(kube, objects) == []
    await objects.patch(document, {"spec": {"suspend": False}}, "ann")
    stored = await kube.until(objects.path(document), is_true("Complete"))
    assert conditions(stored)["Suspended"]["status"] == "False"


async def test_a_finished_job_goes_after_its_time(kube: Kube, objects: Objects) -> None:
    document = job(ttlSecondsAfterFinished=1)
    await objects.create(document, "ann")
    await kube.until(objects.path(document), is_true("Complete"))
    await kube.until_gone(objects.path(document))


async def test_without_a_policy_the_pods_of_a_deleted_job_stay(kube: Kube, objects: Objects) -> None:
    await objects.create(job(), "ann")
    await kube.until(objects.path(job()), is_true("Complete"))
    answer = await kube.request("DELETE", objects.path(job()))
    assert answer.body["metadata"]["finalizers"] == ["orphan"]
    await kube.until_gone(objects.path(job()))
    (left,) = await pods(kube, objects)
    assert "ownerReferences" not in left["metadata"]


async def test_with_a_policy_they_go(kube: Kube, objects: Objects) -> None:
    await objects.create(job(), "ann")
    await kube.until(objects.path(job()), is_true("Complete"))
    (worker,) = await pods(kube, objects)
    await kube.request("DELETE", objects.path(job()), {"propagationPolicy": "Background"})
    await kube.until_gone(f"{objects.collection(pod())}/{worker['metadata']['name']}")
    assert (await kube.request("GET", objects.path(job()))).status == 404
