"""Every knob of the control plane in one frozen tree: meaning, unit, default. Reading argv is cli's work."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from agent.wire.limits import MAX_WAIT_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Where the three listeners listen; 0 takes a free port, and the real one is reported."""

    agents: int = 8443
    admin: int = 8444
    enrol: int = 8445

    @classmethod
    def free(cls) -> Ports:
        """Whatever ports are free: for tests, demos and measurements."""
        return cls(agents=0, admin=0, enrol=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lives:
    """How long what we sign is good for."""

    client_certificate: timedelta = timedelta(days=90)
    server_certificate: timedelta = timedelta(days=365)
    root_certificate: timedelta = timedelta(days=3650)
    index: timedelta = timedelta(days=7)
    """An agent judges this when it accepts an index; an index is signed anew once less than half of it is left."""
    longest_token: timedelta = timedelta(days=30)
    renewal_grace: timedelta = timedelta(days=30)
    """So long after its end a certificate may still be renewed by who holds its key: for agents that were away."""
    acknowledgement: timedelta = timedelta(days=30)
    """Agents that were seen within this time must have acknowledged a new key before the old one may go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of what is kept and awaited; beyond them the oldest goes. How large frames may be, the protocol says."""

    wait_seconds: float = float(MAX_WAIT_SECONDS)
    """The longest poll that is granted; who asks for more gets this."""
    polls: int = 128
    """Polls that may wait at once per cluster; one whose connection was cut goes on waiting until its time is over."""
    status_history: int = 200
    """Changes of status that are kept per instance."""
    orders: int = 200
    """Orders that are kept per instance once they have ended or their time is over."""
    streams: int = 64
    """Report streams (one per agent pod) remembered per cluster."""
    agent_audit_rows: int = 100_000
    """Audit records of its agent that are kept per cluster."""
    audit_rows: int = 1_000_000
    """Audit rows of known callers."""
    audit_stranger_rows: int = 10_000
    """Audit rows of callers that nobody knows: bounded apart, so that strangers cannot wash out the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All of it. ``directory`` holds keys, certificates and, unless ``database_url`` says otherwise, the database."""

    directory: Path
    hostnames: tuple[str, ...] = ("localhost", "127.0.0.1")
    """Names and addresses that the server's certificate is good for; the first one stands in the URLs."""
    bind: str = "127.0.0.1"
    ports: Ports = field(default_factory=Ports)
    root_key: Path | None = None
    """A private key of the root role that is kept elsewhere; read for as long as the command runs."""
    database_url: str = ""
    """An SQLAlchemy asynchronous URL; empty: SQLite in the directory."""
    lives: Lives = field(default_factory=Lives)
    limits: Limits = field(default_factory=Limits)

    @property
    def store_url(self) -> str:
        """Where the store is."""
        return self.database_url or f"sqlite+aiosqlite:///{self.directory.absolute() / 'perigee.db'}"
