"""Events: what programs tell of their deeds, so that a client can explain what it sees."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.behaving import is_true, job, observed, pod, template, workload
from tests.support.kube import Json, Kube
from tests.support.objects import Objects

CLAIM: Json = {
    "metadata": {"name": "data"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}


@pytest.fixture(autouse=True)
async def furnished(kube: Kube, objects: Objects) -> None:
    """Pods need the account that a new namespace gets a moment later."""
    await kube.until(f"/api/v1/namespaces/{objects.namespace}/serviceaccounts/default", lambda _: True)


async def told(objects: Objects, name: str, reason: str, *, count: int = 1) -> Json:
    """The Event of a reason about an object of this name, as soon as it was told so often."""
    fields = f"involvedObject.name={name},reason={reason}"
    path = f"/api/v1/namespaces/{objects.namespace}/events"
    async with asyncio.timeout(20):
        while True:
            listed = await objects.kube.request("GET", path, params={"fieldSelector": fields})
            for event in listed.body["items"]:
                if (event.get("count") or 1) >= count:
                    found: Json = event
                    return found


async def test_a_pod_that_no_node_takes_is_explained(objects: Objects) -> None:
    nowhere = pod(nodeSelector={"there": "none"})
    created = await objects.create(nowhere, "ann")
    event = await told(objects, "web", "FailedScheduling")
    assert "didn't match Pod's node affinity/selector" in event["message"]
    assert (event["type"], event["reportingComponent"]) == ("Warning", "default-scheduler")
    assert event.get("count") is None
    assert event["eventTime"]
    about = {"kind": "Pod", "apiVersion": "v1", "name": "web", "uid": created["metadata"]["uid"]}
    assert about.items() <= event["involvedObject"].items()


async def test_a_pod_whose_claim_waits_is_explained(objects: Objects) -> None:
    user = pod(volumes=[{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}])
    claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim"} | CLAIM
    waiting = claim | {"spec": CLAIM["spec"] | {"storageClassName": "there-is-none"}}
    await objects.create(waiting, "ann")
    await objects.create(user, "ann")
    event = await told(objects, "web", "FailedScheduling")
    assert "pod has unbound immediate PersistentVolumeClaims" in event["message"]
    assert event["type"] == "Warning"


async def test_a_pod_that_got_a_node_is_told(kube: Kube, objects: Objects) -> None:
    await objects.create(pod(), "ann")
    stored = await kube.until(objects.path(pod()), is_true("Ready"))
    event = await told(objects, "web", "Scheduled")
    node = stored["spec"]["nodeName"]
    assert event["message"] == f"Successfully assigned {objects.namespace}/web to {node}"
    assert (event["type"], event["action"]) == ("Normal", "Binding")


async def test_a_deployment_tells_of_its_sets_and_they_of_their_pods(kube: Kube, objects: Objects) -> None:
    web = workload("Deployment", replicas=1)
    await objects.create(web, "ann")
    await kube.until(objects.path(web), observed(replicas=1, readyReplicas=1))
    event = await told(objects, "web", "ScalingReplicaSet")
    replica_set = event["message"].split(" ")[4]
    assert event["message"] == f"Scaled up replica set {replica_set} from 0 to 1"
    assert event["source"] == {"component": "deployment-controller"}
    assert (event["type"], event["count"]) == ("Normal", 1)
    assert event["firstTimestamp"] == event["lastTimestamp"]
    created = await told(objects, replica_set, "SuccessfulCreate")
    assert created["message"].startswith(f"Created pod: {replica_set}-")
    await objects.patch(web, {"spec": {"replicas": 0}}, "ann")
    assert (await told(objects, replica_set, "SuccessfulDelete"))["message"].startswith("Deleted pod: ")


async def test_pods_that_cannot_be_made_are_told_again_and_again(objects: Objects) -> None:
    front = workload("ReplicaSet", "front", pods=template("front", serviceAccountName="late"))
    await objects.create(front, "ann")
    event = await told(objects, "front", "FailedCreate", count=2)
    assert event["message"] == (
        f'Error creating: pods "front-" is forbidden: error looking up service account {objects.namespace}/late: '
        'serviceaccount "late" not found'
    )
    assert (event["type"], event["source"]) == ("Warning", {"component": "replicaset-controller"})


async def test_a_stateful_set_tells_of_claims_and_pods(kube: Kube, objects: Objects) -> None:
    document = workload("StatefulSet", "db", volumeClaimTemplates=[CLAIM])
    await objects.create(document, "ann")
    await kube.until(objects.path(document), observed(replicas=1, readyReplicas=1))
    path = f"/api/v1/namespaces/{objects.namespace}/events"
    fields = "involvedObject.name=db,reason=SuccessfulCreate"
    listed = await kube.request("GET", path, params={"fieldSelector": fields})
    assert {event["message"] for event in listed.body["items"]} == {
        "Create Claim data-db-0 Pod db-0 in StatefulSet db success",
        "Create Pod db-0 in StatefulSet db successful",
    }
    await objects.patch(document, {"spec": {"replicas": 0}}, "ann")
    event = await told(objects, "db", "SuccessfulDelete")
    assert event["message"] == "Delete Pod db-0 in StatefulSet db successful"


@pytest.mark.parametrize(
    ("document", "reason", "message", "kind"),
    [
        (job(), "Completed", "Job completed", "Normal"),
        (
            job(does="fail", backoffLimit=0),
            "BackoffLimitExceeded",
            "Job has reached the specified backoff limit",
            "Warning",
        ),
        (job(suspend=True), "Suspended", "Job suspended", "Normal"),
    ],
)
async def test_a_job_tells_how_it_ended(objects: Objects, document: Json, reason: str, message: str, kind: str) -> None:
    await objects.create(document, "ann")
    event = await told(objects, "work", reason)
    assert (event["message"], event["type"]) == (message, kind)
    assert event["source"] == {"component": "job-controller"}
