"""What both kinds of cluster promise a test: a namespace of its own, an administrator's kubeconfig, an audit log."""

from __future__ import annotations

from kubernetes_asyncio import client, config

from sandbox.testcluster import AuditLog, TestCluster


async def test_writes_are_told_from_tries_and_reads(any_cluster: TestCluster, any_namespace: str) -> None:
    log = AuditLog(any_cluster.audit_log)
    async with await config.new_client_from_config(str(any_cluster.kubeconfig)) as api:
        api.user_agent = "perigee-test/1"
        maps = client.CoreV1Api(api)
        body = client.V1ConfigMap(metadata=client.V1ObjectMeta(name="made"))
        mark = await log.mark()
        await maps.create_namespaced_config_map(any_namespace, body, dry_run="All")
        await maps.list_namespaced_config_map(any_namespace)
        assert list((await log.read(mark)).writes(user_agent="perigee-test")) == []
        await maps.create_namespaced_config_map(any_namespace, body)
        await maps.delete_namespaced_config_map("made", any_namespace)
    ours = (await log.read(mark)).by(user_agent="perigee-test")
    assert [(request.verb, request.resource) for request in ours.writes()] == [
        ("create", "configmaps"),
        ("delete", "configmaps"),
    ]
    assert {request.namespace for request in ours} == {any_namespace}
    assert len(ours.of(verb="create", dry_run=True)) == 1


async def test_a_lease_is_no_write(any_cluster: TestCluster, any_namespace: str) -> None:
    log = AuditLog(any_cluster.audit_log)
    mark = await log.mark()
    async with await config.new_client_from_config(str(any_cluster.kubeconfig)) as api:
        api.user_agent = "perigee-test/2"
        lease = client.V1Lease(metadata=client.V1ObjectMeta(name="leader"), spec=client.V1LeaseSpec())
        await client.CoordinationV1Api(api).create_namespaced_lease(any_namespace, lease)
    ours = (await log.read(mark)).by(user_agent="perigee-test/2")
    assert [request.resource for request in ours] == ["leases.coordination.k8s.io"]
    assert list(ours.writes()) == []
