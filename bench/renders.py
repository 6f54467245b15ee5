"""Rendering alone, in this process: no cluster, no agent's process takes part."""

from __future__ import annotations

from agent.loops.pace import SystemClock
from agent.rendering import RenderInputs, render
from bench.findings import Findings, Row
from bench.stage import Instance

_WARM_UP = 5


def measure(findings: Findings, *, rounds: int) -> None:
    """Render a running instance by default settings, from the parsed document to plain manifests."""
    clock, inputs, seconds = SystemClock(), RenderInputs(Instance("rendered").says(), {}), []
    for number in range(_WARM_UP + rounds):
        began = clock.monotonic()
        rendered = render(inputs)
        if number >= _WARM_UP:
            seconds.append(clock.monotonic() - began)
    findings.rendered = len(rendered)
    findings.add(Row.RENDERED, "", seconds)
