"""Kubeconfigs of test clusters: what is written is read, and what cannot be used is said."""

from __future__ import annotations

import json
import ssl
import stat
from pathlib import Path

import pytest

from sandbox import kubeconfigs
from sandbox.kubeconfigs import Access
from sandbox.pki import new_authority


def test_what_was_written_is_read(tmp_path: Path) -> None:
    access = Access("https://127.0.0.1:1", new_authority("test").pem, "secret")
    path = kubeconfigs.write(tmp_path / "config", access, name="mine", user="ann", namespace="team")
    assert kubeconfigs.read(path) == access
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(path.read_text())["contexts"][0]["context"] == {
        "cluster": "mine",
        "user": "ann",
        "namespace": "team",
    }


def test_certificates_in_files_are_read(tmp_path: Path) -> None:
    authority = new_authority("test")
    pair = authority.client("ann")
    for name, pem in (("ca", authority.pem), ("crt", pair.certificate), ("key", pair.key)):
        (tmp_path / name).write_bytes(pem)
    user = {"client-certificate": str(tmp_path / "crt"), "client-key": str(tmp_path / "key")}
    cluster = {"server": "https://127.0.0.1:1/", "certificate-authority": str(tmp_path / "ca")}
    path = tmp_path / "config"
    path.write_text(json.dumps({"clusters": [{"cluster": cluster}], "users": [{"user": user}]}))
    access = kubeconfigs.read(path)
    assert (access.server, access.token, access.authority) == ("https://127.0.0.1:1", "", authority.pem)
    for certified in (True, False):
        context = access.context(certified=certified)
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert len(context.get_ca_certs()) == 1


def test_a_user_with_anything_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "config"
    user = {"exec": {"command": "login"}}
    path.write_text(json.dumps({"clusters": [{"cluster": {"server": "s"}}], "users": [{"user": user}]}))
    with pytest.raises(ValueError, match="a user with exec: take one with a token or a certificate"):
        kubeconfigs.read(path)
