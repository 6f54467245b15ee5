"""The state directory: every key and certificate of the control plane, made at the first start, then loaded.

    root.crt, root.key          the certificate authority
    server.crt, server.key      our listeners; made anew when the names change or the end comes near
    roles/root.pub, root.key    signs trust bundles; root.key may be taken away
    roles/index.key             signs indexes
    admin-token                 the first admin's bearer token, written once
    perigee.db                  the store, unless the settings name another

Blocking: call it in a thread. Keys are readable by their owner only.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from agent.wire.envelope import SigningKey
from control_plane import statefiles
from control_plane.authority import Authority, Validity, serves
from control_plane.roles import Roles, key_from_pem, key_to_pem, new_key
from control_plane.settings import Settings


@dataclass(frozen=True, slots=True)
class Paths:
    """Where everything lies in the state directory."""

    directory: Path

    @property
    def ca_certificate(self) -> Path:
        """The root certificate: agents and admins trust it."""
        return self.directory / "root.crt"

    @property
    def ca_key(self) -> Path:
        """The root certificate's key."""
        return self.directory / "root.key"

    @property
    def server_chain(self) -> Path:
        """The listeners' certificate chain."""
        return self.directory / "server.crt"

    @property
    def server_key(self) -> Path:
        """The listeners' key."""
        return self.directory / "server.key"

    @property
    def root_role_public(self) -> Path:
        """The root role's public key, raw."""
        return self.directory / "roles" / "root.pub"

    @property
    def root_role_key(self) -> Path:
        """The root role's private key."""
        return self.directory / "roles" / "root.key"

    @property
    def index_role_key(self) -> Path:
        """The index role's private key."""
        return self.directory / "roles" / "index.key"

    @property
    def database(self) -> Path:
        """The store; it holds hashes of secrets, never secrets."""
        return self.directory / "perigee.db"

    @property
    def admin_token(self) -> Path:
        """The first admin's token."""
        return self.directory / "admin-token"


@dataclass(frozen=True, slots=True)
class State:
    """What was loaded or made."""

    paths: Paths
    authority: Authority
    roles: Roles


def open_state(settings: Settings, *, now: datetime) -> State:
    """Load the directory, making what is not there yet."""
    paths = Paths(settings.directory.absolute())
    statefiles.prepare(paths.directory)
    if not settings.database_url:
        statefiles.claim(paths.database)
    return State(paths, _authority(paths, settings, now=now), _roles(paths))


def certify_server(state: State, settings: Settings, *, now: datetime) -> None:
    """See that the listeners' certificate is good for the settings' names and for a while."""
    paths = state.paths
    if paths.server_chain.exists() and serves(paths.server_chain.read_bytes(), settings.hostnames, now=now):
        return
    pair = state.authority.server_pair(settings.hostnames, Validity(now, settings.lives.server_certificate))
    # Chain and key are two files: without the old chain, a crash in between makes both anew.
    paths.server_chain.unlink(missing_ok=True)
    statefiles.write(paths.server_key, pair.key)
    statefiles.write(paths.server_chain, pair.chain, mode=statefiles.PUBLIC)


def _authority(paths: Paths, settings: Settings, *, now: datetime) -> Authority:
    # The key is written first and the certificate last: whoever finds the certificate finds its key.
    if paths.ca_certificate.exists():
        return Authority.load(paths.ca_certificate.read_bytes(), paths.ca_key.read_bytes())
    authority = Authority.create(Validity(now, settings.lives.root_certificate))
    statefiles.write(paths.ca_key, authority.key_pem)
    statefiles.write(paths.ca_certificate, authority.certificate_pem, mode=statefiles.PUBLIC)
    return authority


def _roles(paths: Paths) -> Roles:
    index = _kept_key(paths.index_role_key)
    if paths.root_role_public.exists():
        root = key_from_pem(paths.root_role_key.read_bytes()) if paths.root_role_key.exists() else None
        return Roles(paths.root_role_public.read_bytes(), root, index)
    root = _kept_key(paths.root_role_key)
    statefiles.write(paths.root_role_public, root.public, mode=statefiles.PUBLIC)
    return Roles(root.public, root, index)


def _kept_key(path: Path) -> SigningKey:
    if not path.exists():
        statefiles.write(path, key_to_pem(new_key()))
    return key_from_pem(path.read_bytes())
