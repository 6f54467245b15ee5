"""The same sequences of writes to both clusters at once: neither may answer, keep or ascribe anything differently."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from sandbox.testcluster import TestCluster
from tests.support.clusters import fresh_namespace
from tests.support.kube import Json, Response, connected
from tests.support.objects import APPLY_PATCH, MERGE_PATCH, STRATEGIC_PATCH, Objects, unwatched
from tests.support.sequences import MANAGERS, Step, steps

FORMS = {"apply": APPLY_PATCH, "merge": MERGE_PATCH, "strategic": STRATEGIC_PATCH}
STEPS = 10
SEEDS = range(64)

# What a server or a controller chooses for an object, differently on every cluster.
CHOSEN = {"namespace", "uid", "resourceVersion", "creationTimestamp", "generation", "managedFields"}
ADDRESSES = {"clusterIP", "clusterIPs"}


@pytest.fixture
async def both(embedded_cluster: TestCluster, real_cluster: TestCluster) -> AsyncIterator[tuple[Objects, Objects]]:
    """The objects of a namespace on each cluster."""
    async with (
        connected(embedded_cluster.kubeconfig) as embedded,
        connected(real_cluster.kubeconfig) as real,
        fresh_namespace(embedded_cluster) as here,
        fresh_namespace(real_cluster) as there,
    ):
        yield Objects(embedded, here), Objects(real, there)


async def say(objects: Objects, step: Step) -> Response:
    params = {"fieldManager": step.manager}
    document = step.document
    if step.verb == "create":
        return await objects.kube.request("POST", objects.collection(document), document, params=params)
    if step.verb == "put":
        return await objects.kube.request("PUT", objects.path(document), document, params=params)
    if step.verb == "apply" and step.force:
        params["force"] = "true"
    return await objects.kube.request(
        "PATCH", objects.path(document), document, content_type=FORMS[step.verb], params=params
    )


def seen(answer: Response) -> Json:
    """What of an answer must be the same on both clusters."""
    body: Json = answer.body
    if body["kind"] == "Status":
        causes = sorted(
            (body.get("details") or {}).get("causes", []), key=lambda cause: (cause["message"], cause["field"])
        )
        return {"status": answer.status, "reason": body.get("reason"), "causes": causes}
    metadata = {name: value for name, value in body["metadata"].items() if name not in CHOSEN}
    content = {name: value for name, value in body.items() if name not in {"metadata", "status"}}
    if body["kind"] == "Service":
        content["spec"] = {name: value for name, value in body["spec"].items() if name not in ADDRESSES}
    owners = [entry for entry in unwatched(body) if entry["manager"] in MANAGERS]
    return {"status": answer.status, "metadata": metadata, "content": content, "owners": owners}


def differences(mine: Any, theirs: Any, path: str = "") -> Iterator[str]:
    """The places where two answers differ, as sentences."""
    if isinstance(mine, dict) and isinstance(theirs, dict):
        for name in sorted(mine.keys() | theirs.keys()):
            yield from differences(mine.get(name, "nothing"), theirs.get(name, "nothing"), f"{path}/{name}")
    elif isinstance(mine, list) and isinstance(theirs, list) and len(mine) == len(theirs):
        for index, (ours, others) in enumerate(zip(mine, theirs, strict=True)):
            yield from differences(ours, others, f"{path}/{index}")
    elif mine != theirs:
        yield f"{path}: embedded has {mine!r}, real has {theirs!r}"


@pytest.mark.parametrize("seed", SEEDS)
async def test_both_clusters_do_the_same(both: tuple[Objects, Objects], seed: int) -> None:
    embedded, real = both
    for number, step in enumerate(steps(seed, STEPS)):
        mine, theirs = seen(await say(embedded, step)), seen(await say(real, step))
        if theirs["status"] == 422:
            break  # a value that makes no sense: to judge all of them is left to the real cluster
        assert list(differences(mine, theirs)) == [], (number, step)
    for objects in both:  # a namespace does not end while finalizers hold what is in it
        await objects.try_patch(step.document, {"metadata": {"finalizers": None}}, "ann")
