"""The real test cluster keeps its promises: quick, apart from others, workloads that come up, nothing left behind."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from sandbox.realcluster import Programs, RealCluster
from sandbox.realcluster.faults import ProgramDied
from sandbox.testcluster import AuditLog
from tests.support.kubectl import Kubectl, KubectlFailed


@pytest.fixture
def kubectl(real_cluster: RealCluster, real_namespace: str) -> Kubectl:
    return Kubectl(real_cluster.programs["kubectl"], real_cluster.kubeconfig, real_namespace)


def workload(kind: str, **spec: Any) -> dict[str, Any]:
    labels = {"app": kind.lower()}
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": kind.lower()},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "initContainers": [
                        {"name": "once", "image": "test:1"},
                        {"name": "sidecar", "image": "test:1", "restartPolicy": "Always"},
                    ],
                    "containers": [{"name": "main", "image": "test:1"}],
                },
            },
            **spec,
        },
    }


def job(name: str, annotations: dict[str, str] | None = None) -> dict[str, Any]:
    pod = {"restartPolicy": "Never", "containers": [{"name": "main", "image": "test:1"}]}
    template = {"metadata": {"annotations": annotations or {}}, "spec": pod}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {"backoffLimit": 0, "template": template},
    }


def claim(name: str, size: str) -> dict[str, Any]:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": spec}


async def test_a_deployment_becomes_available_and_goes_again(kubectl: Kubectl) -> None:
    await kubectl.apply(workload("Deployment", replicas=3))
    await kubectl.wait("deployment/deployment", until="condition=available")
    pods = (await kubectl.get("pods"))["items"]
    assert len({pod["status"]["podIP"] for pod in pods}) == 3
    await kubectl("delete", "deployment/deployment", "--cascade=foreground", "--timeout=20s")
    assert (await kubectl.get("pods"))["items"] == []


async def test_a_stateful_set_with_claims_becomes_ready(kubectl: Kubectl) -> None:
    template = claim("files", "1Gi")
    stateful = workload("StatefulSet", replicas=2, serviceName="files", volumeClaimTemplates=[template])
    stateful["spec"]["template"]["spec"]["containers"][0]["volumeMounts"] = [{"name": "files", "mountPath": "/files"}]
    await kubectl.apply(stateful)
    await kubectl.wait("statefulset/statefulset", until="jsonpath={.status.readyReplicas}=2")
    claims = (await kubectl.get("pvc"))["items"]
    assert [claim["status"]["phase"] for claim in claims] == ["Bound", "Bound"]


async def test_a_claim_grows_and_its_volume_goes_with_it(kubectl: Kubectl) -> None:
    await kubectl.apply(claim("files", "1Gi"))
    await kubectl.wait("pvc/files", until="jsonpath={.status.phase}=Bound")
    volume = (await kubectl.get("pvc/files"))["spec"]["volumeName"]
    await kubectl.apply(claim("files", "2Gi"))
    await kubectl.wait("pvc/files", until="jsonpath={.status.capacity.storage}=2Gi")
    await kubectl("delete", "pvc/files", "--timeout=20s")
    await kubectl.wait(f"pv/{volume}", until="delete")


async def test_a_job_succeeds(kubectl: Kubectl) -> None:
    await kubectl.apply(job("works"))
    await kubectl.wait("job/works", until="condition=complete")


async def test_a_job_fails_when_told_to(kubectl: Kubectl) -> None:
    await kubectl.apply(job("breaks", {"sandbox.perigee.dev/simulate": "fail"}))
    await kubectl.wait("job/breaks", until="condition=failed")


async def test_a_restricted_namespace_refuses_what_is_not_restricted(kubectl: Kubectl) -> None:
    await kubectl("label", "namespace", kubectl.namespace, "pod-security.kubernetes.io/enforce=restricted")
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "root"}}
    with pytest.raises(KubectlFailed, match="violates PodSecurity"):
        await kubectl.apply({**pod, "spec": {"containers": [{"name": "main", "image": "test:1"}]}})


async def test_a_service_account_may_do_what_its_role_says_and_no_more(
    real_cluster: RealCluster, kubectl: Kubectl
) -> None:
    namespace = kubectl.namespace
    restricted = await real_cluster.kubeconfig_for_service_account(namespace, "reader")
    await kubectl("create", "role", "reader", "--verb=get,list", "--resource=configmaps")
    await kubectl("create", "rolebinding", "reader", "--role=reader", f"--serviceaccount={namespace}:reader")
    reader = Kubectl(real_cluster.programs["kubectl"], restricted, namespace)
    names = [item["metadata"]["name"] for item in (await reader.get("configmaps"))["items"]]
    assert names == ["kube-root-ca.crt"]
    with pytest.raises(KubectlFailed, match="is forbidden"):
        await reader("create", "configmap", "mine")


async def test_the_audit_log_tells_writes_from_the_rest(real_cluster: RealCluster, kubectl: Kubectl) -> None:
    log, namespace = AuditLog(real_cluster.audit_log), kubectl.namespace
    user = f"system:serviceaccount:{namespace}:writer"
    restricted = await real_cluster.kubeconfig_for_service_account(namespace, "writer")
    await kubectl("create", "rolebinding", "writer", "--clusterrole=admin", f"--serviceaccount={namespace}:writer")
    writer = Kubectl(real_cluster.programs["kubectl"], restricted, namespace)
    mark = await log.mark()
    await writer("create", "configmap", "tried", "--dry-run=server")
    await writer("auth", "can-i", "get", "pods")
    await writer.get("configmaps")
    assert list((await log.read(mark)).writes(user=user)) == []
    await writer("create", "configmap", "made")
    requests = await log.read(mark)
    assert [(w.verb, w.resource, w.name, w.code) for w in requests.writes(user=user)] == [
        ("create", "configmaps", "made", 201)
    ]
    assert requests.counts()[(user, "create", "configmaps", True)] == 1
    assert requests.counts()[(user, "list", "configmaps", False)] == 1


async def test_a_request_is_logged_before_its_answer_is_read(real_cluster: RealCluster, kubectl: Kubectl) -> None:
    log = AuditLog(real_cluster.audit_log)
    for number in range(5):
        mark = await log.mark()
        await kubectl("create", "configmap", f"made-{number}")
        written = (await log.read(mark)).writes(user="admin").of(resource="configmaps")
        assert f"made-{number}" in {request.name for request in written}


@pytest.fixture
async def second_cluster(real_programs: Programs) -> AsyncIterator[RealCluster]:
    async with RealCluster(real_programs, name="second", simulated_nodes=3) as cluster:
        yield cluster


async def test_two_clusters_side_by_side_share_nothing(kubectl: Kubectl, second_cluster: RealCluster) -> None:
    other = Kubectl(second_cluster.programs["kubectl"], second_cluster.kubeconfig)
    await kubectl("create", "configmap", "here")
    assert kubectl.namespace not in {item["metadata"]["name"] for item in (await other.get("namespaces"))["items"]}
    assert len((await other.get("nodes"))["items"]) == 3


async def test_stopping_leaves_neither_processes_nor_files(real_programs: Programs) -> None:
    async with RealCluster(real_programs, name="short") as cluster:
        home, processes = cluster.home, [psutil.Process(pid) for pid in cluster.process_ids.values()]
        assert all(process.is_running() for process in processes)
    assert not any(process.is_running() for process in processes)
    assert not home.exists()


async def test_a_program_that_dies_is_named_with_its_last_words(real_programs: Programs, tmp_path: Path) -> None:
    broken = tmp_path / "etcd"
    broken.write_text("#!/bin/sh\necho the disk is made of cheese\nexit 7\n", encoding="utf-8")
    broken.chmod(0o700)
    cluster = RealCluster(Programs({**real_programs.paths, "etcd": broken}), name="broken")
    with pytest.raises(ProgramDied, match=r"etcd ended with code 7[\s\S]*made of cheese"):
        async with cluster:
            pass
    assert cluster.process_ids == {}


OWNER = """
import asyncio, json
from sandbox.realcluster import RealCluster, find_programs, read_environment

async def main():
    async with RealCluster(find_programs(read_environment()), name="orphan") as cluster:
        print(json.dumps([str(cluster.home), *cluster.process_ids.values()]), flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_a_killed_owner_takes_its_cluster_along(real_programs: Programs) -> None:
    owner = await asyncio.create_subprocess_exec(sys.executable, "-c", OWNER, stdout=asyncio.subprocess.PIPE)
    assert owner.stdout is not None
    home, *pids = json.loads(await owner.stdout.readline())
    processes = [psutil.Process(pid) for pid in pids]
    os.kill(owner.pid, signal.SIGKILL)
    await owner.wait()
    _, alive = await asyncio.to_thread(psutil.wait_procs, processes, timeout=10)
    assert alive == []
    # The folder of a dead owner goes with the next start.
    async with RealCluster(real_programs, name="next"):
        assert home not in {str(folder) for folder in Path(home).parent.iterdir()}
