"""A real node beside the control plane: containerd, kubelet, kube-proxy and CoreDNS in a machine made of namespaces.

Here: their configuration, what the machine shall run, images. Not here: making the machine (`machine`) and its link
(`network`). kube-controller-manager runs in there too: its hostPath provisioner makes folders, and they must be where
the kubelet looks.
"""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.realcluster import control_plane
from sandbox.realcluster.credentials import DNS, NODE_NAME, PROXY, node_user
from sandbox.realcluster.faults import NotServing
from sandbox.realcluster.images import PAUSE, write_pause_image
from sandbox.realcluster.machine import HIDDEN
from sandbox.realcluster.network import Network
from sandbox.realcluster.programs import Programs
from sandbox.realcluster.supervision import Command
from sandbox.realcluster.workspace import Workspace

MACHINE = Path(__file__).with_name("machine.py")
PYTHON_FLAGS = ("-I", "-S")
PROVISIONED = "/tmp/hostpath_pv"  # noqa: S108 - the machine's own
"""Where kube-controller-manager makes volumes; the place is fixed in its code."""


@dataclass(frozen=True, slots=True)
class Node:
    """The real node of one cluster, as files and commands."""

    programs: Programs
    workspace: Workspace
    network: Network

    @property
    def socket(self) -> Path:
        """Where containerd listens."""
        return self.workspace.home / "containerd.sock"

    def write_files(self) -> None:
        """Write the configuration of every program, the specification of the machine, and the pause image."""
        home = self.workspace.home
        for name, content in {
            "containerd.toml": self._containerd(),
            "kubelet.yaml": json.dumps(self._kubelet()),
            "kube-proxy.yaml": json.dumps(self._kube_proxy()),
            "Corefile": self._corefile(),
            "cni/10-pods.conflist": json.dumps(self._pod_network()),
            "machine.json": json.dumps(self._machine()),
        }.items():
            path = home / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(content, encoding="utf-8")
        write_pause_image(home / "pause.tar")

    def command(self) -> Command:
        """The machine with everything in it."""
        specification = str(self.workspace.home / "machine.json")
        return Command("node", Path(sys.executable), (*PYTHON_FLAGS, str(MACHINE), specification))

    async def load_image(self, archive: Path) -> None:
        """Import an OCI archive. Pods name its reference with `imagePullPolicy: Never`."""
        process = await asyncio.create_subprocess_exec(
            self.programs["ctr"],
            f"--address={self.socket}",
            "--namespace=k8s.io",
            "images",
            "import",
            str(archive),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
        if process.returncode != 0:
            raise NotServing(f"containerd did not take the image {archive}: {said.decode().strip()}")

    async def serves_images(self) -> bool:
        """Whether containerd has opened its socket; import before that fails."""
        return await asyncio.to_thread(self.socket.exists)

    def _machine(self) -> dict[str, Any]:
        ip, network = str(self.programs["ip"]), self.network
        folders = {self.workspace.home, *(path.parent for path in self.programs.paths.values())}
        kept = {folder for folder in folders if any(folder.is_relative_to(hidden) for hidden in HIDDEN)}
        return {
            "home": str(self.workspace.home),
            "cgroup": self.workspace.home.name,
            "hostname": NODE_NAME,
            "keep": sorted(str(folder) for folder in kept),
            "move_link": [ip, "link", "set", network.peer, "netns"],
            "setup": [
                [ip, "link", "set", "lo", "up"],
                [ip, "link", "set", network.peer, "name", "eth0"],
                [ip, "address", "add", f"{network.node}/30", "dev", "eth0"],
                [ip, "link", "set", "eth0", "up"],
                [ip, "route", "add", "default", "via", network.host],
            ],
            "programs": self._programs(),
            "volumes": [str(self.workspace.volumes), PROVISIONED],
        }

    def _programs(self) -> list[dict[str, Any]]:
        home = self.workspace.home
        controllers = control_plane.controller_manager(self.programs, self.workspace, provision=True)
        return [
            self._program("containerd", f"--config={home}/containerd.toml"),
            self._program(
                "kubelet",
                f"--config={home}/kubelet.yaml",
                f"--kubeconfig={self.workspace.kubeconfig(node_user(NODE_NAME))}",
                f"--root-dir={home}/kubelet",
                f"--hostname-override={NODE_NAME}",
                f"--node-ip={self.network.node}",
                after=str(self.socket),
            ),
            self._program("kube-proxy", f"--config={home}/kube-proxy.yaml", f"--hostname-override={NODE_NAME}"),
            self._program("coredns", "-conf", f"{home}/Corefile"),
            self._program(controllers.name, *controllers.arguments),
        ]

    def _program(self, name: str, *arguments: str, after: str = "") -> dict[str, Any]:
        log = str(self.workspace.logs / f"{name}.log")
        return {"name": name, "argv": [str(self.programs[name]), *arguments], "log": log, "after": after}

    def _containerd(self) -> str:
        home = self.workspace.home
        return f"""version = 2
root = "{home}/containerd"
state = "/run/containerd"
[grpc]
  address = "{self.socket}"
[plugins."io.containerd.internal.v1.opt"]
  path = "{home}/opt"
[plugins."io.containerd.grpc.v1.cri"]
  # Inside a container (CI) raising one's own score is all that is allowed.
  restrict_oom_score_adj = true
  sandbox_image = "{PAUSE}"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{self.programs["bridge"].parent}"
    conf_dir = "{home}/cni"
"""

    def _pod_network(self) -> dict[str, Any]:
        addresses = {
            "type": "host-local",
            "dataDir": f"{self.workspace.home}/cni-leases",
            "ranges": [[{"subnet": self.network.pods}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        }
        bridge = {"type": "bridge", "bridge": "pods", "isGateway": True, "hairpinMode": True, "ipam": addresses}
        return {
            "cniVersion": "0.4.0",
            "name": "pods",
            "plugins": [bridge, {"type": "portmap", "capabilities": {"portMappings": True}}],
        }

    def _kubelet(self) -> dict[str, Any]:
        home, pki = self.workspace.home, self.workspace.pki
        return {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": self.network.node,
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": True},
                "x509": {"clientCAFile": f"{pki}/ca.crt"},
            },
            "authorization": {"mode": "Webhook"},
            "tlsCertFile": f"{pki}/kubelet.crt",
            "tlsPrivateKeyFile": f"{pki}/kubelet.key",
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": f"/{home.name}",
            "enforceNodeAllocatable": [],
            "failCgroupV1": False,
            "failSwapOn": False,
            "containerRuntimeEndpoint": f"unix://{self.socket}",
            "podLogsDir": f"{home}/pod-logs",
            "volumePluginDir": f"{home}/volume-plugins",
            "clusterDNS": [self.network.node],
            "clusterDomain": "cluster.local",
            # Nothing outside the cluster is looked up: a test must not depend on a name server.
            "resolvConf": "/dev/null",
            "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
            # Test images are loaded, not pulled: what is collected would never come back.
            "imageGCHighThresholdPercent": 100,
            "maxPods": 200,
        }

    def _kube_proxy(self) -> dict[str, Any]:
        return {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": "iptables",
            "clusterCIDR": self.network.pods,
            "clientConnection": {"kubeconfig": str(self.workspace.kubeconfig(PROXY))},
            # The limits of connection tracking belong to the whole machine, not to this network.
            "conntrack": {"maxPerCore": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
        }

    def _corefile(self) -> str:
        return f""".:53 {{
  bind {self.network.node}
  errors
  kubernetes cluster.local in-addr.arpa {{
    kubeconfig {self.workspace.kubeconfig(DNS)}
    ttl 2
  }}
}}
"""
