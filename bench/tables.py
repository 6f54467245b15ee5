"""How findings are shown: tables for people, one JSON document for programs. Ratios are between medians of one run."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console, Group
from rich.table import Table

from bench.findings import Findings, Fleet, Memory, Pair, Rest, Row, Soak, Traffic
from bench.targets import Verdict, judge

ONE_CHANGE = (Row.FLOOR, Row.CHANGED, Row.CALLED, Row.KUBECTL, Row.HELM, Row.REPORTED, Row.TOLD)
A_WHOLE_INSTANCE = (Row.EXISTS, Row.READY, Row.HELM_EXISTS)
MADE = (Row.FIRST_RAW, Row.FIRST_AGENT, Row.FIRST_KUBECTL, Row.FIRST_HELM)
ALL_CHANGED = (Row.UPDATE_RAW, Row.UPDATE_AGENT, Row.UPDATE_KUBECTL, Row.UPDATE_HELM)
AMONG_MANY = (Row.AMONG, Row.AMONG_REPORTED, Row.AMONG_READY)
PROTOCOL = (Row.POLL_SAME, Row.RAW_SAME, Row.POLL_NEW, Row.RAW_NEW, Row.VERIFIED, Row.CHECKED)
BASES = {
    **dict.fromkeys(ONE_CHANGE, Row.CHANGED),
    **dict.fromkeys(A_WHOLE_INSTANCE, Row.EXISTS),
    **dict.fromkeys(MADE, Row.FIRST_AGENT),
    **dict.fromkeys(ALL_CHANGED, Row.UPDATE_AGENT),
    **dict.fromkeys(AMONG_MANY, Row.AMONG),
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


@dataclass(frozen=True, slots=True)
class Asked:
    """What a run was asked for: on which clusters, the heavy one last, and which parts."""

    venues: Sequence[str]
    parts: Collection[str]


def show(findings: Findings, asked: Asked, *, console: Console) -> None:
    """Print everything that was measured, and at last what there was to reach."""
    console.print(Group(*_tables(findings, asked.venues)))
    verdicts = tuple(judge(findings, asked.venues[-1], parts=asked.parts))
    if verdicts:
        console.print(_verdicts(verdicts, asked.venues[-1]))
    for (what, venue), why in findings.unmeasured.items():
        console.print(f"[yellow]not measured[/]: {what}{' on ' + venue if venue else ''}: {why}")


def _tables(findings: Findings, venues: Sequence[str]) -> Iterator[Table]:
    objects = ", ".join(f"{count} objects ({venue})" for venue, count in findings.objects.items())
    crowd = ", ".join(f"{fleet.instances:,} instances ({venue})" for venue, fleet in findings.fleets.items())
    titled: tuple[tuple[str, Sequence[Row], Sequence[str]], ...] = (
        ("One change of replicas, until a watch of a third party shows it", ONE_CHANGE, venues),
        (f"A whole instance with pods: {objects}", A_WHOLE_INSTANCE, venues),
        ("A whole instance that hibernates", (*MADE, *ALL_CHANGED), venues[-1:]),
        (f"One of them changed among {crowd}", AMONG_MANY, venues[-1:]),
        ("The agent started again over unchanged instances", (Row.RESTARTED, Row.IN_SYNC), venues),
        ("The protocol", PROTOCOL, ("",)),
        (f"Rendering: {findings.rendered} objects", (Row.RENDERED,), ("",)),
    )
    for title, rows, places in titled:
        if any((row, place) in findings.latencies for row in rows for place in places):
            yield _latencies(title, findings, rows, places)
    for found, table in (
        (findings.pairs, _pairs),
        (findings.fleets, _fleets),
        (findings.restarts, _restarts),
        (findings.rests, _rests),
        (findings.soaks, _soaks),
    ):
        if found:
            yield table(findings)


def _latencies(title: str, findings: Findings, rows: Sequence[Row], venues: Sequence[str]) -> Table:
    table = _table(f"{title} (ms)", "")
    for venue in venues:
        for column in ("n", "p50", "p95", "p99", "max", "ratio"):
            table.add_column(f"{venue}\n{column}" if venue and column == "n" else f"\n{column}", justify="right")
    for row in rows:
        table.add_row(row.value, *(cell for venue in venues for cell in _cells(findings, row, venue)))
    return table


def _cells(findings: Findings, row: Row, venue: str) -> Iterator[str]:
    found = findings.latencies.get((row, venue))
    if found is None:
        yield from ("-", "-", "-", "-", "-", "-")
        return
    yield str(found.n)
    for seconds in (found.p50, found.p95, found.p99, found.longest):
        yield _shown(seconds)
    ratio = findings.ratio(row, venue, to=BASES[row]) if row in BASES else None
    yield "-" if ratio is None else f"{ratio:.2f}"


def _shown(seconds: float) -> str:
    milli = seconds * _MILLI
    return f"{milli:.2f}" if milli < 10 else f"{milli:.0f}"


def _pairs(findings: Findings) -> Table:
    columns = ("cluster", "pair", "Perigee", "raw", "ratio", "its CPU an object", "its requests an instance")
    table = _table("Many instances for the first time (objects a second)", *columns)
    for venue, pairs in findings.pairs.items():
        for number, pair in enumerate(pairs, start=1):
            spent = (f"{pair.cpu_seconds_per_object * _MILLI:.1f} ms", f"{pair.requests_per_instance:.1f}")
            table.add_row(venue, str(number), f"{pair.agent:.0f}", f"{pair.raw:.0f}", f"{pair.ratio:.2f}", *spent)
    return table


def _fleets(findings: Findings) -> Table:
    title = "Growing (resident memory by instances present, proportional share in brackets), and one change among all"
    columns = ("cluster", "instances", "objects made", "a second", "memory", "after a restart", "a change costs")
    table = _table(title, *columns)
    for venue, fleet in findings.fleets.items():
        steps = ", ".join(f"{count:,}: {_mib(held)}" for count, held in fleet.memory.items())
        rate = fleet.objects / fleet.first_apply_seconds if fleet.objects else 0
        again = _mib(fleet.restarted) if fleet.restarted else "-"
        table.add_row(venue, f"{fleet.instances:,}", f"{fleet.objects:,}", f"{rate:.0f}", steps, again, _spent(fleet))
    return table


def _spent(fleet: Fleet) -> str:
    if fleet.cpu_seconds_per_change is None or fleet.requests_per_change is None:
        return "-"
    return f"{fleet.cpu_seconds_per_change * _MILLI:.0f} ms CPU, {fleet.requests_per_change:.1f} requests"


def _mib(held: Memory) -> str:
    return f"{held.resident / _MIB:.0f} ({held.proportional / _MIB:.0f}) MiB"


def _restarts(findings: Findings) -> Table:
    title = "Started again: its requests, until all is reconciled and reported"
    table = _table(title, "cluster", "requests", "by verb", "writes")
    for venue, traffic in findings.restarts.items():
        table.add_row(venue, str(traffic.total), _verbs(traffic), str(traffic.writes))
    return table


def _rests(findings: Findings) -> Table:
    # Nothing is scaled to a minute that a window may be too short to see: open watches are renewed less often.
    columns = ("cluster", "watched for", "requests", "by verb", "writes", "CPU a minute", "memory", "watches")
    table = _table("At rest", *columns)
    table.caption = f"as counted in that time; watches are renewed every {WATCH_SECONDS} s, which it may not contain"
    for venue, rest in sorted(findings.rests.items()):
        table.add_row(
            venue,
            f"{rest.watched_seconds:.0f} s",
            str(rest.traffic.total),
            _verbs(rest.traffic) or "none",
            str(rest.traffic.writes),
            f"{rest.cpu_seconds_per_minute:.2f} s",
            _mib(rest.memory),
            "-" if rest.open_watches is None else str(rest.open_watches),
        )
    return table


def _soaks(findings: Findings) -> Table:
    columns = ("changes", "a second", "first quarter", "last quarter", "more")
    table = _table("Very many changes (median of resident memory)", *columns)
    for soak in findings.soaks.values():
        first, last, growth = soak.typical(0, 0.25), soak.typical(0.75, 1), soak.growth
        held = [f"{figure / _MIB:.1f} MiB" if figure else "-" for figure in (first, last)]
        rate = soak.changes / soak.took_seconds
        table.add_row(f"{soak.changes:,}", f"{rate:.1f}", *held, "-" if growth is None else f"{growth:+.1%}")
    return table


def _verdicts(verdicts: Sequence[Verdict], venue: str) -> Table:
    table = _table(f"What there is to reach ({venue})", "", "measured", "to reach", "of the limit", "bare requests", "")
    for verdict in verdicts:
        target = verdict.target
        wanted = f"{target.rule} {target.limit:g} {target.unit}"
        if verdict.value is None:
            table.add_row(target.what, "not measured", wanted, "-", "-", "")
            continue
        ratio = "-" if verdict.ratio is None else f"{verdict.ratio:.2f}"
        word = "[green]reached[/]" if verdict.reached else "[red]missed[/]"
        bare = "-" if verdict.bare is None else f"{verdict.bare:.4g} {target.unit}"
        table.add_row(target.what, f"{verdict.value:.4g} {target.unit}", wanted, ratio, bare, word)
    return table


def _verbs(traffic: Traffic) -> str:
    return ", ".join(f"{verb} {count}" for verb, count in traffic.by_verb.items())


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number == 0 or column.startswith("by verb") else "right")
    return table


def plain(findings: Findings, asked: Asked) -> dict[str, Any]:
    """The findings as JSON values; durations in milliseconds, memory in bytes."""
    return {
        "targets": [_plain_verdict(verdict) for verdict in judge(findings, asked.venues[-1], parts=asked.parts)],
        "latencies": [_latency(findings, row, venue) for row, venue in findings.latencies],
        "pairs": {venue: [_plain_pair(pair) for pair in pairs] for venue, pairs in findings.pairs.items()},
        "fleets": {venue: _plain_fleet(fleet) for venue, fleet in findings.fleets.items()},
        "restarts": {venue: _plain_traffic(traffic) for venue, traffic in findings.restarts.items()},
        "rests": {venue: _plain_rest(rest) for venue, rest in findings.rests.items()},
        "soaks": {venue: _plain_soak(soak) for venue, soak in findings.soaks.items()},
        "objects": findings.objects,
        "rendered": findings.rendered,
        "notMeasured": [
            {"what": what, "venue": venue, "why": why} for (what, venue), why in findings.unmeasured.items()
        ],
    }


def _plain_verdict(verdict: Verdict) -> dict[str, Any]:
    target = verdict.target
    return {
        "id": target.id,
        "what": target.what,
        "unit": target.unit,
        "rule": target.rule,
        "limit": target.limit,
        "measured": None if verdict.value is None else round(verdict.value, 4),
        "ratio": None if verdict.ratio is None else round(verdict.ratio, 3),
        "bareRequests": None if verdict.bare is None else round(verdict.bare, 4),
        "reached": verdict.reached,
    }


def _plain_pair(pair: Pair) -> dict[str, float]:
    return {
        "agent": round(pair.agent, 1),
        "raw": round(pair.raw, 1),
        "ratio": round(pair.ratio, 3),
        "cpuMsPerObject": round(pair.cpu_seconds_per_object * _MILLI, 2),
        "requestsPerInstance": round(pair.requests_per_instance, 1),
    }


def _plain_memory(held: Memory) -> dict[str, int]:
    return {"resident": held.resident, "proportional": held.proportional}


def _plain_fleet(fleet: Fleet) -> dict[str, Any]:
    return {
        "instances": fleet.instances,
        "objectsMade": fleet.objects,
        "madeInSeconds": round(fleet.first_apply_seconds, 1),
        "memory": {str(count): _plain_memory(held) for count, held in fleet.memory.items()},
        "bytesPerFurtherInstance": fleet.bytes_per_instance,
        "cpuSecondsPerChange": fleet.cpu_seconds_per_change,
        "requestsPerChange": fleet.requests_per_change,
        "restarted": _plain_memory(fleet.restarted) if fleet.restarted else None,
    }


def _plain_soak(soak: Soak) -> dict[str, Any]:
    return {
        "changes": soak.changes,
        "tookSeconds": round(soak.took_seconds, 1),
        "firstQuarter": soak.typical(0, 0.25),
        "lastQuarter": soak.typical(0.75, 1),
        "growth": soak.growth,
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
        "p99Ms": round(found.p99 * _MILLI, 3),
        "maxMs": round(found.longest * _MILLI, 3),
        "ratio": None if ratio is None else round(ratio, 3),
        "ratioTo": base.name.lower() if base else None,
    }


def _plain_traffic(traffic: Traffic) -> dict[str, Any]:
    return {
        "requests": traffic.total,
        "byVerb": dict(traffic.by_verb),
        "writes": traffic.writes,
        "leasesAndWatches": traffic.aside,
    }


def _plain_rest(rest: Rest) -> dict[str, Any]:
    return {
        "watchedSeconds": round(rest.watched_seconds, 1),
        "watched": _plain_traffic(rest.traffic),
        "cpuSecondsPerMinute": round(rest.cpu_seconds_per_minute, 3),
        "requestsPerMinute": round(rest.requests_per_minute, 1),
        "memory": _plain_memory(rest.memory),
        "openWatches": rest.open_watches,
    }
