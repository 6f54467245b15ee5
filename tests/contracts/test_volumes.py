"""Claims of volumes: bound, grown, protected, and their volumes taken away."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.behaving import has, is_true, pod
from tests.support.kube import DEADLINE_SECONDS, Json, Kube, Response
from tests.support.objects import MERGE_PATCH, Objects, but

CLAIM: Json = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "data"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}
IMMUTABLE = (
    "Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound "
    "claims"
)
BOUND = has("status", "phase", equal="Bound")


def larger(size: str) -> Json:
    return {"spec": {"resources": {"requests": {"storage": size}}}}


async def test_a_claim_is_bound_to_a_volume_of_its_own(kube: Kube, objects: Objects) -> None:
    created = await objects.create(CLAIM, "ann")
    stored = await kube.until(objects.path(CLAIM), BOUND)
    assert stored["status"]["capacity"] == {"storage": "1Gi"}
    assert stored["status"]["accessModes"] == ["ReadWriteOnce"]
    volume = (await kube.request("GET", f"/api/v1/persistentvolumes/{stored['spec']['volumeName']}")).body
    assert volume["status"]["phase"] == "Bound"
    assert volume["spec"]["capacity"] == {"storage": "1Gi"}
    assert volume["spec"]["storageClassName"] == "standard"
    assert volume["spec"]["persistentVolumeReclaimPolicy"] == "Delete"
    reference = {"namespace": objects.namespace, "name": "data", "uid": created["metadata"]["uid"]}
    assert reference.items() <= volume["spec"]["claimRef"].items()


async def test_a_claim_of_another_class_waits(kube: Kube, objects: Objects) -> None:
    waiting = but(CLAIM, "spec", "storageClassName", value="there-is-none")
    other = but(CLAIM, "metadata", "name", value="other")
    await objects.create(waiting, "ann")
    await objects.create(other, "ann")
    await kube.until(objects.path(other), BOUND)
    assert (await objects.get(waiting))["status"] == {"phase": "Pending"}


async def test_a_claim_grows(kube: Kube, objects: Objects) -> None:
    await objects.create(CLAIM, "ann")
    bound = await kube.until(objects.path(CLAIM), BOUND)
    await objects.patch(CLAIM, larger("3Gi"), "ann")
    await kube.until(objects.path(CLAIM), has("status", "capacity", "storage", equal="3Gi"))
    volume = await kube.until(
        f"/api/v1/persistentvolumes/{bound['spec']['volumeName']}", has("spec", "capacity", "storage", equal="3Gi")
    )
    assert volume["status"]["phase"] == "Bound"


async def test_a_claim_does_not_shrink(kube: Kube, objects: Objects) -> None:
    await objects.create(CLAIM, "ann")
    await kube.until(objects.path(CLAIM), BOUND)
    answer = await objects.try_patch(CLAIM, larger("500M"), "ann")
    assert (answer.status, answer.body["reason"]) == (422, "Invalid")
    assert [(each["field"], each["message"]) for each in answer.body["details"]["causes"]] == [
        ("spec.resources.requests.storage", "Forbidden: field can not be less than status.capacity")
    ]


async def test_a_bound_claim_keeps_its_volume(kube: Kube, objects: Objects) -> None:
    await objects.create(CLAIM, "ann")
    await kube.until(objects.path(CLAIM), BOUND)
    answer = await objects.try_patch(CLAIM, {"spec": {"volumeName": "other"}}, "ann")
    assert answer.status == 422
    assert answer.body["details"]["causes"][0]["message"].startswith("Forbidden: spec is immutable after creation")


@pytest.mark.parametrize(
    "spec",
    [
        {"accessModes": ["ReadWriteMany"]},
        {"storageClassName": "other"},
        {"volumeMode": "Block"},
        {"selector": {"matchLabels": {"a": "b"}}},
        {"resources": {"limits": {"storage": "9Gi"}}},
        {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "2Gi"}}},
    ],
)
async def test_of_a_bound_claim_nothing_changes_but_its_size(kube: Kube, objects: Objects, spec: Json) -> None:
    await objects.create(CLAIM, "ann")
    bound = await kube.until(objects.path(CLAIM), BOUND)
    answer = await objects.try_patch(CLAIM, {"spec": spec}, "ann")
    assert (answer.status, answer.body["reason"]) == (422, "Invalid")
    assert IMMUTABLE in {each["message"].partition("\n")[0] for each in answer.body["details"]["causes"]}
    assert (await objects.get(CLAIM))["spec"] == bound["spec"]


async def test_a_bound_claim_may_ask_for_another_sort_of_volume(kube: Kube, objects: Objects) -> None:
    await objects.create(CLAIM, "ann")
    await kube.until(objects.path(CLAIM), BOUND)
    stored = await objects.patch(CLAIM, {"spec": {"volumeAttributesClassName": "gold"}}, "ann")
    assert stored["spec"]["volumeAttributesClassName"] == "gold"


@pytest.mark.parametrize("size", ["2Gi", "1Mi"])
async def test_a_claim_that_waits_keeps_its_size(objects: Objects, size: str) -> None:
    waiting = but(CLAIM, "spec", "storageClassName", value="there-is-none")
    await objects.create(waiting, "ann")
    answer = await objects.try_patch(waiting, larger(size), "ann")
    assert (answer.status, answer.body["reason"]) == (422, "Invalid")
    assert answer.body["details"]["causes"][0]["message"].partition("\n")[0] == IMMUTABLE


async def test_the_same_size_may_be_written_otherwise(kube: Kube, objects: Objects) -> None:
    await objects.create(CLAIM, "ann")
    await kube.until(objects.path(CLAIM), BOUND)
    stored = await objects.patch(CLAIM, larger("1024Mi"), "ann")
    assert stored["spec"]["resources"]["requests"] == {"storage": "1Gi"}


async def test_a_claim_grows_only_if_its_class_allows_it(kube: Kube, objects: Objects) -> None:
    await objects.create(CLAIM, "ann")
    await kube.until(objects.path(CLAIM), BOUND)
    path = "/apis/storage.k8s.io/v1/storageclasses/standard"

    async def tried_until(status: int, *, allowed: bool) -> Response:
        """The real server learns of a changed class a moment later."""
        await kube.request("PATCH", path, {"allowVolumeExpansion": allowed}, content_type=MERGE_PATCH)
        async with asyncio.timeout(DEADLINE_SECONDS):
            while True:
                answer = await kube.request(
                    "PATCH", objects.path(CLAIM), larger("2Gi"), content_type=MERGE_PATCH, params={"dryRun": "All"}
                )
                if answer.status == status:
                    return answer

    try:
        answer = await tried_until(403, allowed=False)
    finally:
        await tried_until(200, allowed=True)
    assert answer.body["reason"] == "Forbidden"
    assert answer.body["message"] == (
        'persistentvolumeclaims "data" is forbidden: only dynamically provisioned pvc can be resized and the '
        "storageclass that provisions the pvc must support resize"
    )


async def test_a_volume_goes_with_its_claim(kube: Kube, objects: Objects) -> None:
    await objects.create(CLAIM, "ann")
    bound = await kube.until(objects.path(CLAIM), BOUND)
    answer = await kube.request("DELETE", objects.path(CLAIM))
    assert (answer.status, answer.body["kind"]) == (200, "PersistentVolumeClaim")
    await kube.until_gone(objects.path(CLAIM))
    await kube.until_gone(f"/api/v1/persistentvolumes/{bound['spec']['volumeName']}")


async def test_a_claim_in_use_stays(kube: Kube, objects: Objects) -> None:
    await kube.until(f"/api/v1/namespaces/{objects.namespace}/serviceaccounts/default", lambda _: True)
    await objects.create(CLAIM, "ann")
    await kube.until(objects.path(CLAIM), BOUND)
    user = pod(volumes=[{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}])
    bystander = pod("other", volumes=[{"name": "scratch", "emptyDir": {}}])
    for document in (user, bystander):
        await objects.create(document, "ann")
        await kube.until(objects.path(document), is_true("Ready"))
    await kube.request("DELETE", objects.path(CLAIM))
    await kube.request("DELETE", objects.path(bystander))
    await kube.until_gone(objects.path(bystander))
    assert "deletionTimestamp" in (await objects.get(CLAIM))["metadata"]
    await kube.request("DELETE", objects.path(user))
    await kube.until_gone(objects.path(CLAIM))


@pytest.mark.parametrize("name", ["standard"])
async def test_there_is_a_default_class(kube: Kube, name: str) -> None:
    stored = (await kube.request("GET", f"/apis/storage.k8s.io/v1/storageclasses/{name}")).body
    assert stored["metadata"]["annotations"]["storageclass.kubernetes.io/is-default-class"] == "true"
    assert stored["allowVolumeExpansion"] is True
