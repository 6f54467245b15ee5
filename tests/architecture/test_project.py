"""The project file, the lock, the settings and the machine's run agree with each other."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.architecture.tree import ROOT, project, read

PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)(?:\[[^\]]+\])?==(?P<version>[^\s;]+)", re.MULTILINE)


def declared_dependencies() -> Iterator[Requirement]:
    """Everything that pyproject names, of all extras and groups; our own extras are not a dependency."""
    table = project()
    lists = [
        table["project"]["dependencies"],
        *table["project"]["optional-dependencies"].values(),
        *table["dependency-groups"].values(),
        table["build-system"]["requires"],
    ]
    for line in (line for lines in lists for line in lines):
        requirement = Requirement(line)
        if canonicalize_name(requirement.name) != table["project"]["name"]:
            yield requirement


def pinned() -> dict[str, str]:
    return {canonicalize_name(m["name"]): m["version"] for m in PIN.finditer(read("requirements.lock"))}


def test_every_dependency_is_pinned_within_its_bounds() -> None:
    pins = pinned()
    wrong = [
        str(requirement)
        for requirement in declared_dependencies()
        if (version := pins.get(canonicalize_name(requirement.name))) is None
        or not requirement.specifier.contains(Version(version), prereleases=True)
    ]
    assert not wrong, f"requirements.lock is behind pyproject.toml, run make lock: {wrong}"


def test_every_pin_carries_hashes_and_the_lock_names_no_place_to_load_from() -> None:
    lock = read("requirements.lock")
    entries = [entry for entry in re.split(r"^(?=\S)", lock, flags=re.MULTILINE) if entry.strip()]
    without = [entry.splitlines()[0] for entry in entries if "--hash=sha256:" not in entry]
    assert not without, f"not pinned by hash: {without}"
    for place in ("://", "--index", "--extra-index", "--find-links", "@"):
        assert place not in lock, f"the lock says {place!r}, so it depends on where it was made"


def entry_points() -> list[tuple[str, str]]:
    table = project()["project"]
    groups = [table["scripts"], *table["entry-points"].values()]
    return [pair for group in groups for pair in group.items()]


@pytest.mark.parametrize(("name", "target"), entry_points())
def test_an_entry_point_resolves(name: str, target: str) -> None:
    module, _, attribute = target.partition(":")
    assert callable(getattr(importlib.import_module(module), attribute)), name


def test_the_machine_runs_the_command_that_the_readme_tells() -> None:
    (told,) = re.findall(r"<!-- the test command -->\n```\w*\n(.+)\n```", read("README.md"))
    commands = [line.strip() for line in read(".ci/run").splitlines() if line.strip() and not line.startswith("#")]
    assert commands[-1].endswith(told)
    assert "export CI=true" in commands
    assert (ROOT / ".ci/run").stat().st_mode & 0o111


def test_every_target_of_the_makefile_explains_itself() -> None:
    makefile = read("Makefile")
    phony = set(re.findall(r"^\.PHONY: ([\w-]+)$", makefile, re.MULTILINE))
    explained = set(re.findall(r"^([\w-]+):.* ## \S", makefile, re.MULTILINE))
    targets = set(re.findall(r"^([\w-]+):(?!=)", makefile, re.MULTILINE))
    assert phony == explained == targets


def test_every_suite_is_run_by_the_makefile() -> None:
    suites = {path.parent.relative_to(ROOT).parts[1] for path in (ROOT / "tests").rglob("test_*.py")}
    told = set(
        re.findall(r"tests/(\w+)", " ".join(re.findall(r"^\w+_SUITES := (.+)$", read("Makefile"), re.MULTILINE)))
    )
    assert suites == told
