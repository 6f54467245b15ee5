"""Who leads, decided from the Lease as it was seen. Pure: time is an argument, in seconds of the candidate's own clock.

Here: the rule of Kubernetes' client-go. A candidate takes a lease over only when it has itself watched the same record
stand unrenewed for the lease's duration; what time the holder wrote into it does not count, since clocks differ. The
holder believes in its lease for a shorter time, counted from the moment when it *sent* its last renewal. Not here:
reading and writing the Lease.

Why no two lead at once: a renewal that was sent at s is seen by others at s or later, so that nobody takes over before
s + duration, while its sender stops at s + renew deadline. That the record is still the one that was watched is proven
by its resourceVersion, under which it is taken.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from agent.model.lease import LeaseRecord, LeaseTimes


@dataclass(frozen=True, slots=True)
class Sighting:
    """The Lease as a candidate saw it; ``record`` is None where there is none. ``since``: how long it stands so."""

    record: LeaseRecord | None
    since: float
    highest_term: int = 0
    """The highest term that this candidate ever saw: a Lease that was deleted must not begin to count anew."""
    vanished: bool = False
    """Whether there was a record before there was none."""


@dataclass(frozen=True, slots=True)
class Acquire:
    """Write this record: create it if ``resource_version`` is empty, else replace what was seen."""

    record: LeaseRecord


@dataclass(frozen=True, slots=True)
class Wait:
    """Somebody else may lead for so long; look again when the Lease changes or the seconds are over."""

    seconds: float


def first_sighting(record: LeaseRecord | None, at: float) -> Sighting:
    """What a candidate sees that saw nothing before."""
    return Sighting(record, at, record.term if record is not None else 0)


def sighted(before: Sighting, record: LeaseRecord | None, at: float) -> Sighting:
    """The next look. The same record stands since it was seen first; any other one counts from now."""
    highest = max(before.highest_term, record.term if record is not None else 0)
    same = (before.record is None) == (record is None) and (
        record is None or before.record is None or before.record.resource_version == record.resource_version
    )
    vanished = record is None and (before.record is not None or before.vanished)
    return Sighting(record, before.since if same else at, highest, vanished)


def campaign(seen: Sighting, times: LeaseTimes, *, holder: str, at: float, now: datetime) -> Acquire | Wait:
    """What a candidate does about what it saw. ``at`` is its own clock, ``now`` is what the record will say."""
    record = seen.record
    left = seen.since + _standing_seconds(seen, times, holder) - at
    if left > 0:
        return Wait(left)
    version = record.resource_version if record is not None else ""
    term = seen.highest_term + 1
    return Acquire(
        LeaseRecord(holder, times.duration_seconds, term, acquired=now, renewed=now, resource_version=version)
    )


def _standing_seconds(seen: Sighting, times: LeaseTimes, holder: str) -> float:
    """How long the record must have stood unchanged before it may be taken."""
    if seen.record is None:
        # Never seen: nobody led here. Seen and deleted since: perhaps its holder has not noticed.
        return times.duration_seconds if seen.vanished else 0
    if seen.record.holder in {"", holder}:  # released, or ours from a term that lapsed and that nobody took
        return 0
    # What the holder promised counts, not what we would have: its settings may be others.
    return seen.record.duration_seconds or times.duration_seconds


def renewed(record: LeaseRecord, times: LeaseTimes, now: datetime) -> LeaseRecord:
    """The record that its holder writes to lead on."""
    return replace(record, duration_seconds=times.duration_seconds, renewed=now)


def released(record: LeaseRecord, now: datetime) -> LeaseRecord:
    """The record that its holder writes to let the next one lead at once."""
    return replace(record, holder="", duration_seconds=1, renewed=now)


def leads_until(sent_at: float, times: LeaseTimes) -> float:
    """Until when a holder may begin to write, given when it sent the last renewal that succeeded."""
    return sent_at + times.renew_deadline_seconds


def age_seconds(record: LeaseRecord, now: datetime) -> float | None:
    """How long ago it was renewed by its holder's clock, for people; None where it never was."""
    return max((now - record.renewed).total_seconds(), 0.0) if record.renewed is not None else None


def seems_held(record: LeaseRecord, now: datetime) -> bool:
    """Whether somebody leads, as far as two clocks agree: to be told to people, nobody may act on it."""
    age = age_seconds(record, now)
    return bool(record.holder) and age is not None and age <= record.duration_seconds
