"""What the agent's account may not do, tried as that account on a real API server, and who says no.

Agents could read what was not theirs (karmada-io/karmada#4485): so here is what somebody would try who took the agent
over. Each attempt is a dry run: it is judged in full, and a hole does no harm to the cluster of the other tests.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agent.model.labels import INSTANCE
from sandbox.realcluster import RealCluster
from tests.support.attempts import (
    ATTEMPTS,
    CLUSTER_ADMIN,
    CONFIG_MAP,
    ESCALATION,
    HOME,
    JOB,
    MERGE,
    POLICY,
    WILD,
    Attempt,
    create,
    labelled,
    of_kind,
)
from tests.support.kube import Kube, Response, connected
from tests.support.rights import (
    ACCOUNT,
    NAMESPACE,
    RBAC,
    agent_account,
    an_instances_namespace,
    apply,
    binding,
    make_namespace,
    path_in_cluster,
    succeeded,
)


@pytest.fixture
async def agent(account: Path) -> AsyncIterator[Kube]:
    async with connected(account) as kube:
        yield kube


@pytest.fixture
async def administrator(real_cluster: RealCluster) -> AsyncIterator[Kube]:
    async with connected(real_cluster.kubeconfig) as kube:
        yield kube


@pytest.fixture(scope="module")
async def home(account: Path) -> AsyncIterator[str]:
    """The namespace of an instance, made by the agent."""
    name = f"airflow-{uuid.uuid4().hex[:8]}"
    async with connected(account) as kube:
        await make_namespace(kube, an_instances_namespace(name))
        yield name
        await succeeded(kube, "DELETE", f"/api/v1/namespaces/{name}")


@pytest.mark.parametrize("attempt", ATTEMPTS.values(), ids=ATTEMPTS.keys())
async def test_it_may_not(agent: Kube, home: str, attempt: Attempt) -> None:
    answer = await attempt.make(agent, home)
    assert answer.status == 403, answer.body
    assert attempt.by in answer.body["message"]


@pytest.mark.parametrize("whom", [{"Impersonate-User": "admin"}, {"Impersonate-Group": "system:masters"}])
async def test_it_may_not_pass_for_somebody_else(agent: Kube, whom: dict[str, str]) -> None:
    headers = {"Impersonate-User": f"system:serviceaccount:{NAMESPACE}:{ACCOUNT}", **whom}
    answer = await agent.request("GET", "/api/v1/namespaces", headers=headers)
    assert answer.status == 403
    assert "cannot impersonate" in answer.body["message"]


async def a_role(administrator: Kube, home: str, *resources: str) -> str:
    """A role that somebody made in the instance's namespace; returns its name."""
    name = f"theirs-{uuid.uuid4().hex[:8]}"
    rule = {"apiGroups": [""], "resources": list(resources), "verbs": ["create"]}
    body = {"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": {"name": name}, "rules": [rule]}
    await succeeded(administrator, "POST", f"/apis/{RBAC}/v1/namespaces/{home}/roles", body)
    return name


async def test_a_role_that_is_there_may_be_bound_within_its_own_rights_and_namespace(
    agent: Kube, administrator: Kube, home: str
) -> None:
    held, beyond = await a_role(administrator, home, "configmaps"), await a_role(administrator, home, "pods/exec")

    async def bound(role: str, account_in: str) -> Response:
        manifest = binding(home, kind="Role", role=role, agent=account_in, account="default")
        manifest["metadata"]["name"] = role
        return await apply(agent, manifest, dryRun="All")

    assert (await bound(held, home)).status == 201
    assert ESCALATION in (await bound(beyond, home)).body["message"]
    assert POLICY in (await bound(held, "kube-system")).body["message"]


async def test_whoever_takes_the_label_off_takes_the_agent_out(agent: Kube, administrator: Kube) -> None:
    name = f"airflow-{uuid.uuid4().hex[:8]}"
    await make_namespace(agent, an_instances_namespace(name))
    path = f"/api/v1/namespaces/{name}"
    unlabelled = {"metadata": {"labels": {INSTANCE: None}}}
    await succeeded(administrator, "PATCH", path, unlabelled, content_type=MERGE)
    async with asyncio.timeout(10):
        while (answer := await create(CONFIG_MAP, name).make(agent, name)).status != 403:
            pass
    assert POLICY in answer.body["message"]
    assert POLICY in (await Attempt("DELETE", path).make(agent, name)).body["message"]
    await succeeded(administrator, "DELETE", path)


WITH_ALL_RIGHTS = {
    "write into an unlabelled namespace": create(CONFIG_MAP, "default"),
    "run a job in kube-system": create(JOB, "kube-system"),
    "reach a service through the API server": Attempt("GET", "/api/v1/namespaces/default/services/kubernetes/proxy/"),
    "change a node": Attempt("PATCH", "/api/v1/nodes/simulated-0", {"metadata": {"labels": {"a": "b"}}}),
    "make a cluster role": create(of_kind("ClusterRole", f"{RBAC}/v1", rules=WILD)),
    "label kube-system": labelled("kube-system", instance="mine"),
}


async def test_the_policy_holds_where_somebody_granted_too_much(real_cluster: RealCluster, administrator: Kube) -> None:
    namespace = f"perigee-{uuid.uuid4().hex[:8]}"
    async with agent_account(real_cluster, namespace) as kubeconfig, connected(kubeconfig) as generous:
        subjects = binding(HOME, agent=namespace)["subjects"]
        everything = of_kind("ClusterRoleBinding", f"{RBAC}/v1", roleRef=CLUSTER_ADMIN, subjects=subjects)
        everything["metadata"]["name"] = f"{namespace}-everything"
        await apply(administrator, everything)
        async with asyncio.timeout(10):
            while (await Attempt("GET", "/api/v1/secrets").make(generous, "")).status == 403:
                pass
        said = {name: (await attempt.make(generous, "")).body["message"] for name, attempt in WITH_ALL_RIGHTS.items()}
        await succeeded(administrator, "DELETE", path_in_cluster(everything))
        await succeeded(administrator, "DELETE", f"/api/v1/namespaces/{namespace}")
    assert {name: message for name, message in said.items() if POLICY not in message} == {}
