"""Which programs a test cluster consists of, where each comes from, and at which version.

Here: facts only. Not here: finding (`programs`) and compiling (`building`) them.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

KUBERNETES_VERSION = "1.36.3"
OLDEST_MINOR = 30
"""Perigee supports Kubernetes 1.30 and newer; older programs on the PATH are passed over."""

KUBE_SOURCE = Path(__file__).parent / "kube"
"""The Go module whose one binary is every program of Kubernetes and etcd."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """One thing that is compiled. `programs` are the names by which it is called; `package` is a Go package with its
    version, empty for our own module. `pin` changes whenever the result would, so that a cached one is never stale.
    """

    name: str
    package: str
    pin: str
    programs: tuple[str, ...]

    @property
    def folder(self) -> str:
        """Name of its folder in the cache."""
        return f"{self.name}-{self.pin}"


def _kube_pin() -> str:
    digest = hashlib.sha256()
    for source in ("go.mod", "go.sum", "main.go"):
        digest.update((KUBE_SOURCE / source).read_bytes())
    return digest.hexdigest()[:12]


CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl", "kwok", "helm")
NODE = ("kubelet", "kube-proxy", "coredns")
NODE_TOOLS = ("containerd", "ctr", "runc", "ip", "iptables", "conntrack", "bridge")
"""What a real node takes from the operating system; `bridge` is the CNI plugin and stands for all of them."""

ARTIFACTS = (
    Artifact(
        "kube",
        "",
        _kube_pin(),
        ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl", "kubelet", "kube-proxy"),
    ),
    Artifact("kwok", "sigs.k8s.io/kwok/cmd/kwok", "v0.8.0", ("kwok",)),
    Artifact("helm", "helm.sh/helm/v3/cmd/helm", "v3.22.0", ("helm",)),
    Artifact("coredns", "github.com/coredns/coredns", "v1.15.0", ("coredns",)),
)


def artifact_of(program: str) -> Artifact | None:
    """The artifact that contains a program, None for one that the operating system brings."""
    return next((artifact for artifact in ARTIFACTS if program in artifact.programs), None)
