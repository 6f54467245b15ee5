"""The chart: what helm makes of it, what it refuses, and that a real API server takes it under `restricted`.

The expected renderings are in tests/cluster/chart; after a change that is wanted, write one anew:
`helm template perigee-agent helm/perigee-agent --namespace perigee-system --kube-version 1.30.0
--values tests/cluster/chart/MODE.values.yaml > tests/cluster/chart/MODE.yaml`
"""

from __future__ import annotations

import asyncio
import copy
import uuid
from pathlib import Path
from typing import Any

import pytest
import yaml

from agent.model.objects import Manifest
from agent.settings import DaemonSettings, Settings, load
from sandbox.realcluster import Programs, RealCluster
from tests.support.helm import CHART, VALUES, Helm, HelmFailed, with_pool
from tests.support.kubectl import Kubectl
from tests.support.pod_security import violations
from tests.support.rights import FILE, POD_SECURITY

EXPECTED = Path(__file__).parent / "chart"
MODES = ("cluster", "namespaces")
OF_RIGHTS = {
    "ClusterRole",
    "ClusterRoleBinding",
    "Role",
    "RoleBinding",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
}


@pytest.fixture
def helm(real_programs: Programs, tmp_path: Path) -> Helm:
    return Helm(real_programs["helm"], tmp_path)


def values_of(mode: str) -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load((EXPECTED / f"{mode}.values.yaml").read_text())
    return values


def changed(path: str, value: Any, **base: Any) -> dict[str, Any]:
    values = copy.deepcopy(base or VALUES)
    *branches, leaf = path.split(".")
    node = values
    for branch in branches:
        node = node.setdefault(branch, {})
    node[leaf] = value
    return values


def keyed(manifests: list[Manifest]) -> dict[tuple[str, str, str], Manifest]:
    return {(one["kind"], one["metadata"].get("namespace", ""), one["metadata"]["name"]): one for one in manifests}


@pytest.mark.parametrize("mode", MODES)
async def test_helm_finds_nothing_to_complain_about(helm: Helm, mode: str) -> None:
    await helm.run("lint", "--strict", CHART, "--values", EXPECTED / f"{mode}.values.yaml")


@pytest.mark.parametrize("mode", MODES)
async def test_it_comes_to_what_was_looked_at_once(helm: Helm, mode: str) -> None:
    expected = [one for one in yaml.safe_load_all((EXPECTED / f"{mode}.yaml").read_text()) if one]
    assert keyed(await helm.template(values_of(mode))) == keyed(expected)


async def test_without_helm_the_rights_are_the_same(helm: Helm) -> None:
    plain = [one for one in yaml.safe_load_all(FILE.read_text()) if one["kind"] in OF_RIGHTS]
    assert keyed(await helm.template(VALUES, kinds=tuple(OF_RIGHTS))) == keyed(plain)


async def test_a_pool_gives_no_right_outside_of_it(helm: Helm) -> None:
    rights = await helm.template(with_pool("one", "two"), kinds=tuple(OF_RIGHTS))
    assert {one["kind"] for one in rights} == {"Role", "RoleBinding"}
    assert {one["metadata"]["namespace"] for one in rights} == {"one", "two", "perigee-system"}


async def test_rights_may_be_left_to_somebody_else(helm: Helm) -> None:
    assert await helm.template(changed("rights.create", False), kinds=tuple(OF_RIGHTS)) == []


@pytest.mark.parametrize("mode", MODES)
async def test_the_pod_keeps_to_the_restricted_standard(helm: Helm, mode: str) -> None:
    [deployment] = await helm.template(values_of(mode), kinds=("Deployment",))
    spec = deployment["spec"]["template"]["spec"]
    assert violations(spec) == []
    [container] = spec["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)


@pytest.mark.parametrize("mode", MODES)
async def test_the_agent_understands_the_settings_that_it_is_given(helm: Helm, tmp_path: Path, mode: str) -> None:
    settings = await settings_of(helm, tmp_path, values_of(mode))
    pooled = mode == "namespaces"
    assert settings.cluster.namespaces == (("airflow-sales", "airflow-hr") if pooled else ())
    assert settings.cluster.service_account == (None if pooled else "perigee-agent")
    assert settings.cluster.namespace == "perigee-system"


async def settings_of(helm: Helm, folder: Path, values: dict[str, Any]) -> Settings:
    found = await helm.template(values, kinds=("ConfigMap",))
    file = folder / "agent.yaml"
    file.write_text(found[0]["data"]["agent.yaml"])
    return await asyncio.to_thread(load, file, {})


@pytest.mark.parametrize("grace", [None, 7, 0.5])
async def test_the_kubelet_is_more_patient_than_the_agent(helm: Helm, tmp_path: Path, grace: float | None) -> None:
    values = VALUES if grace is None else changed("settings.daemon.graceSeconds", grace)
    [deployment] = await helm.template(values, kinds=("Deployment",))
    settings = await settings_of(helm, tmp_path, values)
    assert settings.daemon.grace_seconds == (DaemonSettings().grace_seconds if grace is None else grace)
    # Beside the loops' own time, five seconds to release the lease.
    assert deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] >= settings.daemon.grace_seconds + 10


async def test_a_changed_setting_rolls_the_pods(helm: Helm) -> None:
    def checksum(deployments: list[Manifest]) -> str:
        [deployment] = deployments
        return str(deployment["spec"]["template"]["metadata"]["annotations"]["perigee.dev/settings-checksum"])

    before = await helm.template(VALUES, kinds=("Deployment",))
    after = await helm.template(changed("settings.log.level", "debug"), kinds=("Deployment",))
    assert checksum(before) != checksum(after)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (changed("image.digest", "latest"), "/image/digest"),
        (changed("image.tag", "latest"), "'tag' not allowed"),
        (changed("settings.cluster", {}), "missing property 'name'"),
        (changed("settings.uplink.agentUrl", "https://plane.example.com"), "'agentUrl' not allowed"),
        (changed("settings.cluster.namespace", "elsewhere"), "'namespace' not allowed"),
        (changed("settings.cluster.serviceAccount", "other"), "'serviceAccount' not allowed"),
        (changed("settings.log.level", "loud"), "/settings/log/level"),
        (changed("settings.reconcile.pruneLimit", "many"), "/settings/reconcile/pruneLimit"),
        (changed("settings.uplink.rootFingerprint", ""), "how the control plane is known"),
        (changed("uplink", {"ca": "-----BEGIN CERTIFICATE-----", "caConfigMap": "ca"}), "/uplink"),
        (changed("enrolment", {"token": "one", "existingSecret": "two"}), "/enrolment"),
        (changed("rights", {"mode": "namespaces"}), "/rights/namespaces"),
        (changed("rights", {"mode": "everything"}), "/rights/mode"),
        (changed("rights", {"namespaces": ["one"]}), "/rights/namespaces"),
        (with_pool("one", "one"), "/rights/namespaces"),
        (with_pool(*(f"airflow-{number}" for number in range(51))), "/rights/namespaces"),
        (with_pool("Not_A_Name"), "/rights/namespaces/0"),
        (changed("runAsUser", 0), "/runAsUser"),
        (changed("replicaCount", 3), "'replicaCount' not allowed"),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
async def test_values_that_cannot_be_meant_are_refused(helm: Helm, values: dict[str, Any], said: str) -> None:
    with pytest.raises(HelmFailed) as failed:
        await helm.template(values)
    assert said in str(failed.value)


async def test_no_refusal_repeats_a_token(helm: Helm) -> None:
    with pytest.raises(HelmFailed) as failed:
        await helm.template(changed("enrolment", {"token": "s3cret-token", "existingSecret": "two"}))
    assert "s3cret-token" not in str(failed.value)


@pytest.mark.timeout(180)
async def test_a_real_cluster_takes_it_in_a_namespace_under_restricted(real_cluster: RealCluster, helm: Helm) -> None:
    name = f"agent-{uuid.uuid4().hex[:8]}"
    kubectl = Kubectl(real_cluster.programs["kubectl"], real_cluster.kubeconfig, name)
    home: Manifest = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": {POD_SECURITY: "restricted"}},
    }
    await kubectl.apply(home, {**home, "metadata": {"name": f"{name}-pool"}})
    here = Helm(helm.program, helm.folder, name)
    file = here.file(with_pool(f"{name}-pool"))
    # Nodes are simulated: a pod of any image runs there, and is ready.
    arguments = ("perigee-agent", CHART, "--values", file, "--wait", "--timeout", "90s")
    said = await here.run("install", *arguments, kubeconfig=real_cluster.kubeconfig)
    assert f"kubectl label --overwrite namespace {name}-pool {POD_SECURITY}=restricted" in said
    assert "token create --directory plane --cluster eu-1" in said
    deployment = await kubectl.get("deployment", "perigee-agent")
    assert deployment["status"]["readyReplicas"] == 2
    await here.run("upgrade", *arguments, kubeconfig=real_cluster.kubeconfig)
    await here.run("uninstall", "perigee-agent", "--wait", kubeconfig=real_cluster.kubeconfig)
    left = await kubectl.get("roles,rolebindings", f"--namespace={name}-pool")
    assert left["items"] == []
    await kubectl("delete", "namespace", name, f"{name}-pool", "--wait=false")
