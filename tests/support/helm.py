"""helm from a test, on the repository's chart: what it prints, and what it installs.

Here: running it. Not here: a stranger's release beside an instance (`release`).
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import yaml

from agent.model.objects import Manifest
from sandbox.realcluster import RealCluster, read_environment
from tests.support.kube import connected
from tests.support.kubectl import Kubectl
from tests.support.rights import ACCOUNT, IN_FORCE_SECONDS, path_in_cluster, succeeded

CHART = Path(__file__).parents[2] / "helm" / "perigee-agent"
OLDEST = "1.30.0"
"""The Kubernetes that charts are rendered for where none is asked."""
RELEASE = "perigee-agent"
DIGEST = "sha256:" + "0f1e2d3c4b5a6978" * 4
VALUES: dict[str, Any] = {
    "image": {"repository": "localhost/perigee-agent", "digest": DIGEST},
    "settings": {
        "cluster": {"name": "eu-1"},
        "uplink": {
            "agentsUrl": "https://plane.example.com:8443",
            "enrolUrl": "https://plane.example.com:8445",
            "rootFingerprint": DIGEST,
        },
    },
}
"""The least that the chart takes."""


class HelmFailed(Exception):
    """helm said no; the message is what it said."""


@dataclass(frozen=True, slots=True)
class Helm:
    """helm, as far as it needs no cluster; ``folder`` is for the values and for what it keeps of its own."""

    program: Path
    folder: Path
    namespace: str = "perigee-system"

    async def template(self, values: dict[str, Any], *, kinds: tuple[str, ...] = ()) -> list[Manifest]:
        """The objects that the chart comes to, or those of some kinds. Raises HelmFailed."""
        text = await self.run("template", RELEASE, CHART, "--kube-version", OLDEST, "--values", self.file(values))
        found: list[Manifest] = [one for one in yaml.safe_load_all(text) if one]
        return [one for one in found if not kinds or one["kind"] in kinds]

    async def run(self, *arguments: str | Path, kubeconfig: Path | None = None) -> str:
        """Run it and give what it prints. Raises HelmFailed when it does not succeed."""
        home = self.folder / "helm"
        folders = {f"HELM_{name}_HOME": str(home / name.lower()) for name in ("CACHE", "CONFIG", "DATA")}
        process = await asyncio.create_subprocess_exec(
            self.program, *arguments, "--namespace", self.namespace,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**read_environment().variables, **folders, "KUBECONFIG": str(kubeconfig or home / "none")},
        )  # fmt: skip
        said, complained = await process.communicate()
        if process.returncode != 0:
            raise HelmFailed(complained.decode())
        return said.decode()

    def file(self, values: dict[str, Any]) -> Path:
        """The values as a file."""
        path = self.folder / "values.yaml"
        path.write_text(yaml.safe_dump(values), encoding="utf-8")
        return path


def with_pool(*namespaces: str) -> dict[str, Any]:
    """The least values for an agent in a fixed pool."""
    return {**VALUES, "rights": {"mode": "namespaces", "namespaces": list(namespaces)}}


RIGHTS = ("ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")
FENCE = ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")


@asynccontextmanager
async def chart_account(cluster: RealCluster, values: dict[str, Any], namespace: str) -> AsyncIterator[Path]:
    """The kubeconfig of the account that the chart makes, with what it grants: `helm template | kubectl apply`.

    Namespaces stay at the end; what is outside of namespaces goes.
    """
    kubectl = Kubectl(cluster.programs["kubectl"], cluster.kubeconfig, namespace="")
    with tempfile.TemporaryDirectory(prefix="perigee-helm-") as folder:
        helm = Helm(cluster.programs["helm"], Path(folder), namespace)
        manifests = await helm.template(values, kinds=(*RIGHTS, *FENCE))
    await kubectl.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    await kubectl.apply(*manifests)
    yield await cluster.kubeconfig_for_service_account(namespace, ACCOUNT)
    async with connected(cluster.kubeconfig) as administrator:
        for manifest in manifests:
            if "namespace" not in manifest["metadata"]:
                await succeeded(administrator, "DELETE", path_in_cluster(manifest))


@asynccontextmanager
async def pool_account(cluster: RealCluster, namespace: str, *pool: str) -> AsyncIterator[Path]:
    """The kubeconfig of an agent's account in mode `namespaces`, once it may work in the whole pool, which is made."""
    kubectl = Kubectl(cluster.programs["kubectl"], cluster.kubeconfig, namespace="")
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    for name in pool:
        await kubectl.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
    async with chart_account(cluster, with_pool(*pool), namespace) as kubeconfig, connected(kubeconfig) as account:
        async with asyncio.timeout(IN_FORCE_SECONDS):
            for name in pool:
                while (await account.request("GET", f"/api/v1/namespaces/{name}/secrets")).status != HTTPStatus.OK:
                    pass
        yield kubeconfig
    await kubectl("delete", "namespace", *pool, "--wait=false")
