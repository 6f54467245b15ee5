"""The simulated part of a test cluster: nodes whose pods run without containers, and a provisioner of volumes. Played
by kwok.

Here: its command, its stages and the objects that it needs. Not here: real nodes (`node`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from sandbox.realcluster.credentials import KWOK
from sandbox.realcluster.programs import Programs
from sandbox.realcluster.supervision import Command
from sandbox.realcluster.volumes import PROVISIONER, STORAGE_CLASS, volume_stages
from sandbox.realcluster.workspace import Workspace

STAGES = Path(__file__).with_name("stages.yaml")
SIMULATED_VOLUMES = "/var/lib/perigee-simulated"
"""The path written into volumes whose pods are simulated too: nobody ever creates it."""


def write_stages(workspace: Workspace) -> None:
    """Put the stages where kwok reads them."""
    text = f"{STAGES.read_text(encoding='utf-8')}---\n{yaml.safe_dump_all(volume_stages(SIMULATED_VOLUMES))}"
    (workspace.home / "stages.yaml").write_text(text, encoding="utf-8")


def kwok(programs: Programs, workspace: Workspace) -> Command:
    """The controller that plays the stages, on the nodes labelled as simulated only."""
    return Command(
        "kwok",
        programs["kwok"],
        (
            f"--kubeconfig={workspace.kubeconfig(KWOK)}",
            f"--config={workspace.home}/stages.yaml",
            "--manage-nodes-with-label-selector=sandbox.perigee.dev/simulated=true",
            "--node-lease-duration-seconds=40",
            "--cidr=10.128.0.0/16",
        ),
    )


def simulated_node(name: str, version: str) -> dict[str, Any]:
    """A node that kwok brings to life, and that says its kubelet is of `version`."""
    labels = {
        "sandbox.perigee.dev/simulated": "true",
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
    }
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels, "annotations": {"sandbox.perigee.dev/version": version}},
    }


def storage_class(*, real: bool) -> dict[str, Any]:
    """The default StorageClass. Its provisioner is the stages of `volumes`, on a real node kube-controller-manager."""
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": STORAGE_CLASS, "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
        "provisioner": "kubernetes.io/host-path" if real else PROVISIONER,
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "Immediate",
        "allowVolumeExpansion": not real,
    }
