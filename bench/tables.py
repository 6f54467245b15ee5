"""How findings are shown: tables for people, one JSON document for programs. Ratios are between medians of one run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Console, Group
from rich.table import Table

from bench.findings import Findings, Rest, Row, Traffic

ONE_CHANGE = (Row.FLOOR, Row.CHANGED, Row.CALLED, Row.KUBECTL, Row.HELM, Row.TOLD)
A_WHOLE_INSTANCE = (Row.EXISTS, Row.READY, Row.HELM_EXISTS)
PROTOCOL = (Row.POLL_SAME, Row.RAW_SAME, Row.POLL_NEW, Row.RAW_NEW, Row.VERIFIED, Row.CHECKED)
BASES = {
    **dict.fromkeys(ONE_CHANGE, Row.CHANGED),
    **dict.fromkeys(A_WHOLE_INSTANCE, Row.EXISTS),
    Row.POLL_SAME: Row.POLL_SAME,
    Row.RAW_SAME: Row.POLL_SAME,
    Row.POLL_NEW: Row.POLL_NEW,
    Row.RAW_NEW: Row.POLL_NEW,
    Row.VERIFIED: Row.VERIFIED,
    Row.CHECKED: Row.VERIFIED,
}
"""What a row is compared with, if with anything: the ratio is this row's median over the base's."""
WATCH_SECONDS = 300
"""How long the agent asks for a watch to last."""
_MILLI = 1000
_MIB = 2**20


def show(findings: Findings, venues: Sequence[str], *, console: Console) -> None:
    """Print everything."""
    objects = ", ".join(f"{count} objects ({venue})" for venue, count in findings.objects.items())
    console.print(
        Group(
            _latencies("One change of replicas, until a watch of a third party shows it", findings, ONE_CHANGE, venues),
            _latencies(f"A whole instance: {objects}", findings, A_WHOLE_INSTANCE, venues),
            _latencies("The agent started again over unchanged instances", findings, (Row.RESTARTED,), venues),
            _traffic("Its requests, until all is reconciled and reported", findings.restarts),
            _rests(findings),
            _latencies("The protocol", findings, PROTOCOL, ("",)),
        )
    )
    for (what, venue), why in findings.unmeasured.items():
        console.print(f"[yellow]not measured[/]: {what}{' on ' + venue if venue else ''}: {why}")


def _latencies(title: str, findings: Findings, rows: Sequence[Row], venues: Sequence[str]) -> Table:
    table = _table(f"{title} (ms)", "")
    for venue in venues:
        for column in ("n", "p50", "p95", "max", "ratio"):
            table.add_column(f"{venue}\n{column}" if venue and column == "n" else f"\n{column}", justify="right")
    for row in rows:
        table.add_row(row.value, *(cell for venue in venues for cell in _cells(findings, row, venue)))
    return table


def _cells(findings: Findings, row: Row, venue: str) -> Iterator[str]:
    found = findings.latencies.get((row, venue))
    if found is None:
        yield from ("-", "-", "-", "-", "-")
        return
    yield str(found.n)
    for seconds in (found.p50, found.p95, found.longest):
        yield _shown(seconds)
    ratio = findings.ratio(row, venue, to=BASES[row]) if row in BASES else None
    yield "-" if ratio is None else f"{ratio:.2f}"


def _shown(seconds: float) -> str:
    milli = seconds * _MILLI
    return f"{milli:.2f}" if milli < 10 else f"{milli:.0f}"


def _traffic(title: str, found: dict[str, Traffic]) -> Table:
    table = _table(title, "cluster", "requests", "by verb", "writes")
    for venue, traffic in found.items():
        table.add_row(venue, str(traffic.total), _verbs(traffic), str(traffic.writes))
    return table


def _rests(findings: Findings) -> Table:
    # Nothing is scaled to a minute that a window may be too short to see: open watches are renewed less often.
    table = _table("At rest", "cluster", "watched for", "requests", "by verb", "writes", "CPU a minute", "memory")
    table.caption = f"as counted in that time; watches are renewed every {WATCH_SECONDS} s, which it may not contain"
    for venue, rest in sorted(findings.rests.items()):
        table.add_row(
            venue,
            f"{rest.watched_seconds:.0f} s",
            str(rest.traffic.total),
            _verbs(rest.traffic) or "none",
            str(rest.traffic.writes),
            f"{rest.cpu_seconds_per_minute:.2f} s",
            f"{rest.resident_bytes / _MIB:.0f} MiB",
        )
    return table


def _verbs(traffic: Traffic) -> str:
    return ", ".join(f"{verb} {count}" for verb, count in traffic.by_verb.items())


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number == 0 or column.startswith("by verb") else "right")
    return table


def plain(findings: Findings) -> dict[str, Any]:
    """The findings as JSON values; durations in milliseconds."""
    return {
        "latencies": [_latency(findings, row, venue) for row, venue in findings.latencies],
        "restarts": {venue: _plain_traffic(traffic) for venue, traffic in findings.restarts.items()},
        "rests": {venue: _plain_rest(rest) for venue, rest in findings.rests.items()},
        "objects": findings.objects,
        "notMeasured": [
            {"what": what, "venue": venue, "why": why} for (what, venue), why in findings.unmeasured.items()
        ],
    }


def _latency(findings: Findings, row: Row, venue: str) -> dict[str, Any]:
    found = findings.latencies[row, venue]
    base = BASES.get(row)
    ratio = findings.ratio(row, venue, to=base) if base else None
    return {
        "id": row.name.lower(),
        "what": row.value.strip(),
        "venue": venue,
        "n": found.n,
        "p50Ms": round(found.p50 * _MILLI, 3),
        "p95Ms": round(found.p95 * _MILLI, 3),
        "maxMs": round(found.longest * _MILLI, 3),
        "ratio": None if ratio is None else round(ratio, 3),
        "ratioTo": base.name.lower() if base else None,
    }


def _plain_traffic(traffic: Traffic) -> dict[str, Any]:
    return {"requests": traffic.total, "byVerb": dict(traffic.by_verb), "writes": traffic.writes}


def _plain_rest(rest: Rest) -> dict[str, Any]:
    return {
        "watchedSeconds": round(rest.watched_seconds, 1),
        "watched": _plain_traffic(rest.traffic),
        "cpuSecondsPerMinute": round(rest.cpu_seconds_per_minute, 3),
        "residentBytes": rest.resident_bytes,
    }
