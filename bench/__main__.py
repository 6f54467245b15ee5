"""``python -m bench``: the only reader of its command line; prints the figures and writes them to bench/results/."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console

from agent.loops.pace import SystemClock
from bench.findings import Findings
from bench.picture import draw
from bench.run import measure
from bench.scale import FULL, QUICK, Scale
from bench.tables import plain, show
from bench.venues import VENUES

RESULTS = Path(__file__).parent / "results"
_WIDE = 150


def main() -> int:
    """Measure, print, keep."""
    asked = _arguments()
    scale = QUICK if asked.quick else FULL
    venues = tuple(asked.on or VENUES)
    clock = SystemClock()
    began, surroundings = clock.monotonic(), _surroundings(scale)
    findings = asyncio.run(measure(scale, venues=venues))
    surroundings["tookSeconds"] = round(clock.monotonic() - began, 1)
    document = json.dumps({"run": surroundings, **plain(findings)}, indent=2, ensure_ascii=False)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "latest.json").write_text(document + "\n", encoding="utf-8")
    (RESULTS / "latency.svg").write_text(draw(findings, venues), encoding="utf-8")
    if asked.output == "json":
        sys.stdout.write(document + "\n")
    else:
        _show(findings, venues, surroundings)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measures; prints ratios with their spread.")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, under a minute")
    parser.add_argument("--output", choices=("table", "json"), default="table", help="for people, or for programs")
    parser.add_argument("--on", action="append", choices=VENUES, help="only this cluster; may be given twice")
    return parser.parse_args()


def _surroundings(scale: Scale) -> dict[str, Any]:
    return {
        "at": SystemClock().now().isoformat(timespec="seconds"),
        "scale": scale.name,
        "processors": os.cpu_count(),
        "loadBefore": [round(load, 1) for load in psutil.getloadavg()],
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def _show(findings: Findings, venues: tuple[str, ...], surroundings: dict[str, Any]) -> None:
    console = Console() if sys.stdout.isatty() else Console(width=_WIDE)
    show(findings, venues, console=console)
    console.print(
        f"{surroundings['processors']} processors, load before {surroundings['loadBefore'][0]}, "
        f"Python {surroundings['python']}; took {surroundings['tookSeconds']:.0f} s; "
        f"picture and JSON in {RESULTS.relative_to(Path.cwd()) if RESULTS.is_relative_to(Path.cwd()) else RESULTS}/"
    )


if __name__ == "__main__":
    sys.exit(main())
