"""``python -m bench``: the only reader of its command line; prints the figures and writes them to bench/results/."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console

from agent.loops.pace import SystemClock
from bench.findings import Findings
from bench.picture import draw
from bench.plot import draw_memory
from bench.run import Plan, measure
from bench.scale import FULL, PARTS, QUICK, Scale
from bench.tables import Asked, plain, show
from bench.venues import SOAK, VENUES

RESULTS = Path(__file__).parent / "results"
_WIDE = 150


def main() -> int:
    """Measure, print, keep."""
    asked = _arguments()
    plan = Plan(_scale(asked), frozenset(asked.only or PARTS), tuple(sorted(set(asked.on or VENUES), key=VENUES.index)))
    clock, findings = SystemClock(), Findings()
    began, surroundings = clock.monotonic(), _surroundings(plan)
    asyncio.run(measure(plan, findings))
    surroundings["loadAfter"] = [round(load, 1) for load in psutil.getloadavg()]
    surroundings["tookSeconds"] = round(clock.monotonic() - began, 1)
    document = json.dumps(
        {"run": surroundings, **plain(findings, Asked(plan.venues, plan.parts))}, indent=2, ensure_ascii=False
    )
    _keep(document, findings, plan)
    if asked.output == "json":
        sys.stdout.write(document + "\n")
    else:
        _show(findings, plan, surroundings)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measures; prints ratios with their spread.")
    parser.add_argument("--quick", action="store_true", help="fewer rounds and instances: minutes instead of an hour")
    parser.add_argument("--output", choices=("table", "json"), default="table", help="for people, or for programs")
    parser.add_argument("--on", action="append", choices=VENUES, help="only this cluster; may be given twice")
    parser.add_argument("--only", action="append", choices=PARTS, help="only this part; may be given several times")
    parser.add_argument("--instances", type=int, help="how many instances the part `fleet` has")
    parser.add_argument("--rest-seconds", type=float, help="how long the part `fleet` is watched at rest")
    parser.add_argument("--changes", type=int, help="how many changes the part `soak` makes")
    return parser.parse_args()


def _scale(asked: argparse.Namespace) -> Scale:
    scale = QUICK if asked.quick else FULL
    wanted = {
        "fleet": asked.instances,
        "fleet_rest_seconds": asked.rest_seconds,
        "soak_changes": asked.changes,
    }
    return replace(scale, **{name: value for name, value in wanted.items() if value is not None})


def _surroundings(plan: Plan) -> dict[str, Any]:
    return {
        "at": SystemClock().now().isoformat(timespec="seconds"),
        "scale": plan.scale.name,
        "parts": [part for part in PARTS if part in plan.parts],
        "processors": os.cpu_count(),
        "loadBefore": [round(load, 1) for load in psutil.getloadavg()],
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def _keep(document: str, findings: Findings, plan: Plan) -> None:
    """Write everything down; a picture that this run has nothing for must not stay from another one."""
    soak = findings.soaks.get(SOAK)
    pictures = {"latency.svg": draw(findings, plan.venues), "memory.svg": draw_memory(soak) if soak else ""}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "latest.json").write_text(document + "\n", encoding="utf-8")
    for name, picture in pictures.items():
        if picture:
            (RESULTS / name).write_text(picture, encoding="utf-8")
        else:
            (RESULTS / name).unlink(missing_ok=True)


def _show(findings: Findings, plan: Plan, surroundings: dict[str, Any]) -> None:
    console = Console() if sys.stdout.isatty() else Console(width=_WIDE)
    show(findings, Asked(plan.venues, plan.parts), console=console)
    console.print(
        f"{surroundings['processors']} processors, load before {surroundings['loadBefore'][0]}, "
        f"after {surroundings['loadAfter'][0]}, "
        f"Python {surroundings['python']}; took {surroundings['tookSeconds']:.0f} s; "
        f"pictures and JSON in {RESULTS.relative_to(Path.cwd()) if RESULTS.is_relative_to(Path.cwd()) else RESULTS}/"
    )


if __name__ == "__main__":
    sys.exit(main())
