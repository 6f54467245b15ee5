"""The state directory: private, made once, and whole after any start."""

from __future__ import annotations

import stat
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

from agent.wire.trust import TrustBundleV1
from control_plane import statefiles
from control_plane.roles import RootOffline
from control_plane.settings import Settings
from control_plane.state import State, certify_server, open_state
from tests.support.clock import BEGIN


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(directory=tmp_path / "state", hostnames=("plane.example.com",))


def begun(settings: Settings) -> State:
    state = open_state(settings, now=BEGIN)
    certify_server(state, settings, now=BEGIN)
    return state


def test_whatever_is_private_is_readable_by_its_owner_only(settings: Settings) -> None:
    begun(settings)
    modes = {path.relative_to(settings.directory).as_posix(): stat.S_IMODE(path.stat().st_mode)
             for path in settings.directory.rglob("*") if path.is_file()}  # fmt: skip
    public = {"root.crt", "ca.crt", "server.crt", "roles/root.pub"}
    assert {name for name, mode in modes.items() if mode != 0o600} == public
    assert set(modes) - public == {"root.key", "server.key", "roles/root.key", "roles/index.key", "perigee.db"}
    assert stat.S_IMODE(settings.directory.stat().st_mode) == 0o700


def test_a_directory_open_to_others_is_closed(settings: Settings) -> None:
    settings.directory.mkdir(mode=0o755)
    begun(settings)
    assert stat.S_IMODE(settings.directory.stat().st_mode) == 0o700


def test_a_second_start_makes_nothing_new(settings: Settings) -> None:
    first = begun(settings)
    files = {path: path.read_bytes() for path in settings.directory.rglob("*") if path.is_file()}
    second = begun(settings)
    assert {path: path.read_bytes() for path in files} == files
    assert second.roles.root_fingerprint == first.roles.root_fingerprint
    assert second.authority.fingerprint == first.authority.fingerprint


def test_other_names_give_another_server_certificate_and_the_same_root(settings: Settings) -> None:
    first = begun(settings)
    before = first.paths.server_chain.read_bytes()
    renamed = begun(replace(settings, hostnames=("other.example.com",)))
    assert renamed.paths.server_chain.read_bytes() != before
    assert renamed.authority.fingerprint == first.authority.fingerprint


def test_a_server_certificate_near_its_end_is_made_anew(settings: Settings) -> None:
    state = begun(settings)
    before = x509.load_pem_x509_certificates(state.paths.server_chain.read_bytes())[0]
    later = BEGIN + settings.lives.server_certificate * 0.7
    certify_server(state, settings, now=later)
    after = x509.load_pem_x509_certificates(state.paths.server_chain.read_bytes())[0]
    assert after.not_valid_after_utc - before.not_valid_after_utc > timedelta(days=200)


def test_opening_the_directory_leaves_the_server_certificate_alone(settings: Settings) -> None:
    state = begun(settings)
    before = state.paths.server_chain.read_bytes()
    open_state(Settings(directory=settings.directory), now=BEGIN)
    assert state.paths.server_chain.read_bytes() == before


def test_the_root_key_may_be_taken_away(settings: Settings) -> None:
    first = begun(settings)
    first.paths.role_key("root").unlink()
    second = begun(settings)
    assert second.roles.root_fingerprint == first.roles.root_fingerprint
    assert not second.paths.role_key("root").exists()
    roles, keys = second.roles.described()
    ca = (second.authority.certificate_pem.decode(),)
    bundle = TrustBundleV1(version=2, epoch=1, issued_at=BEGIN, roles=roles, keys=keys, ca=ca)
    with pytest.raises(RootOffline) as refused:
        second.roles.sign_bundle(bundle, after=None)
    assert "roles/root.key" in refused.value.hint


def test_a_directory_is_held_once(tmp_path: Path) -> None:
    with statefiles.held(tmp_path), pytest.raises(statefiles.DirectoryTaken) as refused, statefiles.held(tmp_path):
        pass
    assert str(tmp_path) in refused.value.message
    with statefiles.held(tmp_path):
        pass


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "key"
    statefiles.write(target, b"first")
    statefiles.write(target, b"second")
    assert target.read_bytes() == b"second"
    assert [path.name for path in tmp_path.iterdir()] == ["key"]
