"""Kubeconfigs of test clusters: one cluster, one user, no other files needed.

Here: writing one, and reading what another says about server and user. Not here: contexts to choose from; the first of
everything counts.
"""

from __future__ import annotations

import base64
import json
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Access:
    """Where a server is, whom it is vouched for by, and who one is there.

    ``token`` is empty for a user with a certificate; ``authority`` is PEM, and empty where nobody vouches.
    """

    server: str
    authority: bytes
    token: str
    certificate: Path | None = None
    key: Path | None = None

    def context(self, *, certified: bool) -> ssl.SSLContext:
        """TLS towards the server, as the user with a certificate or as nobody yet."""
        context = ssl.create_default_context(cadata=self.authority.decode("ascii") or None)
        if certified and self.certificate is not None:
            context.load_cert_chain(self.certificate, self.key)
        return context


def write(path: Path, access: Access, *, name: str, user: str = "admin", namespace: str = "default") -> Path:
    """Write the kubeconfig of a user with a token, or of one with nothing; readable to its owner alone.

    It is JSON, hence also YAML, and names no other file. ``name`` is what the cluster is called in it.
    """
    authority = base64.b64encode(access.authority).decode("ascii")
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": name, "cluster": {"server": access.server, "certificate-authority-data": authority}},
        ],
        "users": [{"name": user, "user": {"token": access.token} if access.token else {}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": user, "namespace": namespace}}],
        "current-context": name,
    }
    path.touch(mode=0o600)
    path.write_text(json.dumps(document, indent=2), encoding="utf-8")
    return path


def read(path: Path) -> Access:
    """Return what a kubeconfig says.

    Raises:
        ValueError: its user is neither a token nor a certificate in files: a test cluster has no other.
    """
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    cluster, user = document["clusters"][0]["cluster"], document["users"][0]["user"]
    unknown = set(user) - {"token", "client-certificate", "client-key"}
    if unknown:
        raise ValueError(f"{path} has a user with {', '.join(sorted(unknown))}: take one with a token or a certificate")
    return Access(
        server=str(cluster["server"]).rstrip("/"),
        authority=_authority(cluster),
        token=user.get("token", ""),
        certificate=Path(user["client-certificate"]) if "client-certificate" in user else None,
        key=Path(user["client-key"]) if "client-key" in user else None,
    )


def _authority(cluster: Json) -> bytes:
    held = cluster.get("certificate-authority-data", "")
    if held or "certificate-authority" not in cluster:
        return base64.b64decode(held)
    return Path(cluster["certificate-authority"]).read_bytes()
