"""The one node that simulated pods run on. Pure: documents only."""

from __future__ import annotations

from sandbox.cluster.kinds import Json
from sandbox.cluster.selectors import labels_of

NODE_NAME = "simulated-0"
NODE_ADDRESS = "192.0.2.1"
NODE_DOCUMENT: Json = {
    "apiVersion": "v1",
    "kind": "Node",
    "metadata": {
        "name": NODE_NAME,
        "labels": {"kubernetes.io/hostname": NODE_NAME, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"},
    },
}
_SIZE = {"cpu": "1k", "memory": "1Ti", "ephemeral-storage": "1Ti", "pods": "10k"}


def takes(node: Json, spec: Json) -> bool:
    """Say whether a node has the labels that a pod asks for."""
    wanted: Json = spec.get("nodeSelector", {})
    return labels_of(node).items() >= wanted.items()


def node_status(now: str) -> Json:
    """Return the status of a node that takes pods."""
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "kubelet is posting ready status"}
    return {
        "conditions": [ready | {"lastHeartbeatTime": now, "lastTransitionTime": now}],
        "addresses": [{"type": "InternalIP", "address": NODE_ADDRESS}, {"type": "Hostname", "address": NODE_NAME}],
        "capacity": _SIZE,
        "allocatable": _SIZE,
        "nodeInfo": {
            "architecture": "amd64",
            "containerRuntimeVersion": "simulated",
            "kernelVersion": "simulated",
            "kubeletVersion": "v1.36.0",
            "operatingSystem": "linux",
            "osImage": "simulated",
        },
    }
