"""What the agent's account may not do, tried as that account on a real API server, and who says no.

Agents could read what was not theirs (karmada-io/karmada#4485): so here is what somebody would try who took the agent
over. Each attempt is a dry run: it is judged in full, and a hole does no harm to the cluster of the other tests.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agent.model.labels import INSTANCE
from agent.model.objects import Manifest
from sandbox.realcluster import RealCluster
from tests.support.kube import Kube, Response, connected
from tests.support.rights import (
    ACCOUNT,
    NAMESPACE,
    POD_SECURITY,
    RBAC,
    agent_account,
    an_instances_namespace,
    apply,
    binding,
    make_namespace,
    path_in_cluster,
    succeeded,
)

MERGE = "application/merge-patch+json"
HOME = "HOME"
"""Stands for the namespace of an instance, in which the account has all its rights."""
ROLES = "cannot"
ESCALATION = "not currently held"
POLICY = "ValidatingAdmissionPolicy"
LIFECYCLE = "this namespace may not be deleted"


@dataclass(frozen=True)
class Attempt:
    """One request; a body of a PATCH is a merge patch."""

    method: str
    path: str
    body: Any = None
    by: str = ROLES

    async def make(self, kube: Kube, home: str) -> Response:
        """Try it without effect."""
        body = _at(self.body, home)
        path, params = self.path.replace(HOME, home), {} if self.method == "GET" else {"dryRun": "All"}
        typed = MERGE if self.method == "PATCH" else "application/json"
        return await kube.request(self.method, path, body, params=params, content_type=typed)


def _at(body: Any, home: str) -> Any:
    if isinstance(body, dict):
        return {key: _at(value, home) for key, value in body.items()}
    if isinstance(body, list):
        return [_at(value, home) for value in body]
    return home if body == HOME else body


def of_kind(kind: str, version: str = "v1", **fields: Any) -> Manifest:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": "stolen"}, **fields}


def create(manifest: Manifest, namespace: str = "", *, by: str = ROLES) -> Attempt:
    placed = {**manifest, "metadata": {**manifest["metadata"], **({"namespace": namespace} if namespace else {})}}
    return Attempt("POST", path_in_cluster(placed).rpartition("/")[0], placed, by)


def bind(namespace: str, *, by: str = POLICY, **wrong: str) -> Attempt:
    return create(binding(namespace, **wrong), namespace, by=by)


def bind_to(**subject: str) -> Attempt:
    return create({**binding(HOME), "subjects": [{"apiGroup": RBAC, **subject}]}, HOME, by=POLICY)


def labelled(namespace: str, **labels: str | None) -> Attempt:
    named = {{"instance": INSTANCE, "level": POD_SECURITY}[key]: value for key, value in labels.items()}
    return Attempt("PATCH", f"/api/v1/namespaces/{namespace}", {"metadata": {"labels": named}}, POLICY)


CONFIG_MAP = of_kind("ConfigMap", data={"a": "b"})
POD = of_kind("Pod", spec={"containers": [{"name": "main", "image": "test:1"}]})
JOB = of_kind("Job", "batch/v1", spec={"template": {"spec": {**POD["spec"], "restartPolicy": "Never"}}})
WILD = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
CLUSTER_ADMIN = {"apiGroup": RBAC, "kind": "ClusterRole", "name": "cluster-admin"}
TOKEN_REQUEST = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 600}}
ADMISSION = "/apis/admissionregistration.k8s.io/v1"
A_TOKEN = of_kind("Secret", type="kubernetes.io/service-account-token") | {
    "metadata": {"name": "stolen", "annotations": {"kubernetes.io/service-account.name": ACCOUNT}}
}


ATTEMPTS = {
    # What is private.
    "list all secrets": Attempt("GET", "/api/v1/secrets"),
    "list all configmaps": Attempt("GET", "/api/v1/configmaps"),
    "list secrets of kube-system": Attempt("GET", "/api/v1/namespaces/kube-system/secrets"),
    "read a secret of kube-system": Attempt("GET", "/api/v1/namespaces/kube-system/secrets/foreign"),
    "read a secret of a neighbour": Attempt("GET", "/api/v1/namespaces/default/secrets/foreign"),
    "read a configmap of kube-system": Attempt(
        "GET", "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication"
    ),
    "read logs": Attempt("GET", f"/api/v1/namespaces/{HOME}/pods/web/log"),
    # What is not ours.
    "write into an unlabelled namespace": create(CONFIG_MAP, "default"),
    "write a secret into kube-system": create(of_kind("Secret"), "kube-system"),
    "run a job in kube-system": create(JOB, "kube-system"),
    "delete a service of default": Attempt("DELETE", "/api/v1/namespaces/default/services/kubernetes"),
    "write configuration into its own namespace": create(CONFIG_MAP, NAMESPACE),
    # Ways into a namespace.
    "label kube-system": labelled("kube-system", instance="mine"),
    "label default": labelled("default", instance="mine"),
    "label its own namespace": labelled(NAMESPACE, instance="mine"),
    "take the label off": labelled(HOME, instance=None),
    "make a namespace without the label": create(of_kind("Namespace"), by=POLICY),
    "delete kube-system": Attempt("DELETE", "/api/v1/namespaces/kube-system", by=LIFECYCLE),
    "delete default": Attempt("DELETE", "/api/v1/namespaces/default", by=LIFECYCLE),
    "delete its own namespace": Attempt("DELETE", f"/api/v1/namespaces/{NAMESPACE}", by=POLICY),
    "delete all namespaces": Attempt("DELETE", "/api/v1/namespaces"),
    "finalize a namespace": Attempt("PUT", f"/api/v1/namespaces/{HOME}/finalize", of_kind("Namespace")),
    # From a pod to its node.
    "make a privileged namespace": create(an_instances_namespace("stolen", level="privileged"), by=POLICY),
    "make a namespace without a level": create(an_instances_namespace("stolen", level=""), by=POLICY),
    "weaken the level": labelled(HOME, level="privileged"),
    "drop the level": labelled(HOME, level=None),
    "start a pod by itself": create(POD, HOME),
    "start a pod in kube-system": create(POD, "kube-system"),
    "enter a pod": Attempt("POST", f"/api/v1/namespaces/{HOME}/pods/web/exec"),
    "reach a service through the API server": Attempt("GET", f"/api/v1/namespaces/{HOME}/services/web/proxy/"),
    "delete a pod": Attempt("DELETE", f"/api/v1/namespaces/{HOME}/pods/web"),
    "list nodes": Attempt("GET", "/api/v1/nodes"),
    "change a node": Attempt("PATCH", "/api/v1/nodes/simulated-0", {"metadata": {"labels": {"a": "b"}}}),
    # More rights.
    "bind cluster-admin": bind(HOME, by=ESCALATION, role="cluster-admin"),
    "bind cluster-admin in kube-system": bind("kube-system", by=ESCALATION, role="cluster-admin"),
    "bind admin": bind(HOME, by=ESCALATION, role="admin"),
    "bind its rights over the cluster": bind(HOME, role="perigee-agent"),
    "bind the instance's rights in kube-system": bind("kube-system"),
    "bind the instance's rights in default": bind("default"),
    "bind the instance's rights in its own namespace": bind(NAMESPACE),
    "bind another account": bind(HOME, account="default"),
    "bind an account of kube-system": bind(HOME, agent="kube-system"),
    "bind everybody": bind_to(kind="Group", name="system:authenticated"),
    "bind a user": bind_to(kind="User", name="mallory"),
    "bind all of the cluster": create(
        of_kind("ClusterRoleBinding", f"{RBAC}/v1", roleRef=CLUSTER_ADMIN, subjects=binding(HOME)["subjects"])
    ),
    "make a cluster role": create(of_kind("ClusterRole", f"{RBAC}/v1", rules=WILD)),
    "make a role": create(of_kind("Role", f"{RBAC}/v1", rules=WILD), HOME),
    "widen the instance's role": Attempt("PATCH", f"/apis/{RBAC}/v1/clusterroles/perigee-instance", {"rules": WILD}),
    "widen its own role": Attempt(
        "PATCH", f"/apis/{RBAC}/v1/namespaces/{NAMESPACE}/roles/perigee-agent", {"rules": WILD}
    ),
    # Another identity.
    "a token of another account": Attempt(
        "POST", "/api/v1/namespaces/kube-system/serviceaccounts/default/token", TOKEN_REQUEST
    ),
    "a token of its own": Attempt(
        "POST", f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{ACCOUNT}/token", TOKEN_REQUEST
    ),
    "a token for ever of its own": create(A_TOKEN, NAMESPACE, by=POLICY),
    "a token for ever in an instance": create(A_TOKEN, HOME, by=POLICY),
    "sign a certificate": create(of_kind("CertificateSigningRequest", "certificates.k8s.io/v1", spec={})),
    # The fence itself.
    "weaken the policy": Attempt(
        "PATCH", f"{ADMISSION}/validatingadmissionpolicies/perigee-agent", {"spec": {"failurePolicy": "Ignore"}}
    ),
    "unbind the policy": Attempt("DELETE", f"{ADMISSION}/validatingadmissionpolicybindings/perigee-agent"),
    "register a webhook": create(of_kind("MutatingWebhookConfiguration", "admissionregistration.k8s.io/v1")),
    "define a kind": create(of_kind("CustomResourceDefinition", "apiextensions.k8s.io/v1", spec={})),
}


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
