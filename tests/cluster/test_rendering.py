"""A real API server takes everything that is rendered, as it is: valid, restricted, within the quota, and stable."""

from __future__ import annotations

import dataclasses
import json
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from agent.model.instance import Instance
from agent.model.objects import Manifest, Stage
from agent.rendering import KEYS_SECRET, render
from sandbox.realcluster import RealCluster
from tests.support.instances import an_airflow, an_instance, checksums, inputs
from tests.support.kubectl import Kubectl

pytestmark = pytest.mark.timeout(180)  # a whole instance, through a real kubectl


@dataclass(frozen=True)
class Applied:
    """An instance on a real cluster."""

    kubectl: Kubectl
    instance: Instance

    @property
    def manifests(self) -> list[Manifest]:
        return [rendered.manifest for rendered in render(inputs(self.instance))]

    async def apply(self) -> None:
        """Apply all stages; a warning of the API server, such as one of Pod Security, is a failure."""
        for stage in Stage:
            items = [each.manifest for each in render(inputs(self.instance)) if each.stage is stage]
            if stage is Stage.CONFIG:
                items.append(self._keys())
            if not items:
                continue
            listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
            flags = ("--server-side", "--field-manager=perigee", "--warnings-as-errors", "--filename=-")
            await self.kubectl("apply", *flags, stdin=listed)

    def _keys(self) -> Manifest:
        metadata = {"name": KEYS_SECRET, "namespace": self.instance.namespace}
        return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": checksums(self.instance)}

    async def versions(self) -> dict[str, str]:
        """What tells of a change: the generation of what controllers report on, the resourceVersion of the rest."""
        reported = await self.kubectl.get("deployments,statefulsets,jobs,poddisruptionbudgets")
        quiet = await self.kubectl.get("configmaps,serviceaccounts,limitranges,services,networkpolicies")
        found = [(each, "generation") for each in reported["items"]]
        found += [(each, "resourceVersion") for each in quiet["items"]]
        return {f"{each['kind']}/{each['metadata']['name']}": str(each["metadata"][field]) for each, field in found}


@pytest.fixture
async def applied(real_cluster: RealCluster) -> AsyncIterator[Applied]:
    namespace = f"airflow-{uuid.uuid4().hex[:8]}"
    airflow = an_airflow(
        pull_secrets=("registry",),
        config={"core": {"parallelism": "64"}},
        env={"TZ": "UTC", "PRICE": "$5"},
    )
    kubectl = Kubectl(real_cluster.programs["kubectl"], real_cluster.kubeconfig, namespace)
    one = Applied(kubectl, an_instance(id=str(uuid.uuid4()), namespace=namespace, airflow=airflow, labels={"a": "b"}))
    try:
        await one.apply()
        yield one
    finally:
        await kubectl("delete", "namespace", namespace, "--ignore-not-found", "--wait=false")


async def test_every_pod_is_admitted_within_the_quota(applied: Applied) -> None:
    for manifest in applied.manifests:
        name = f"{manifest['kind'].lower()}/{manifest['metadata']['name']}"
        if manifest["kind"] in {"Deployment", "StatefulSet"}:
            wanted = f"jsonpath={{.status.replicas}}={manifest['spec']['replicas']}"
            await applied.kubectl.wait(name, until=wanted, seconds=60)
        if manifest["kind"] == "Job":
            await applied.kubectl.wait(name, until="jsonpath={.metadata.uid}", seconds=60)
    events = await applied.kubectl.get("events")
    assert [each["message"] for each in events["items"] if each["reason"] in {"FailedCreate", "FailedValidation"}] == []


async def test_applying_again_changes_nothing(applied: Applied) -> None:
    before = await applied.versions()
    await applied.apply()
    assert await applied.versions() == before
    assert before


async def test_claims_carry_what_keeps_them(applied: Applied) -> None:
    await applied.kubectl.wait("pod/airflow-database-0", until="jsonpath={.metadata.uid}", seconds=60)
    claim = await applied.kubectl.get("persistentvolumeclaim/data-airflow-database-0")
    assert claim["metadata"]["labels"]["perigee.dev/retain"] == "database"
    assert claim["metadata"]["labels"]["perigee.dev/instance"] == applied.instance.id


async def test_a_change_of_everything_that_may_change_is_accepted(applied: Applied) -> None:
    now = applied.instance
    changed = dataclasses.replace(
        now,
        name="renamed",
        team="other",
        labels={},
        state=now.state.HIBERNATED,
        airflow=dataclasses.replace(now.airflow, image="localhost/airflow:3.3.3", version="3.3.3", env={}),
        workers=now.workers[:1],
        database=dataclasses.replace(now.database, image="localhost/postgres:2"),
    )
    await Applied(applied.kubectl, changed).apply()
    found = await applied.kubectl.get("deployments,statefulsets")
    names = {each["metadata"]["name"]: each["spec"]["replicas"] for each in found["items"]}
    assert {count for name, count in names.items() if name != "airflow-worker-heavy"} == {0}


async def test_another_image_is_another_job_beside_the_first(applied: Applied) -> None:
    changed = dataclasses.replace(
        applied.instance, airflow=dataclasses.replace(applied.instance.airflow, image="localhost/airflow:next")
    )
    await Applied(applied.kubectl, changed).apply()
    jobs = await applied.kubectl.get("jobs")
    assert len(jobs["items"]) == 2
