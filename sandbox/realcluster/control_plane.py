"""The control plane of a test cluster as commands: etcd, API server, controllers, scheduler. Pure: paths in, argument
lists out.

Here: which flags, and why. Not here: running them (`supervision`, `cluster`).
"""

from __future__ import annotations

import json

from sandbox.realcluster.credentials import CONTROLLER_MANAGER, SCHEDULER
from sandbox.realcluster.endpoint import Endpoint
from sandbox.realcluster.programs import Programs
from sandbox.realcluster.supervision import Command
from sandbox.realcluster.workspace import Workspace

AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    # Metadata for everything: who, what, dry run or not, with which answer; no bodies, hence no secret values on disk.
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata"}],
}


NOBODY = "http://127.0.0.1:1"
"""etcd wants to announce hosts and ports, to peers and to clients that ask for them; there are none, nobody ever
dials it.
"""


UNTHROTTLED = ("--kube-api-qps=1000", "--kube-api-burst=2000")
"""At their defaults the controllers need four seconds for their own tokens alone, and a test then waits for each pod
in turn.
"""


def write_policies(workspace: Workspace) -> None:
    """Write the files that the commands below name and that hold no secret."""
    (workspace.home / "audit-policy.json").write_text(json.dumps(AUDIT_POLICY), encoding="utf-8")


def etcd(programs: Programs, workspace: Workspace) -> Command:
    """Storage, on Unix sockets only: no port to collide on. Nothing is synced to disk, since nothing outlives the
    cluster.
    """
    return Command(
        "etcd",
        programs["etcd"],
        (
            f"--data-dir={workspace.etcd}",
            "--unsafe-no-fsync",
            f"--listen-client-urls={_etcd_socket(workspace)}",
            f"--advertise-client-urls={NOBODY}",
            f"--listen-peer-urls=unix://{workspace.home}/etcd-peer.sock",
            f"--initial-advertise-peer-urls={NOBODY}",
            f"--initial-cluster=default={NOBODY}",
            "--log-level=warn",
        ),
    )


def apiserver(programs: Programs, workspace: Workspace, endpoint: Endpoint) -> Command:
    """The API server. `--permit-port-sharing` lets it bind the port that we keep reserved with SO_REUSEPORT."""
    return Command(
        "kube-apiserver",
        programs["kube-apiserver"],
        (
            f"--etcd-servers={_etcd_socket(workspace)}",
            f"--secure-port={endpoint.port}",
            "--permit-port-sharing=true",
            f"--advertise-address={endpoint.address}",
            f"--service-cluster-ip-range={endpoint.services}",
            "--allow-privileged=true",
            *_endpoint_flags(endpoint),
            *_authentication_flags(workspace),
            *_aggregation_flags(workspace),
            f"--audit-policy-file={workspace.home}/audit-policy.json",
            f"--audit-log-path={workspace.audit_log}",
            # Blocking is what makes "logged before answered" true; batches would lag behind by seconds.
            "--audit-log-mode=blocking",
            # Unless told otherwise it takes the file away at 100 MB, and with it what nobody has read yet.
            "--audit-log-maxsize=1000000",
            # A stop must not wait for watchers.
            "--shutdown-delay-duration=0s",
            "--shutdown-watch-termination-grace-period=0s",
        ),
    )


def controller_manager(programs: Programs, workspace: Workspace, *, provision: bool = False) -> Command:
    """All controllers, each under its own ServiceAccount. They serve nothing themselves, hence no port.

    With `provision` they make a folder below /tmp/hostpath_pv for every claim: only for a machine with a /tmp of its
    own.
    """
    pki = workspace.pki
    return Command(
        "kube-controller-manager",
        programs["kube-controller-manager"],
        (
            f"--kubeconfig={workspace.kubeconfig(CONTROLLER_MANAGER)}",
            "--use-service-account-credentials=true",
            f"--service-account-private-key-file={pki}/sa.key",
            f"--root-ca-file={pki}/ca.crt",
            f"--cluster-signing-cert-file={pki}/ca.crt",
            f"--cluster-signing-key-file={pki}/ca.key",
            "--leader-elect=false",
            "--secure-port=0",
            *UNTHROTTLED,
            # Autoscalers act within a test's patience.
            "--horizontal-pod-autoscaler-sync-period=2s",
            "--horizontal-pod-autoscaler-downscale-stabilization=5s",
            f"--enable-hostpath-provisioner={str(provision).lower()}",
        ),
    )


def scheduler(programs: Programs, workspace: Workspace) -> Command:
    """The scheduler."""
    return Command(
        "kube-scheduler",
        programs["kube-scheduler"],
        (f"--kubeconfig={workspace.kubeconfig(SCHEDULER)}", "--leader-elect=false", "--secure-port=0", *UNTHROTTLED),
    )


def _etcd_socket(workspace: Workspace) -> str:
    return f"unix://{workspace.home}/etcd.sock"


def _endpoint_flags(endpoint: Endpoint) -> tuple[str, ...]:
    # A loopback address may not stand in Endpoints, and no pod could reach it.
    reconciler = "none" if endpoint.is_local else "lease"
    return (f"--bind-address={endpoint.address}", f"--endpoint-reconciler-type={reconciler}")


def _authentication_flags(workspace: Workspace) -> tuple[str, ...]:
    pki = workspace.pki
    return (
        f"--tls-cert-file={pki}/apiserver.crt",
        f"--tls-private-key-file={pki}/apiserver.key",
        f"--client-ca-file={pki}/ca.crt",
        f"--token-auth-file={pki}/tokens.csv",
        f"--service-account-key-file={pki}/sa.pub",
        f"--service-account-signing-key-file={pki}/sa.key",
        "--service-account-issuer=https://kubernetes.default.svc",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
    )


def _aggregation_flags(workspace: Workspace) -> tuple[str, ...]:
    """Without these an extension API server sees every request as anonymous."""
    pki = workspace.pki
    return (
        "--enable-aggregator-routing=true",
        f"--requestheader-client-ca-file={pki}/front-proxy-ca.crt",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        f"--proxy-client-cert-file={pki}/front-proxy-client.crt",
        f"--proxy-client-key-file={pki}/front-proxy-client.key",
        f"--kubelet-client-certificate={pki}/apiserver-kubelet-client.crt",
        f"--kubelet-client-key={pki}/apiserver-kubelet-client.key",
        f"--kubelet-certificate-authority={pki}/ca.crt",
        "--kubelet-preferred-address-types=InternalIP,Hostname",
    )
