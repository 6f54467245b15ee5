"""The order of the layers: kept by the code, and told by the architecture page as the contract has it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.architecture.tree import ROOT, project, read


def contracted_layers() -> list[list[str]]:
    """The layers of the import contract, top first, each as the rooms that share it."""
    contracts = project()["tool"]["importlinter"]["contracts"]
    (layered,) = (contract for contract in contracts if contract["type"] == "layers")
    return [[room.strip(" ()") for room in line.split("|")] for line in layered["layers"]]


def told_layers() -> list[list[str]]:
    """The layers of docs/architecture.md: the numbered list whose items open with the rooms' names in backticks."""
    lines = re.findall(r"^\d+\. (`\w+`(?:, `\w+`)*)", read("docs/architecture.md"), re.MULTILINE)
    return [re.findall(r"`(\w+)`", line) for line in lines]


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-logo", "--no-cache"],
        cwd=folder,
        env={"PYTHONPATH": str(folder), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_import_contracts_are_kept() -> None:
    verdict = lint_imports(ROOT)
    assert verdict.returncode == 0, verdict.stdout + verdict.stderr


def test_the_architecture_page_tells_the_layers_of_the_contract_in_the_same_order() -> None:
    assert told_layers() == contracted_layers()


def test_every_room_that_exists_is_in_the_contract() -> None:
    rooms = {path.stem if path.suffix else path.name for path in (ROOT / "agent").iterdir()}
    contracted = {room for layer in contracted_layers() for room in layer}
    assert rooms - {"__init__", "__pycache__", "py"} <= contracted


def test_the_contracts_bite(tmp_path: Path) -> None:
    """A contract that no violation breaks would be decoration, so each kind is broken once on a copy."""
    for folder in ("agent", "control_plane", "sandbox"):
        for path in (ROOT / folder).rglob("*.py"):
            copy = tmp_path / path.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    (tmp_path / "pyproject.toml").write_text(read("pyproject.toml"), encoding="utf-8")
    planted = {
        "agent/model/planted.py": ("import agent.ports", "data flows one way"),
        "agent/loops/planted.py": ("import agent.uplink", "loops and inspections see ports, not edges"),
        "agent/planning/planted.py": ("from time import monotonic", "pure rooms do no input"),
        "control_plane/planted.py": ("import agent.settings", "the control plane shares only"),
        "sandbox/cluster/planted.py": ("import agent.model", "know nothing of the agent"),
        "sandbox/faults/planted.py": ("import sandbox.cluster", "faults are the same"),
        "agent/telemetry/planted.py": ("import sandbox.cluster", "the agent knows neither"),
        "agent/uplink/planted.py": ("import kubernetes_asyncio", "Kubernetes' client stays"),
    }
    for name, (line, _) in planted.items():
        (tmp_path / name).write_text(f'"""Planted."""\n\n{line}\n', encoding="utf-8")
    verdict = lint_imports(tmp_path)
    broken = [line for line in verdict.stdout.splitlines() if line.endswith("BROKEN")]
    for _, contract in planted.values():
        assert any(contract in line for line in broken), f"{contract!r} was not broken:\n{verdict.stdout}"
