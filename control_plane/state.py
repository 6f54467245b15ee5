"""The state directory: every key and certificate of the control plane, made at the first start, then loaded.

    root.crt, root.key          the certificate authority; root-2.crt, … its successors
    ca.crt                      every authority that is trusted at present, the newest first: for admins and agents
    server.crt, server.key      our listeners; made anew when the names or the authority change or the end comes near
    roles/root.pub, root.key    signs trust bundles; root.key may be taken away
    roles/index.key             signs indexes
    keyring.json                which of them are in use, once anything was rotated
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
from control_plane.faults import Fault
from control_plane.ring import Ring
from control_plane.roles import Roles, key_from_pem, key_to_pem, new_key
from control_plane.settings import Settings


@dataclass(frozen=True, slots=True)
class Paths:
    """Where everything lies in the state directory."""

    directory: Path

    def certificate(self, name: str) -> Path:
        """An authority's certificate."""
        return self.directory / f"{name}.crt"

    def key(self, name: str) -> Path:
        """An authority's key."""
        return self.directory / f"{name}.key"

    def role_public(self, name: str) -> Path:
        """The public key of a root role's key, raw."""
        return self.directory / "roles" / f"{name}.pub"

    def role_key(self, name: str) -> Path:
        """A private key of a role."""
        return self.directory / "roles" / f"{name}.key"

    @property
    def ca_certificate(self) -> Path:
        """The certificates of every authority that agents and admins trust."""
        return self.directory / "ca.crt"

    @property
    def ring(self) -> Path:
        """Which keys are in use."""
        return self.directory / "keyring.json"

    @property
    def server_chain(self) -> Path:
        """The listeners' certificate chain."""
        return self.directory / "server.crt"

    @property
    def server_key(self) -> Path:
        """The listeners' key."""
        return self.directory / "server.key"

    @property
    def database(self) -> Path:
        """The store; it holds hashes of secrets, never secrets."""
        return self.directory / "perigee.db"

    @property
    def admin_token(self) -> Path:
        """The first admin's token."""
        return self.directory / "admin-token"


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys that are in use, all of one moment. ``authorities`` by name, oldest first."""

    ring: Ring
    authorities: dict[str, Authority]
    roles: Roles

    @property
    def issuing(self) -> Authority:
        """The authority that certifies agents."""
        return self.authorities[self.ring.authority[-1]]

    @property
    def serving(self) -> Authority:
        """The authority that certifies our listeners."""
        return self.authorities[self.ring.serving]

    @property
    def trusted(self) -> tuple[Authority, ...]:
        """Every authority, the newest first."""
        return tuple(reversed(self.authorities.values()))


class State:
    """What was loaded or made; rotations replace its keys, in this process or in another."""

    def __init__(self, paths: Paths, keys: Keys, settings: Settings) -> None:
        self.paths = paths
        self.keys = keys
        self.admitted = keys
        """Those that the listeners go by: agents are certified by an authority only once it opens their door."""
        self._settings = settings

    @property
    def authority(self) -> Authority:
        """The authority that certifies agents."""
        return self.admitted.issuing

    @property
    def roles(self) -> Roles:
        """Both signing roles."""
        return self.keys.roles

    def prepared(self, ring: Ring, *, now: datetime) -> Keys:
        """The keys of this ring, those made that do not exist yet; they are not in use before ``adopt``."""
        return _keys(self.paths, ring, self._settings, now=now)

    def adopt(self, keys: Keys) -> None:
        """Use these keys from now on."""
        _publish(self.paths, keys)
        statefiles.write(self.paths.ring, keys.ring.to_bytes())
        self.keys = keys

    def reload(self, *, now: datetime) -> bool:
        """Take up what another process has changed; returns whether anything was."""
        ring = _ring(self.paths)
        if ring == self.keys.ring:
            return False
        self.keys = _keys(self.paths, ring, self._settings, now=now)
        return True


def open_state(settings: Settings, *, now: datetime) -> State:
    """Load the directory, making what is not there yet."""
    paths = Paths(settings.directory.absolute())
    statefiles.prepare(paths.directory)
    if not settings.database_url:
        statefiles.claim(paths.database)
    keys = _keys(paths, _ring(paths), settings, now=now)
    _publish(paths, keys)
    return State(paths, keys, settings)


def certify_server(state: State, settings: Settings, *, now: datetime) -> None:
    """See that the listeners' certificate is of the right authority, and good for the settings' names and for a
    while.
    """
    paths, serving = state.paths, state.keys.serving
    if paths.server_chain.exists():
        chain = paths.server_chain.read_bytes()
        if serving.issued_pem(chain) and serves(chain, settings.hostnames, now=now):
            return
    pair = serving.server_pair(settings.hostnames, Validity(now, settings.lives.server_certificate))
    # Chain and key are two files: without the old chain, a crash in between makes both anew.
    paths.server_chain.unlink(missing_ok=True)
    statefiles.write(paths.server_key, pair.key)
    statefiles.write(paths.server_chain, pair.chain, mode=statefiles.PUBLIC)


def _ring(paths: Paths) -> Ring:
    return Ring.from_bytes(paths.ring.read_bytes()) if paths.ring.exists() else Ring()


def _keys(paths: Paths, ring: Ring, settings: Settings, *, now: datetime) -> Keys:
    authorities = {name: _authority(paths, name, settings, now=now) for name in ring.authority}
    return Keys(ring, authorities, _roles(paths, ring, settings))


def _publish(paths: Paths, keys: Keys) -> None:
    content = b"".join(authority.certificate_pem for authority in keys.trusted)
    if not paths.ca_certificate.exists() or paths.ca_certificate.read_bytes() != content:
        statefiles.write(paths.ca_certificate, content, mode=statefiles.PUBLIC)


def _authority(paths: Paths, name: str, settings: Settings, *, now: datetime) -> Authority:
    # The key is written first and the certificate last: whoever finds the certificate finds its key.
    if paths.certificate(name).exists():
        return Authority.load(paths.certificate(name).read_bytes(), paths.key(name).read_bytes())
    authority = Authority.create(Validity(now, settings.lives.root_certificate))
    statefiles.write(paths.key(name), authority.key_pem)
    statefiles.write(paths.certificate(name), authority.certificate_pem, mode=statefiles.PUBLIC)
    return authority


def _roles(paths: Paths, ring: Ring, settings: Settings) -> Roles:
    roots = tuple(_root(paths, name) for name in ring.root)
    held = [key for _, key in roots if key is not None]
    if settings.root_key is not None:
        held.append(_offline_key(settings.root_key))
    indexes = tuple(_kept_key(paths.role_key(name)) for name in ring.index)
    return Roles(tuple(public for public, _ in roots), tuple({key.keyid: key for key in held}.values()), indexes)


def _root(paths: Paths, name: str) -> tuple[bytes, SigningKey | None]:
    public, private = paths.role_public(name), paths.role_key(name)
    if public.exists():
        return public.read_bytes(), key_from_pem(private.read_bytes()) if private.exists() else None
    root = _kept_key(private)
    statefiles.write(public, root.public, mode=statefiles.PUBLIC)
    return root.public, root


def _offline_key(file: Path) -> SigningKey:
    try:
        return key_from_pem(file.read_bytes())
    except (OSError, ValueError, AssertionError):
        why = f"--root-key {file} cannot be read as an Ed25519 key in PEM"
    raise Fault("RootKeyUnusable", why, hint="name the file that was taken out of roles/")


def _kept_key(path: Path) -> SigningKey:
    if not path.exists():
        statefiles.write(path, key_to_pem(new_key()))
    return key_from_pem(path.read_bytes())
