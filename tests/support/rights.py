"""The role file of the repository on a real cluster, and the account that it speaks of.

Here: the file as it is, the same for an agent in another namespace, and a kubeconfig for its account. Not here: what
the account may do with it (tests/cluster/test_rights.py), or what the file says (tests/architecture/test_rights.py).
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import yaml

from agent.cluster.client import APPLY
from agent.model.labels import INSTANCE
from agent.model.objects import Manifest
from sandbox.realcluster import RealCluster
from sandbox.testcluster import TestCluster
from tests.support.kube import Json, Kube, Response, connected

FILE = Path(__file__).parents[2] / "config" / "rbac" / "agent.yaml"
NAMESPACE = "perigee-system"
ACCOUNT = "perigee-agent"
INSTANCE_ROLE = "perigee-instance"
POD_SECURITY = "pod-security.kubernetes.io/enforce"
RBAC = "rbac.authorization.k8s.io"
IN_FORCE_SECONDS = 30.0

_OF_ONE_AGENT = frozenset({"ClusterRoleBinding", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"})
"""Kinds outside namespaces of which each agent needs its own; the ClusterRoles are the same for all."""


def rights(namespace: str = NAMESPACE) -> list[Manifest]:
    """Every object of the role file, for an agent that lives in this namespace."""
    text = FILE.read_text(encoding="utf-8")
    found: list[Manifest] = list(yaml.safe_load_all(text.replace(NAMESPACE, namespace)))
    for manifest in found:
        if manifest["kind"] in _OF_ONE_AGENT and namespace != NAMESPACE:
            manifest["metadata"]["name"] = namespace
            if manifest["kind"] == "ValidatingAdmissionPolicyBinding":
                manifest["spec"]["policyName"] = namespace
    return found


def path_in_cluster(manifest: Manifest) -> str:
    """Where the API server keeps an object."""
    version, kind = manifest["apiVersion"], manifest["kind"].lower()
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    namespace = manifest["metadata"].get("namespace")
    scope = f"/namespaces/{namespace}" if namespace else ""
    plural = f"{kind.removesuffix('y')}ies" if kind.endswith("y") else f"{kind}{'' if kind.endswith('s') else 's'}"
    return f"{root}{scope}/{plural}/{manifest['metadata']['name']}"


def binding(
    namespace: str,
    *,
    agent: str = NAMESPACE,
    account: str = ACCOUNT,
    role: str = INSTANCE_ROLE,
    kind: str = "ClusterRole",
) -> Manifest:
    """The binding that gives an agent's account its rights in an instance's namespace; keywords make it a wrong one."""
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": ACCOUNT, "namespace": namespace},
        "roleRef": {"apiGroup": RBAC, "kind": kind, "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": agent}],
    }


def an_instances_namespace(name: str, *, level: str = "restricted") -> Manifest:
    """A namespace as the agent makes one for an instance; without a level, nobody watches what its pods may do."""
    labels = {INSTANCE: str(uuid.uuid4())} | ({POD_SECURITY: level} if level else {})
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def requests_of(manifests: Iterable[Manifest]) -> set[tuple[str, str]]:
    """Every right of some roles that is a request: verb and resource as the audit log spells them."""
    return {
        (verb, f"{resource}.{group}" if group and "/" not in resource else _subresource(resource, group))
        for role in manifests
        for rule in role.get("rules", ())
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
        if verb != "bind"
    }


def _subresource(resource: str, group: str) -> str:
    name, slash, subresource = resource.partition("/")
    return name + (f".{group}" if group else "") + slash + subresource


async def apply(kube: Kube, manifest: Manifest, **params: str) -> Response:
    """Server-side apply without force, whatever comes of it."""
    wanted = {"fieldManager": "perigee", "force": "false", **params}
    return await kube.request("PATCH", path_in_cluster(manifest), manifest, content_type=APPLY, params=wanted)


async def succeeded(kube: Kube, method: str, path: str, body: Any = None, **more: Any) -> Json:
    """The answer to a request that has to succeed."""
    answer = await kube.request(method, path, body, **more)
    assert answer.status < HTTPStatus.BAD_REQUEST, f"{method} {path}: {answer.body}"
    found: Json = answer.body
    return found


async def make_namespace(kube: Kube, manifest: Manifest) -> None:
    """Make a namespace as the agent does: itself, its binding in it, and a moment until the server knows of that."""
    name = manifest["metadata"]["name"]
    for each in (manifest, binding(name)):
        answer = await apply(kube, each)
        assert answer.status < HTTPStatus.BAD_REQUEST, answer.body
    config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "tried", "namespace": name}}
    await until_allowed(kube, "PATCH", config_map)


async def until_allowed(kube: Kube, method: str, manifest: Manifest) -> None:
    """Return when the account may do this, tried without effect: the API server learns of a binding a bit later."""
    params = {"dryRun": "All", **({"fieldManager": "perigee"} if method == "PATCH" else {})}
    typed = APPLY if method == "PATCH" else "application/json"
    path = path_in_cluster(manifest)
    async with asyncio.timeout(IN_FORCE_SECONDS):
        while (
            await kube.request(method, path, manifest, params=params, content_type=typed)
        ).status == HTTPStatus.FORBIDDEN:
            pass


async def lend(cluster: RealCluster, kubeconfig: Path, namespace: str) -> None:
    """Let the account use a namespace of the test's own as an instance's and as the agent's at once."""
    subjects = binding(namespace)["subjects"]
    home = an_instances_namespace(namespace)
    lent = [each for each in rights(namespace) if each["kind"] in {"Role", "RoleBinding"}]
    for manifest in lent:
        manifest["metadata"]["name"] = "agent-itself"
        if manifest["kind"] == "RoleBinding":
            manifest |= {"subjects": subjects, "roleRef": {**manifest["roleRef"], "name": "agent-itself"}}
    async with connected(cluster.kubeconfig) as administrator, connected(kubeconfig) as account:
        for manifest in (home, *lent, binding(namespace)):
            answer = await apply(administrator, manifest, fieldManager="tests")
            assert answer.status < HTTPStatus.BAD_REQUEST, answer.body
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "tried", "namespace": namespace}}
        for method in ("PUT", "PATCH"):  # the one by the agent's own role, the other by that of an instance
            await until_allowed(account, method, secret)


@asynccontextmanager
async def agent_account(cluster: RealCluster, namespace: str = NAMESPACE) -> AsyncIterator[Path]:
    """The kubeconfig of an agent's account while the block runs, all that the role file says being in force.

    The namespace is made where it is not there, and stays at the end: it may be the caller's.
    """
    manifests = rights(namespace)
    async with connected(cluster.kubeconfig) as administrator:
        for manifest in manifests:
            answer = await apply(administrator, manifest, fieldManager="tests", force="true")
            assert answer.status < HTTPStatus.BAD_REQUEST, answer.body
        kubeconfig = await cluster.kubeconfig_for_service_account(namespace, ACCOUNT)
        await in_force(kubeconfig)
        yield kubeconfig
        for manifest in manifests:
            if manifest["kind"] in _OF_ONE_AGENT:
                await succeeded(administrator, "DELETE", path_in_cluster(manifest))


async def in_force(kubeconfig: Path) -> None:
    """Return when the API server judges the account by its roles and by the policy: it learns of both a bit later."""
    stray: Manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "stray"}}
    async with connected(kubeconfig) as account, asyncio.timeout(IN_FORCE_SECONDS):
        while "ValidatingAdmissionPolicy" not in str((await apply(account, stray, dryRun="All")).body):
            pass


@dataclass(frozen=True, slots=True)
class Granted:
    """What an agent connects with, and the account that it then is; none on a cluster that knows no rights."""

    kubeconfig: Path
    account: str | None


@asynccontextmanager
async def agent_of(cluster: TestCluster, namespace: str) -> AsyncIterator[Granted]:
    """What an agent in this namespace gets: on a real cluster, what the role file says and nothing else."""
    if not isinstance(cluster, RealCluster):
        yield Granted(cluster.kubeconfig, None)
        return
    async with agent_account(cluster, namespace) as kubeconfig:
        yield Granted(kubeconfig, ACCOUNT)
