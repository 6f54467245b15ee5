"""The agent's account on a real API server: the role file grants all that an instance's life takes, and nothing else.

Wildcard roles are reported as vulnerabilities (clusternet/clusternet#804): so the life is walked under the very
account, and a right that the walk does not use fails the suite.
"""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass
from pathlib import Path

import pytest

from agent.cluster.kinds import KINDS, WATCHED, path_of
from agent.model.labels import INSTANCE
from agent.model.objects import Manifest, ObjectRef
from agent.rendering import KEYS_SECRET, render
from sandbox.realcluster import RealCluster
from sandbox.testcluster import AuditedRequests, AuditLog
from tests.support.instances import an_instance, checksums, inputs
from tests.support.kube import Json, Kube, connected
from tests.support.rights import NAMESPACE, RBAC, apply, binding, make_namespace, requests_of, rights, succeeded

pytestmark = pytest.mark.timeout(180)  # a whole instance, on a busy machine

USER = f"system:serviceaccount:{NAMESPACE}:perigee-agent"
MERGE = "application/merge-patch+json"


@dataclass(frozen=True)
class Life:
    """One instance, walked through everything that the agent does to it."""

    kube: Kube
    namespace: str

    @property
    def claim(self) -> str:
        """Where the API server keeps the volume claim of the database."""
        return f"/api/v1/namespaces/{self.namespace}/persistentvolumeclaims/data-airflow-database-0"

    def manifests(self) -> list[Manifest]:
        instance = an_instance(id=str(uuid.uuid4()), namespace=self.namespace)
        metadata = {"name": KEYS_SECRET, "namespace": self.namespace, "labels": {INSTANCE: instance.id}}
        keys = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": checksums(instance)}
        home, *others = (each.manifest for each in render(inputs(instance)))
        return [home, binding(self.namespace), keys, *(each for each in others if each["kind"] != "RoleBinding")]

    async def watches(self) -> None:
        """List and watch every kind, as at the start; a look at one object of each."""
        for kind in WATCHED:
            await succeeded(self.kube, "GET", kind.collection(), params={"labelSelector": INSTANCE, "limit": "500"})
            answer = await self.kube.request("GET", f"{kind.collection(self.namespace)}/nobody")
            assert answer.status == 404, answer.body
        await asyncio.gather(*(self._watch(kind.collection()) for kind in WATCHED))

    async def _watch(self, path: str) -> None:
        async for _ in self.kube.watch(path, {"timeoutSeconds": "1"}):
            pass

    async def comes(self) -> list[Json]:
        """Apply everything, tried first as the full comparison does; what came of it."""
        home, _, *others = self.manifests()
        await make_namespace(self.kube, home)
        made = []
        for manifest in others:
            for params in ({"dryRun": "All"}, {}):
                answer = await apply(self.kube, manifest, **params)
                assert answer.status < 400, answer.body
            made.append(await succeeded(self.kube, "GET", path_of(ObjectRef.of(manifest))))
        return made

    async def is_looked_through(self) -> None:
        """The metadata of what no watch covers."""
        headers = {"Accept": "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"}
        for kind in KINDS.values():
            if not kind.watched:
                listed = await succeeded(self.kube, "GET", kind.collection(self.namespace), headers=headers)
                assert [item for item in listed["items"] if "data" in item] == []

    async def scales(self, made: list[Json]) -> None:
        """Replicas alone, and the size of a volume: each of this very state."""
        for live in made:
            if live["kind"] in {"Deployment", "StatefulSet"}:
                path = f"{path_of(ObjectRef.of(live))}/scale"
                await succeeded(self.kube, "PATCH", path, {"spec": {"replicas": 0}}, content_type=MERGE)
        claim = await self.kube.until(self.claim, lambda found: found["status"]["phase"] == "Bound")
        precondition = {"resourceVersion": claim["metadata"]["resourceVersion"]}
        size = {"metadata": precondition, "spec": {"resources": {"requests": {"storage": "500Gi"}}}}
        await succeeded(self.kube, "PATCH", self.claim, size, content_type=MERGE)

    async def goes(self, made: list[Json]) -> None:
        """Delete what came, the volumes, the binding, the namespace: each this very incarnation."""
        claim = await succeeded(self.kube, "GET", self.claim)
        bindings = f"/apis/{RBAC}/v1/namespaces/{self.namespace}/rolebindings"
        bound = await succeeded(self.kube, "GET", f"{bindings}/perigee-agent")
        home = await succeeded(self.kube, "GET", f"/api/v1/namespaces/{self.namespace}")
        for live in (*reversed(made), claim, bound, home):
            options: Manifest = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
            options["preconditions"] = {"uid": live["metadata"]["uid"]}
            await succeeded(self.kube, "DELETE", path_of(ObjectRef.of(live)), options)

    async def is_remembered(self) -> None:
        """The agent's own records, and the lease."""
        secrets = f"/api/v1/namespaces/{NAMESPACE}/secrets"
        leases = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases"
        for collection in (secrets, leases):
            made = await succeeded(self.kube, "POST", collection, {"metadata": {"name": f"perigee-{self.namespace}"}})
            await succeeded(self.kube, "GET", f"{collection}/perigee-{self.namespace}")
            await succeeded(self.kube, "PUT", f"{collection}/perigee-{self.namespace}", made)
        await succeeded(self.kube, "GET", secrets, params={"labelSelector": "perigee.dev/role=inventory"})
        await succeeded(self.kube, "DELETE", f"{secrets}/perigee-{self.namespace}")
        guard = await self.kube.request("GET", f"/api/v1/namespaces/{NAMESPACE}/configmaps/perigee-guard")
        assert guard.status == 404, guard.body
        await self._watch(leases)


@pytest.fixture(scope="module")
async def lived(real_cluster: RealCluster, account: Path) -> AuditedRequests:
    """What the API server logged of the account while an instance came, lived and went."""
    log = AuditLog(real_cluster.audit_log)
    mark = await log.mark()
    async with connected(account) as kube:
        life = Life(kube, f"airflow-{uuid.uuid4().hex[:8]}")
        await life.watches()
        made = await life.comes()
        await life.is_looked_through()
        await life.scales(made)
        await life.goes(made)
        await life.is_remembered()
    return (await log.read(mark)).by(user=USER)


async def test_an_instance_lives_under_the_account_alone(lived: AuditedRequests) -> None:
    written = {(each.verb, each.resource) for each in lived.writes()}
    assert ("patch", "deployments.apps") in written
    assert ("delete", "namespaces") in written
    # Until the server knows of a new binding, it says no: such a try is the only thing that was ever refused.
    refused = {(each.verb, each.resource, each.dry_run) for each in lived if each.code == 403}
    assert refused <= {("patch", "configmaps", True)}


async def test_no_right_is_without_use(lived: AuditedRequests) -> None:
    used = {(each.verb, each.resource) for each in lived if each.code != 403}
    # A server-side apply of something new is logged as a patch; that it takes create too, the next test shows.
    applied = {("create", resource) for verb, resource in used if verb == "patch"}
    granted = requests_of(rights())
    assert granted - used - applied == set()
    assert used - granted == set()


@pytest.mark.parametrize(
    ("verbs", "said"), [(["create"], "cannot patch"), (["patch"], "cannot create"), (["create", "patch"], "tried")]
)
async def test_server_side_apply_of_something_new_takes_both_rights(
    real_cluster: RealCluster, real_namespace: str, verbs: list[str], said: str
) -> None:
    rule = {"apiGroups": [""], "resources": ["configmaps"], "verbs": verbs}
    place = {"name": "some", "namespace": real_namespace}
    role: Manifest = {"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": place, "rules": [rule]}
    bound = binding(real_namespace, agent=real_namespace, account="some", role="some", kind="Role")
    config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "tried", "namespace": real_namespace}}
    async with connected(real_cluster.kubeconfig) as administrator:
        for manifest in (role, bound):
            assert (await apply(administrator, manifest)).status == 201
    async with connected(await real_cluster.kubeconfig_for_service_account(real_namespace, "some")) as account:
        async with asyncio.timeout(10):
            while said not in (answer := await apply(account, config_map, dryRun="All")).body.get("message", "tried"):
                pass
    assert (answer.status == 201) is (said == "tried")
