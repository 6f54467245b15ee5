"""Ports of the other end: asking it, telling it, and judging what comes from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from agent.model.desired import Entry, Index, Standing


@dataclass(frozen=True, slots=True)
class IndexAnswer:
    """A new signed index as it came over the wire, and the tag to ask with next time."""

    envelope: bytes
    etag: str


class ControlPlane(Protocol):
    """The remote control plane, as seen through an outbound mTLS connection."""

    @property
    def skew_seconds(self) -> float | None:
        """How far our clock is ahead of the control plane's, by its last answer; None before the first."""
        ...

    async def poll(self, *, etag: str, wait_seconds: float) -> IndexAnswer | None:
        """Ask for the index; None: nothing newer than ``etag`` came within the wait.

        Raises Retryable (nobody answers) or NotAuthorised (our certificate is not accepted).
        """
        ...

    async def documents(self, entries: Sequence[Entry]) -> Mapping[str, bytes]:
        """The bytes of documents by digest. Never more bytes than each entry's size; digests are not judged here."""
        ...

    async def report(self, *, stream: str, sequence: int, body: bytes) -> None:
        """Deliver one batch of reports; sent again under the same stream and sequence it counts once."""
        ...


class Verifier(Protocol):
    """Judges what comes from the control plane before anybody acts on it."""

    def index(self, envelope: bytes, *, now: datetime | None, newest: Standing | None) -> Index:
        """The verified index. ``now`` None: freshness was judged when it was accepted, do not judge it again.

        Raises Refused: forged, expired, for another cluster, older than ``newest``, malformed.
        """
        ...
