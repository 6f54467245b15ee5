"""The fault proxy where it has no fault: it is the cluster behind it, for whoever comes."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest
from kubernetes_asyncio import client, config

from sandbox.faults import Conflicting, Fault, FaultyCluster, Where, throttled
from sandbox.faults.proxy import FaultProxy
from sandbox.kubeconfigs import read
from sandbox.realcluster import RealCluster
from sandbox.testcluster import AuditLog, TestCluster
from tests.support.clusters import fresh_namespace
from tests.support.faults import listening
from tests.support.kube import Json, Kube, Response, connected
from tests.support.objects import MERGE_PATCH, Objects, config_map

MANY = 200


@pytest.mark.parametrize("way_to_fail", ["embedded_proxy", "real_proxy"], indirect=True)
async def test_it_shows_what_is_behind_it(
    request: pytest.FixtureRequest, way_to_fail: str, any_faulty_cluster: FaultyCluster
) -> None:
    behind: TestCluster = request.getfixturevalue(way_to_fail.replace("proxy", "cluster"))
    async with connected(behind.kubeconfig) as direct, connected(any_faulty_cluster.kubeconfig) as kube:
        for path in ("/version", "/api/v1", "/openapi/v3", "/healthz", "/api/v1/nodes", "/nowhere", "/apis/a%2Fb"):
            straight, through = await direct.request("GET", path), await kube.request("GET", path)
            assert (through.status, through.body) == (straight.status, straight.body), path
    assert any_faulty_cluster.server != behind.server
    assert any_faulty_cluster.audit_log == behind.audit_log


async def test_many_requests_at_once_pass(embedded_proxy: FaultProxy) -> None:
    async with fresh_namespace(embedded_proxy) as namespace, connected(embedded_proxy.kubeconfig) as kube:
        objects = Objects(kube, namespace)
        params = {"labelSelector": "many"}
        async with listening(kube, objects.collection(config_map()), params) as heard, asyncio.TaskGroup() as group:
            for number in range(MANY):
                document: Json = config_map(f"c{number}", n=str(number))
                document["metadata"]["labels"] = {"many": "yes"}
                group.create_task(objects.create(document, "ann"))
            await heard.until(MANY)


async def test_who_shows_a_token_is_that_user_behind_it(
    real_cluster: RealCluster, real_proxy: FaultProxy, real_namespace: str
) -> None:
    account = await real_cluster.kubeconfig_for_service_account(real_namespace, "visitor")
    through = await real_proxy.kubeconfig_like(account)
    log = AuditLog(real_proxy.audit_log)
    mark = await log.mark()
    async with connected(through) as kube:
        answer = await kube.request("GET", f"/api/v1/namespaces/{real_namespace}/configmaps")
    assert (answer.status, answer.body["reason"]) == (403, "Forbidden")
    user = f"system:serviceaccount:{real_namespace}:visitor"
    assert [request.code for request in (await log.read(mark)).by(user=user)] == [403]
    assert (await asyncio.to_thread(read, through)).server == real_proxy.server


async def test_a_wrong_token_is_wrong_behind_it(real_proxy: FaultProxy) -> None:
    async with connected(real_proxy.kubeconfig) as kube:
        answer = await kube.request("GET", "/api/v1/nodes", headers={"Authorization": "Bearer nobody"})
    assert (answer.status, answer.body["reason"]) == (401, "Unauthorized")


async def test_who_shows_nothing_is_the_administrator(embedded_proxy: FaultProxy) -> None:
    async with connected(embedded_proxy.kubeconfig) as kube:
        answer = await kube.request("GET", "/api/v1/nodes", headers={"Authorization": ""})
    assert answer.status == 200


async def test_a_generated_client_passes_too(real_proxy: FaultProxy) -> None:
    async with await config.new_client_from_config(str(real_proxy.kubeconfig)) as api:
        found = await client.CoreV1Api(api).list_namespace()
    assert "default" in {item.metadata.name for item in found.items}


async def test_connections_that_change_their_protocol_are_refused(embedded_proxy: FaultProxy) -> None:
    async with connected(embedded_proxy.kubeconfig) as kube:
        headers = {"Connection": "Upgrade", "Upgrade": "SPDY/3.1"}
        answer = await kube.request("GET", "/api/v1/namespaces/default/pods/a/exec", headers=headers)
    assert answer.status == 501


async def test_a_server_that_is_gone_is_gone_through_it_too(
    embedded_cluster: FaultyCluster, embedded_proxy: FaultProxy
) -> None:
    async with connected(embedded_proxy.kubeconfig) as kube:
        async with embedded_cluster.door.refusing():
            with pytest.raises(aiohttp.ClientError):
                await kube.request("GET", "/readyz")
        assert (await kube.request("GET", "/readyz")).status == 200


FLOW = "/apis/flowcontrol.apiserver.k8s.io/v1"


async def test_throttling_is_worded_as_the_real_servers(
    real_cluster: RealCluster, real_proxy: FaultProxy, real_namespace: str
) -> None:
    """A flow that gets no share of the server is refused by it: that is how to get a genuine answer."""
    account = await real_cluster.kubeconfig_for_service_account(real_namespace, "flood")
    name = f"flood-{real_namespace}"
    async with connected(real_cluster.kubeconfig) as admin, connected(account) as flood:
        await _starved(admin, name, real_namespace)
        try:
            genuine = await _refused(flood)
        finally:
            await admin.request("DELETE", f"{FLOW}/flowschemas/{name}")
            await admin.request("DELETE", f"{FLOW}/prioritylevelconfigurations/{name}")
    async with connected(real_proxy.kubeconfig) as kube:
        with real_proxy.faults.on(Fault(throttled(), Where(resource="nodes"))):
            ours = await kube.request("GET", "/api/v1/nodes")
    assert (ours.status, ours.body) == (genuine.status, genuine.body)
    for header in ("Retry-After", "Content-Type", "X-Content-Type-Options"):
        assert ours.headers[header] == genuine.headers[header]


async def _refused(flood: Kube) -> Response:
    """The answer of one request too many; one at a time always passes."""
    async with asyncio.timeout(20):
        while True:
            for answer in await asyncio.gather(*(flood.request("GET", "/api/v1/nodes") for _ in range(20))):
                if answer.status == 429:
                    return answer


async def _starved(admin: Kube, name: str, namespace: str) -> None:
    """A flow of one account's requests, with no seat and no queue."""
    limited = {"nominalConcurrencyShares": 0, "lendablePercent": 0, "limitResponse": {"type": "Reject"}}
    level = {"metadata": {"name": name}, "spec": {"type": "Limited", "limited": limited | {"borrowingLimitPercent": 0}}}
    subject = {"kind": "ServiceAccount", "serviceAccount": {"name": "flood", "namespace": namespace}}
    everything = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "clusterScope": True, "namespaces": ["*"]}
    schema = {
        "metadata": {"name": name},
        "spec": {
            "priorityLevelConfiguration": {"name": name},
            "matchingPrecedence": 2,
            "rules": [{"subjects": [subject], "resourceRules": [everything]}],
        },
    }
    for path, document in (("prioritylevelconfigurations", level), ("flowschemas", schema)):
        answer = await admin.request("POST", f"{FLOW}/{path}", document)
        assert answer.status == 201, answer.body


async def test_yaml_is_contested_as_well(embedded_proxy: FaultProxy) -> None:
    """kubectl applies what people write."""
    async with fresh_namespace(embedded_proxy) as namespace, connected(embedded_proxy.kubeconfig) as kube:
        objects = Objects(kube, namespace)
        stored = await objects.apply(config_map(a="1"), "ann")
        version = stored["metadata"]["resourceVersion"]
        text = (
            "apiVersion: v1\nkind: ConfigMap\n"
            f'metadata: {{name: settings, resourceVersion: "{version}"}}\ndata: {{a: "2"}}\n'
        )
        with embedded_proxy.faults.on(Fault(Conflicting(), Where(namespace=namespace))):
            answer = await kube.request(
                "PATCH", objects.path(config_map()), text, content_type="application/apply-patch+yaml",
                params={"fieldManager": "ann"},
            )  # fmt: skip
        assert (answer.status, answer.body["reason"]) == (409, "Conflict")
        assert (await objects.patch(config_map(), {"data": {"a": "3"}}, "ann", form=MERGE_PATCH))["data"] == {"a": "3"}
