"""Who may speak to the API server of a test cluster, and by which key: written into its workspace once, before
anything starts.

Here: certificates, tokens, kubeconfigs. Each program has a user of its own, so that the audit log tells them apart.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path

from sandbox import kubeconfigs
from sandbox.pki import Authority, KeyPair, new_authority, new_signing_key
from sandbox.realcluster.endpoint import Endpoint
from sandbox.realcluster.workspace import Workspace

SERVER_NAMES = (
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)

ADMIN = "admin"
CONTROLLER_MANAGER = "system:kube-controller-manager"
SCHEDULER = "system:kube-scheduler"
KWOK = "kwok"
PROXY = "system:kube-proxy"
DNS = "coredns"
MASTERS = "system:masters"
GROUPS = {ADMIN: MASTERS, KWOK: MASTERS, DNS: MASTERS, CONTROLLER_MANAGER: "", SCHEDULER: "", PROXY: ""}
"""Users with a token, and their group. The users called system: have their roles from the API server's own
bootstrap.
"""
NODE_NAME = "node-1"
"""The real node, in clusters that have one."""


def node_user(node: str) -> str:
    """The user as which a kubelet is known to the Node authorizer."""
    return f"system:node:{node}"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What was made: the authority's certificate (PEM), the URL it vouches for, and the token of each user."""

    authority: bytes
    server: str
    tokens: dict[str, str]


def write_credentials(workspace: Workspace, endpoint: Endpoint, *, node_address: str = "") -> Credentials:
    """Fill the workspace with everything secret; a kubelet gets its part when it has an address."""
    authority = new_authority("perigee-test-cluster")
    _write_certificates(workspace.pki, authority, endpoint)
    groups = dict(GROUPS)
    if node_address:
        groups[node_user(NODE_NAME)] = "system:nodes"
        _write_pair(workspace.pki, "kubelet", authority.server("kubelet", (NODE_NAME, node_address)))
    tokens = {user: secrets.token_hex(16) for user in groups}
    _write(
        workspace.pki / "tokens.csv",
        "".join(f'{tokens[u]},{u},{u},"{group}"\n' for u, group in groups.items()).encode(),
    )
    credentials = Credentials(authority.pem, endpoint.url, tokens)
    for user, token in tokens.items():
        write_kubeconfig(workspace.kubeconfig(user), credentials, user=user, token=token)
    return credentials


def write_kubeconfig(
    path: Path, credentials: Credentials, *, user: str, token: str, namespace: str = "default"
) -> Path:
    """A kubeconfig for one user."""
    access = kubeconfigs.Access(credentials.server, credentials.authority, token)
    return kubeconfigs.write(path, access, name="test", user=user, namespace=namespace)


def _write_certificates(pki: Path, authority: Authority, endpoint: Endpoint) -> None:
    signing_key, checking_key = new_signing_key()
    # An authority of its own: whoever holds a certificate of the common one must not pass for the front proxy.
    front_proxy = new_authority("perigee-test-front-proxy")
    _write(pki / "ca.crt", authority.pem)
    _write(pki / "ca.key", authority.key_pem)
    _write(pki / "front-proxy-ca.crt", front_proxy.pem)
    _write(pki / "sa.key", signing_key)
    _write(pki / "sa.pub", checking_key)
    names = (*SERVER_NAMES, endpoint.address, endpoint.service_address)
    _write_pair(pki, "apiserver", authority.server("kube-apiserver", names))
    _write_pair(pki, "apiserver-kubelet-client", authority.client("kube-apiserver-kubelet-client", MASTERS))
    _write_pair(pki, "front-proxy-client", front_proxy.client("front-proxy-client"))


def _write_pair(pki: Path, name: str, pair: KeyPair) -> None:
    _write(pki / f"{name}.crt", pair.certificate)
    _write(pki / f"{name}.key", pair.key)


def _write(path: Path, content: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(content)
