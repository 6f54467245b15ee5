"""The agent's memory over very many changes as a picture: plain SVG, like the distribution of latencies."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from bench.findings import Soak

_LEFT, _TOP, _WIDE, _HIGH = 70, 50, 640, 260
_MIB = 2**20
_MOST_POINTS = 400
_FONT = 'font-family="sans-serif" font-size="12"'
_TITLE = "Resident memory of the agent over changes"
_LINE, _TYPICAL = "#1971c2", "#c2255c"


def draw_memory(soak: Soak) -> str:
    """A line of samples from zero upwards, and the medians of the first and the last quarter; empty without samples."""
    if not soak.samples:
        return ""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_LEFT + _WIDE + 40} {_TOP + _HIGH + 50}" {_FONT}>',
        f"<title>{_TITLE}</title>",
        f"<desc>{escape(_told(soak))}</desc>",
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        f'<text x="{_LEFT}" y="20" font-size="15">{_TITLE}</text>',
        f'<text x="{_LEFT}" y="38">{escape(_told(soak))}</text>',
        *_grid(soak),
        f'<path d="{_line(soak)}" fill="none" stroke="{_LINE}" stroke-width="1.5"/>',
        *_quarters(soak),
    ]
    return "\n".join([*parts, "</svg>", ""])


def _told(soak: Soak) -> str:
    """The picture in words."""
    first, last, growth = soak.typical(0, 0.25), soak.typical(0.75, 1), soak.growth
    if first is None or last is None or growth is None:
        return f"{soak.changes:,} changes"
    return (
        f"{soak.changes:,} changes: median {first / _MIB:.1f} MiB in the first quarter, "
        f"{last / _MIB:.1f} MiB in the last, {growth:+.1%}"
    )


def _grid(soak: Soak) -> Iterator[str]:
    yield f'<rect x="{_LEFT}" y="{_TOP}" width="{_WIDE}" height="{_HIGH}" fill="none" stroke="#868e96"/>'
    highest = _highest(soak)
    for share in (0, 0.25, 0.5, 0.75, 1):
        x, y = _LEFT + share * _WIDE, _TOP + _HIGH * (1 - share)
        yield f'<text x="{x:.1f}" y="{_TOP + _HIGH + 18}" text-anchor="middle">{share * soak.changes:,.0f}</text>'
        yield f'<line x1="{_LEFT}" x2="{_LEFT + _WIDE}" y1="{y:.1f}" y2="{y:.1f}" stroke="#dee2e6"/>'
        yield f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{share * highest / _MIB:.0f} MiB</text>'


def _quarters(soak: Soak) -> Iterator[str]:
    for low, high in ((0.0, 0.25), (0.75, 1.0)):
        typical = soak.typical(low, high)
        if typical is not None:
            y = _TOP + _HIGH * (1 - typical / _highest(soak))
            ends = f'x1="{_LEFT + low * _WIDE:.1f}" x2="{_LEFT + high * _WIDE:.1f}" y1="{y:.1f}" y2="{y:.1f}"'
            yield f'<line {ends} stroke="{_TYPICAL}" stroke-dasharray="6 3" stroke-width="2"/>'


def _line(soak: Soak) -> str:
    step = max(1, len(soak.samples) // _MOST_POINTS)
    places = [
        f"{_LEFT + done / max(1, soak.changes) * _WIDE:.1f},{_TOP + _HIGH * (1 - held / _highest(soak)):.1f}"
        for done, held in soak.samples[::step]
    ]
    return "M" + " L".join(places) if places else ""


def _highest(soak: Soak) -> float:
    """The top of the axis: a fifth above the highest sample."""
    return max((held for _, held in soak.samples), default=_MIB) * 1.2
