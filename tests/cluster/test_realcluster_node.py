"""The real node: containers run, names resolve, Services answer, volumes can be written; and nothing of it stays."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.realcluster import Programs, ProgramsMissing, RealCluster, find_programs, read_environment
from sandbox.realcluster.images import PAUSE, Image, write_image
from tests.support.kubectl import Kubectl

PROBE = "localhost/probe:1"
AUTHORITY = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"

INTERFACES = Path("/sys/class/net")

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def node_programs() -> Programs:
    environment = read_environment()
    if os.geteuid() != 0:
        pytest.skip("a real node makes namespaces and interfaces: run the tests as root")
    try:
        return find_programs(environment, node=True)
    except ProgramsMissing as missing:
        if environment.strict:
            pytest.fail(str(missing), pytrace=False)
        pytest.skip(str(missing))


@pytest.fixture(scope="module")
def probe_image(node_programs: Programs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image whose one program can look up names, speak to the API and write files: kubectl, which is static."""
    root = tmp_path_factory.mktemp("probe")
    shutil.copyfile(node_programs["kubectl"].resolve(), root / "kubectl")
    (root / "kubectl").chmod(0o755)
    archive = tmp_path_factory.mktemp("images") / "probe.tar"
    write_image(archive, Image(PROBE, [root], {"Entrypoint": ["/kubectl"], "User": "50000:0"}))
    return archive


@pytest.fixture(scope="module")
async def cluster(node_programs: Programs, probe_image: Path) -> AsyncIterator[RealCluster]:
    async with RealCluster(node_programs, name="node", node=True) as cluster:
        await cluster.load_image(probe_image)
        yield cluster


@pytest.fixture
def kubectl(cluster: RealCluster) -> Kubectl:
    return Kubectl(cluster.programs["kubectl"], cluster.kubeconfig)


def probe(name: str, *arguments: str, **pod: Any) -> dict[str, Any]:
    container = {"name": "main", "image": PROBE, "imagePullPolicy": "Never", "args": list(arguments)}
    container |= {"volumeMounts": pod.pop("mounts", [])}
    spec = {"restartPolicy": "Never", "containers": [container], **pod}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {"backoffLimit": 0, "template": {"spec": spec}},
    }


async def test_a_pod_without_a_program_of_its_own_runs(kubectl: Kubectl) -> None:
    container = {"name": "main", "image": PAUSE, "imagePullPolicy": "Never"}
    await kubectl.apply(
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "idle"}, "spec": {"containers": [container]}}
    )
    await kubectl.wait("pod/idle", until="condition=ready")
    await kubectl("delete", "pod/idle", "--grace-period=1", "--timeout=20s")


async def test_a_container_reaches_the_api_server_by_its_service_and_its_log_is_read(kubectl: Kubectl) -> None:
    await kubectl.apply(probe("version", "version"))
    assert "Server Version: v1." in await kubectl.finish("version")


async def test_a_container_resolves_names_of_the_cluster(kubectl: Kubectl) -> None:
    server = ("--server=https://kubernetes.default.svc", f"--certificate-authority={AUTHORITY}")
    # A user that nobody knows is anonymous, and everybody may ask whether the server is ready.
    anonymous = ("--username=nobody", "--password=nothing")
    await kubectl.apply(probe("names", *server, *anonymous, "get", "--raw=/readyz"))
    assert await kubectl.finish("names") == "ok"


async def test_an_ordinary_user_writes_into_a_volume(kubectl: Kubectl) -> None:
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "files"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    volume = {"name": "files", "persistentVolumeClaim": {"claimName": "files"}}
    write = probe(
        "write",
        "config",
        "set-cluster",
        "written",
        "--kubeconfig=/files/config",
        volumes=[volume],
        mounts=[{"name": "files", "mountPath": "/files"}],
    )
    await kubectl.apply(claim, write)
    assert 'Cluster "written" set' in await kubectl.finish("write")


async def test_two_nodes_side_by_side_and_nothing_left(node_programs: Programs, cluster: RealCluster) -> None:
    async with RealCluster(node_programs, name="other", node=True) as other:
        home = other.home
        assert other.server.partition(":")[2] != cluster.server.partition(":")[2]
        link = (await asyncio.to_thread(links, other)).pop()
        assert await asyncio.to_thread(groups, home) != set()
    assert link not in {path.name for path in await asyncio.to_thread(lambda: list(INTERFACES.iterdir()))}
    assert await asyncio.to_thread(groups, home) == set()
    # Its mounts and iptables rules are in namespaces of its own: the host never sees them.
    assert str(home) not in await asyncio.to_thread(Path("/proc/mounts").read_text, encoding="utf-8")


def groups(home: Path) -> set[str]:
    """The control groups that a cluster made on its host."""
    return {str(group) for group in Path("/sys/fs/cgroup").glob(f"**/{home.name}")}


def links(cluster: RealCluster) -> set[str]:
    """The interface by which the host reaches a cluster: its number is in the server's address."""
    number = cluster.server.split(".")[2]
    return {path.name for path in INTERFACES.iterdir() if path.name == f"perigee{number}"}
