"""The latency distribution as a picture: cumulative share over milliseconds on a logarithmic axis, as plain SVG.

Self-made, because a plotting library would be the largest dependency of the whole repository.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape

from bench.findings import Findings, Latency, Row

_LINES = {
    Row.FLOOR: ("raw limit", "#2f9e44"),
    Row.CHANGED: ("Perigee", "#1971c2"),
    Row.AMONG: ("Perigee, among very many", "#6741d9"),
    Row.KUBECTL: ("kubectl apply", "#e8590c"),
    Row.HELM: ("helm upgrade", "#c2255c"),
}
_LEFT, _TOP, _WIDE, _HIGH, _GAP = 60, 50, 420, 260, 70
_DECADES = (0, 4)  # 1 ms to 10 s
_MILLI = 1000
_FONT = 'font-family="sans-serif" font-size="12"'
_TITLE = "One change of replicas until a third party sees it: share of rounds within so many ms"


def draw(findings: Findings, venues: Sequence[str]) -> str:
    """The picture, one panel for each venue; empty if nothing of it was measured."""
    if not any((row, venue) in findings.latencies for row in _LINES for venue in venues):
        return ""
    width = _LEFT + len(venues) * (_WIDE + _GAP)
    height = _TOP + _HIGH + 60
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" {_FONT}>',
        f"<title>{_TITLE}</title>",
        f"<desc>{escape('; '.join(_told(findings, venues)))}</desc>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<text x="{_LEFT}" y="20" font-size="15">{_TITLE}</text>',
    ]
    for number, venue in enumerate(venues):
        parts.extend(_panel(findings, venue, x=_LEFT + number * (_WIDE + _GAP)))
    return "\n".join([*parts, "</svg>", ""])


def _told(findings: Findings, venues: Sequence[str]) -> Iterator[str]:
    """The picture in words, for who cannot see it."""
    for venue in venues:
        for row, (label, _) in _LINES.items():
            found = findings.latencies.get((row, venue))
            if found is not None:
                yield f"{venue}, {label}: half within {found.p50 * _MILLI:.0f} ms, most {found.longest * _MILLI:.0f} ms"


def _panel(findings: Findings, venue: str, *, x: float) -> Iterator[str]:
    yield f'<text x="{x}" y="{_TOP - 8}" font-weight="bold">{escape(venue)}</text>'
    yield from _grid(x)
    for number, (row, (label, colour)) in enumerate(_LINES.items()):
        found = findings.latencies.get((row, venue))
        if found is not None:
            yield f'<path d="{_steps(found, x)}" fill="none" stroke="{colour}" stroke-width="2"/>'
            text = f"{label}: p50 {found.p50 * _MILLI:.0f} ms"
            at = f'x="{x + _WIDE - 8}" y="{_TOP + _HIGH - 80 + number * 16}" text-anchor="end"'
            yield f'<text {at} fill="{colour}">{escape(text)}</text>'


def _grid(x: float) -> Iterator[str]:
    yield f'<rect x="{x}" y="{_TOP}" width="{_WIDE}" height="{_HIGH}" fill="none" stroke="#868e96"/>'
    for decade in range(_DECADES[0], _DECADES[1] + 1):
        at = x + _across(10**decade)
        yield f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{_TOP}" y2="{_TOP + _HIGH}" stroke="#dee2e6"/>'
        yield f'<text x="{at:.1f}" y="{_TOP + _HIGH + 16}" text-anchor="middle">{10**decade:,} ms</text>'
    for share in (0.5, 0.95):
        at = _TOP + _HIGH * (1 - share)
        yield f'<line x1="{x}" x2="{x + _WIDE}" y1="{at:.1f}" y2="{at:.1f}" stroke="#dee2e6"/>'
        yield f'<text x="{x - 6}" y="{at + 4:.1f}" text-anchor="end">{share:.0%}</text>'


def _steps(found: Latency, x: float) -> str:
    """A staircase that rises by one round at each round's latency."""
    points = [f"M{x:.1f},{_TOP + _HIGH:.1f}"]
    for number, seconds in enumerate(sorted(found.seconds), start=1):
        points.append(f"H{x + _across(seconds * _MILLI):.1f}")
        points.append(f"V{_TOP + _HIGH * (1 - number / found.n):.1f}")
    return " ".join([*points, f"H{x + _WIDE}"])


def _across(milliseconds: float) -> float:
    low, high = _DECADES
    share = (math.log10(max(milliseconds, 10**low)) - low) / (high - low)
    return min(share, 1.0) * _WIDE
