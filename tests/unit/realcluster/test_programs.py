"""Programs are looked for in a fixed order, and what is found nowhere is named with the way to get it."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.realcluster.artifacts import CONTROL_PLANE, NODE_TOOLS, artifact_of
from sandbox.realcluster.environment import Environment
from sandbox.realcluster.faults import ProgramsMissing
from sandbox.realcluster.programs import (
    Programs,
    cache_folder,
    find_programs,
    fits,
    look_for_programs,
    names_for,
    parse_version,
)


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    """Three places to look in, all empty."""
    for folder in ("assets", "cache", "bin"):
        (tmp_path / folder).mkdir()
    return Environment(
        assets=tmp_path / "assets",
        cache=tmp_path / "cache",
        search_path=str(tmp_path / "bin"),
        variables={},
        strict=False,
    )


def program(path: Path, says: str = "Kubernetes v1.36.0") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{says}'\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def built(environment: Environment, name: str) -> Path:
    artifact = artifact_of(name)
    assert artifact is not None
    return cache_folder(environment) / artifact.folder / name


def found(environment: Environment, name: str) -> Path | None:
    return look_for_programs(environment, (name,)).paths.get(name)


def test_the_folder_of_the_user_comes_before_the_cache_and_that_before_the_path(
    environment: Environment, tmp_path: Path
) -> None:
    on_path = program(tmp_path / "bin" / "etcd", "etcd Version: 3.6.1")
    assert found(environment, "etcd") == on_path
    cached = program(built(environment, "etcd"))
    assert found(environment, "etcd") == cached
    given = program(tmp_path / "assets" / "etcd")
    assert found(environment, "etcd") == given


def test_a_set_may_be_mixed(environment: Environment, tmp_path: Path) -> None:
    for name in CONTROL_PLANE:
        program(built(environment, name) if name == "kwok" else tmp_path / "assets" / name)
    programs = find_programs(environment)
    assert {path.parent.name for path in programs.paths.values()} == {"assets", "kwok-v0.8.0"}


def test_what_the_user_named_is_taken_whatever_its_version(environment: Environment, tmp_path: Path) -> None:
    given = program(tmp_path / "assets" / "kube-apiserver", "Kubernetes v1.20.0")
    assert found(environment, "kube-apiserver") == given


@pytest.mark.parametrize(
    ("name", "says", "expected"),
    [
        ("kube-apiserver", "Kubernetes v1.30.4", True),
        ("kube-apiserver", "Kubernetes v1.29.9", False),
        ("kubectl", "Client Version: v1.36.3\nKustomize Version: v5.8.1", True),
        ("etcd", "etcd Version: 3.4.30", False),
        ("kwok", "kwok version v0.7.0 go1.26", False),
        ("helm", "v3.22.0+gabc", True),
        ("coredns", "CoreDNS-1.15.0", True),
        ("kubelet", "no number at all", False),
    ],
)
def test_a_program_on_the_path_must_fit(name: str, says: str, tmp_path: Path, *, expected: bool) -> None:
    assert fits(name, program(tmp_path / name, says)) is expected


def test_a_program_that_does_not_run_does_not_fit(tmp_path: Path) -> None:
    broken = tmp_path / "kubelet"
    broken.write_bytes(b"\x7fELF nonsense")
    broken.chmod(0o755)
    assert not fits("kubelet", broken)


def test_what_is_missing_is_named_with_the_remedy(environment: Environment) -> None:
    with pytest.raises(ProgramsMissing, match="KUBEBUILDER_ASSETS") as missing:
        find_programs(environment)
    assert missing.value.names == CONTROL_PLANE


def test_tools_of_the_operating_system_have_another_remedy() -> None:
    others = {name: Path("/there") / name for name in names_for(node=True) if name not in NODE_TOOLS}
    with pytest.raises(ProgramsMissing, match="apt-get install containerd"):
        Programs(others).require(names_for(node=True))


@pytest.mark.parametrize(
    ("text", "version"),
    [("v1.36.3", (1, 36)), ("go1.26.8", (1, 26)), ("etcd Version: 3.6.8\nGo 1.26", (3, 6)), ("none", None)],
)
def test_versions_are_read_out_of_what_programs_print(text: str, version: tuple[int, int] | None) -> None:
    assert parse_version(text) == version
