"""What the programs of a control plane are told, and by which keys they know each other."""

from __future__ import annotations

import json
import socket
import ssl
from pathlib import Path

import pytest
from cryptography import x509

from sandbox.realcluster import control_plane
from sandbox.realcluster.artifacts import CONTROL_PLANE
from sandbox.realcluster.credentials import ADMIN, NODE_NAME, node_user, write_credentials
from sandbox.realcluster.endpoint import Endpoint, reserved_port
from sandbox.realcluster.network import Network
from sandbox.realcluster.programs import Programs
from sandbox.realcluster.volumes import volume_stages
from sandbox.realcluster.workspace import Workspace

LOCAL = Endpoint("127.0.0.1", 6443)
FOR_PODS = Endpoint("10.243.7.1", 6443, "10.96.7.0/24")
PROGRAMS = Programs({name: Path("/programs") / name for name in CONTROL_PLANE})


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    workspace = Workspace(tmp_path)
    workspace.make_folders()
    return workspace


def names_in(certificate: Path) -> set[str]:
    extensions = x509.load_pem_x509_certificate(certificate.read_bytes()).extensions
    names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {str(name.value) for name in names}


def test_only_the_api_server_takes_a_port(workspace: Workspace) -> None:
    etcd = control_plane.etcd(PROGRAMS, workspace).arguments
    assert all(":/" in flag for flag in etcd if flag.startswith("--listen-"))
    assert [flag for flag in etcd if flag.startswith("--listen-client")] == [
        f"--listen-client-urls=unix://{workspace.home}/etcd.sock"
    ]
    for command in (control_plane.controller_manager, control_plane.scheduler):
        assert "--secure-port=0" in command(PROGRAMS, workspace).arguments


def test_the_api_server_logs_before_it_answers_and_checks_roles(workspace: Workspace) -> None:
    flags = control_plane.apiserver(PROGRAMS, workspace, LOCAL).arguments
    assert {"--audit-log-mode=blocking", "--authorization-mode=Node,RBAC", "--permit-port-sharing=true"} <= set(flags)
    control_plane.write_policies(workspace)
    policy = json.loads((workspace.home / "audit-policy.json").read_text(encoding="utf-8"))
    assert policy["omitStages"] == ["RequestReceived"]


@pytest.mark.parametrize(("endpoint", "reconciler"), [(LOCAL, "none"), (FOR_PODS, "lease")])
def test_a_loopback_address_is_not_announced_to_pods(workspace: Workspace, endpoint: Endpoint, reconciler: str) -> None:
    flags = control_plane.apiserver(PROGRAMS, workspace, endpoint).arguments
    assert f"--endpoint-reconciler-type={reconciler}" in flags
    assert f"--bind-address={endpoint.address}" in flags


def test_the_server_certificate_names_every_way_to_it(workspace: Workspace) -> None:
    write_credentials(workspace, FOR_PODS)
    assert names_in(workspace.pki / "apiserver.crt") >= {
        "localhost",
        "kubernetes.default.svc",
        "10.243.7.1",
        "10.96.7.1",
    }


def test_the_front_proxy_has_an_authority_of_its_own(workspace: Workspace) -> None:
    write_credentials(workspace, LOCAL)
    issuers = {
        name: x509.load_pem_x509_certificate((workspace.pki / f"{name}.crt").read_bytes()).issuer
        for name in ("apiserver", "front-proxy-client")
    }
    assert issuers["apiserver"] != issuers["front-proxy-client"]


def test_a_kubeconfig_stands_alone_and_is_private(workspace: Workspace) -> None:
    credentials = write_credentials(workspace, LOCAL)
    path = workspace.kubeconfig(ADMIN)
    document = json.loads(path.read_text(encoding="utf-8"))
    assert document["users"] == [{"name": ADMIN, "user": {"token": credentials.tokens[ADMIN]}}]
    assert "certificate-authority-data" in document["clusters"][0]["cluster"]
    assert path.stat().st_mode & 0o077 == 0
    ssl.create_default_context(cadata=credentials.authority.decode())


def test_a_kubelet_is_known_only_where_there_is_one(workspace: Workspace) -> None:
    assert node_user(NODE_NAME) not in write_credentials(workspace, LOCAL).tokens
    assert node_user(NODE_NAME) in write_credentials(workspace, FOR_PODS, node_address="10.243.7.2").tokens
    assert names_in(workspace.pki / "kubelet.crt") == {NODE_NAME, "10.243.7.2"}


def test_a_reserved_port_is_given_to_nobody_else() -> None:
    with reserved_port() as port, socket.socket() as other:
        with pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", port))
        with socket.socket() as server:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            server.bind(("127.0.0.1", port))
            server.listen()
            with socket.create_connection(("127.0.0.1", port)) as client:
                assert client.getpeername()[1] == port


def test_the_networks_of_two_clusters_do_not_overlap() -> None:
    one, other = Network(1), Network(2)
    for field in ("host", "node", "pods", "services", "link", "peer"):
        assert getattr(one, field) != getattr(other, field)
    # An interface's name may have 15 characters.
    assert len(Network(249).peer) <= 15


def test_volumes_are_made_for_claims_of_our_class_only() -> None:
    for stage in volume_stages("/there"):
        selector = stage["spec"]["selector"]["matchExpressions"]
        assert {"key": ".spec.storageClassName", "operator": "In", "values": ["standard"]} in selector
    assert "/there/pvc-{{ .metadata.uid }}" in volume_stages("/there")[0]["spec"]["steps"][0]["apply"]["template"]
