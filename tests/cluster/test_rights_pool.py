"""An agent that was given a fixed pool of namespaces, as the account that the chart makes for it, on a real API server.

Its life there takes all rights that it has, and whoever took it over gets nowhere else (karmada-io/karmada#4485).
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from agent.cluster.kinds import KINDS, POOLED, path_of
from agent.model.labels import INSTANCE
from agent.model.objects import Manifest, ObjectRef
from agent.rendering import KEYS_SECRET, RenderInputs, render
from sandbox.realcluster import RealCluster
from sandbox.testcluster import AuditedRequests, AuditLog
from tests.support.attempts import ATTEMPTS, CONFIG_MAP, HOME, JOB, MERGE, POD, Attempt, create, of_kind
from tests.support.helm import Helm, pool_account, with_pool
from tests.support.instances import an_instance, checksums
from tests.support.kube import Json, Kube, connected
from tests.support.rights import ACCOUNT, apply, requests_of, succeeded

pytestmark = pytest.mark.timeout(180)  # a whole instance, on a busy machine

WITHIN = {"a token for ever of its own", "a token for ever in an instance"}
"""What only an admission policy could refuse, which takes a right outside of namespaces to make."""


@dataclass(frozen=True)
class Pool:
    """An agent's account, where it lives, and the namespaces that it was given."""

    kubeconfig: Path
    agent: str
    home: str
    other: str


@pytest.fixture(scope="module")
async def pool(real_cluster: RealCluster) -> AsyncIterator[Pool]:
    name = uuid.uuid4().hex[:8]
    agent, home, other = f"agent-{name}", f"pool-{name}-1", f"pool-{name}-2"
    async with pool_account(real_cluster, agent, home, other) as kubeconfig:
        yield Pool(kubeconfig, agent, home, other)


@pytest.fixture
async def agent(pool: Pool) -> AsyncIterator[Kube]:
    async with connected(pool.kubeconfig) as kube:
        yield kube


@pytest.mark.parametrize("name", [name for name in ATTEMPTS if name not in WITHIN])
async def test_it_may_not(agent: Kube, pool: Pool, name: str) -> None:
    answer = await ATTEMPTS[name].make(agent, pool.home, agent=pool.agent)
    assert answer.status == 403, answer.body
    assert f"system:serviceaccount:{pool.agent}:{ACCOUNT}" in answer.body["message"]


STRANGE = {
    "see all pods": Attempt("GET", "/api/v1/pods"),
    "see all namespaces": Attempt("GET", "/api/v1/namespaces"),
    "see deployments of default": Attempt("GET", "/apis/apps/v1/namespaces/default/deployments"),
    "see secrets of a foreign namespace": Attempt("GET", f"/api/v1/namespaces/{HOME}/secrets"),
    "read a secret of a foreign namespace": Attempt("GET", f"/api/v1/namespaces/{HOME}/secrets/theirs"),
    "write into a foreign namespace": create(CONFIG_MAP, HOME),
    "run a job in a foreign namespace": create(JOB, HOME),
    "run a pod in a foreign namespace": create(POD, HOME),
    "label a foreign namespace as its own": Attempt(
        "PATCH", f"/api/v1/namespaces/{HOME}", {"metadata": {"labels": {INSTANCE: "mine"}}}
    ),
    "delete a foreign namespace": Attempt("DELETE", f"/api/v1/namespaces/{HOME}"),
    "make a namespace": create(of_kind("Namespace")),
}


@pytest.mark.parametrize("attempt", STRANGE.values(), ids=STRANGE.keys())
async def test_nothing_outside_of_the_pool_is_its_own(
    agent: Kube, real_cluster: RealCluster, real_namespace: str, attempt: Attempt
) -> None:
    async with connected(real_cluster.kubeconfig) as administrator:
        theirs = {"metadata": {"name": "theirs"}, "stringData": {"password": "private"}}
        await succeeded(administrator, "POST", f"/api/v1/namespaces/{real_namespace}/secrets", theirs)
    answer = await attempt.make(agent, real_namespace)
    assert answer.status == 403, answer.body
    assert "private" not in str(answer.body)


def manifests(namespace: str) -> list[Manifest]:
    """A whole instance and its keys, as it is rendered for a namespace that was given."""
    instance = an_instance(id=str(uuid.uuid4()), namespace=namespace)
    metadata = {"name": KEYS_SECRET, "namespace": namespace, "labels": {INSTANCE: instance.id}}
    keys = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": checksums(instance)}
    found = [one.manifest for one in render(RenderInputs(instance, checksums(instance), None, given=True))]
    assert not {"Namespace", "RoleBinding"} & {one["kind"] for one in found}
    return [keys, *found]


@pytest.fixture(scope="module")
async def lived(real_cluster: RealCluster, pool: Pool) -> AuditedRequests:
    """What the API server logged of the account while an instance came, lived and went."""
    log = AuditLog(real_cluster.audit_log)
    mark = await log.mark()
    async with connected(pool.kubeconfig) as kube:
        await watches(kube, pool.home)
        made = await comes(kube, pool.home)
        await lives(kube, pool.home, made)
        claim = await succeeded(kube, "GET", claim_in(pool.home))
        for live in (*reversed(made), claim):
            options = {"preconditions": {"uid": live["metadata"]["uid"]}, "propagationPolicy": "Background"}
            await succeeded(kube, "DELETE", path_of(ObjectRef.of(live)), options)
    return (await log.read(mark)).by(user=f"system:serviceaccount:{pool.agent}:{ACCOUNT}")


def claim_in(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/persistentvolumeclaims/data-airflow-database-0"


async def watches(kube: Kube, home: str) -> None:
    async def watch(path: str) -> None:
        async for _ in kube.watch(path, {"timeoutSeconds": "1"}):
            pass

    await succeeded(kube, "GET", f"/api/v1/namespaces/{home}")
    for kind in POOLED:
        await succeeded(kube, "GET", kind.collection(home), params={"labelSelector": INSTANCE})
        assert (await kube.request("GET", f"{kind.collection(home)}/nobody")).status == 404
    await asyncio.gather(*(watch(kind.collection(home)) for kind in POOLED))


async def comes(kube: Kube, home: str) -> list[Json]:
    made = []
    for manifest in manifests(home):
        answer = await apply(kube, manifest)
        assert answer.status < 400, answer.body
        made.append(await succeeded(kube, "GET", path_of(ObjectRef.of(manifest))))
    return made


async def lives(kube: Kube, home: str, made: list[Json]) -> None:
    for kind in (kind for kind in KINDS.values() if not kind.watched):
        await succeeded(kube, "GET", kind.collection(home))
    for live in (one for one in made if one["kind"] in {"Deployment", "StatefulSet"}):
        scale = f"{path_of(ObjectRef.of(live))}/scale"
        await succeeded(kube, "PATCH", scale, {"spec": {"replicas": 0}}, content_type=MERGE)
    await kube.until(claim_in(home), lambda found: found["status"]["phase"] == "Bound")
    size = {"spec": {"resources": {"requests": {"storage": "500Gi"}}}}
    await succeeded(kube, "PATCH", claim_in(home), size, content_type=MERGE)


async def test_an_instance_lives_on_exactly_what_the_chart_grants(
    real_cluster: RealCluster, lived: AuditedRequests, pool: Pool, tmp_path: Path
) -> None:
    helm = Helm(real_cluster.programs["helm"], tmp_path)
    roles = await helm.template(with_pool(pool.home), kinds=("Role",))
    [role] = [one for one in roles if one["metadata"]["namespace"] == pool.home]
    granted = requests_of([role])
    used = {(each.verb, each.resource) for each in lived}
    # A server-side apply of something new is logged as a patch; it takes create too.
    applied = {("create", resource) for verb, resource in used if verb == "patch"}
    assert granted - used - applied == set()
    assert used - granted == set()
    assert {each.code for each in lived if each.code == 403} == set()
