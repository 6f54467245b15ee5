"""A build is whole or not at all, done once, and says what went wrong. The compiler is a script here."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from sandbox.realcluster.artifacts import ARTIFACTS, KUBE_SOURCE
from sandbox.realcluster.building import build, find_compiler, find_or_build
from sandbox.realcluster.environment import Environment
from sandbox.realcluster.faults import BuildFailed, ProgramsMissing
from sandbox.realcluster.programs import cache_folder

KUBE, KWOK, *_ = ARTIFACTS

COMPILER = """#!/bin/sh
case "$1" in
env) echo {version} ;;
build) echo "linking in $PWD cgo=$CGO_ENABLED"; while [ "$1" != -o ]; do shift; done; echo built >"$2" ;;
install) echo "installing $*"; echo built >"$GOBIN/$(basename "${{5%@*}}")"; echo install >>{calls} ;;
esac
exit {code}
"""


def environment_with(folder: Path, *, version: str = "go1.26.1", code: int = 0) -> Environment:
    """An environment whose only program is a Go compiler that writes down how it was called."""
    script = folder / "bin" / "go"
    script.parent.mkdir()
    text = COMPILER.format(version=version, calls=folder / "calls", code=code)
    script.write_text(text, encoding="utf-8")
    script.chmod(0o755)
    path = f"{script.parent}:/usr/bin:/bin"
    return Environment(
        assets=None, cache=folder / "cache", search_path=str(script.parent), variables={"PATH": path}, strict=False
    )


def calls(folder: Path) -> list[str]:
    return (folder / "calls").read_text(encoding="utf-8").split()


def test_a_build_puts_one_binary_and_its_links_into_the_cache(tmp_path: Path) -> None:
    environment, lines = environment_with(tmp_path), list[str]()
    build([KUBE], environment, lines.append)
    folder = cache_folder(environment) / KUBE.folder
    assert {path.name for path in folder.iterdir()} == {"kube", *KUBE.programs}
    assert (folder / "kubelet").read_text(encoding="utf-8") == "built\n"
    assert lines[0].startswith("[1/1] kube: etcd, ")
    assert lines[1] == f"linking in {KUBE_SOURCE} cgo=0"


def test_an_installed_package_keeps_its_version(tmp_path: Path) -> None:
    environment, lines = environment_with(tmp_path), list[str]()
    build([KWOK], environment, lines.append)
    assert (cache_folder(environment) / "kwok-v0.8.0" / "kwok").exists()
    assert lines[1].endswith("sigs.k8s.io/kwok/cmd/kwok@v0.8.0")


def test_what_is_there_is_not_built_again(tmp_path: Path) -> None:
    environment = environment_with(tmp_path)
    build([KWOK], environment, lambda _: None)
    build([KWOK], environment, lambda _: None)
    assert calls(tmp_path).count("install") == 1


def test_two_builders_build_once(tmp_path: Path) -> None:
    environment = environment_with(tmp_path)
    both = threading.Barrier(2)

    def at_once() -> None:
        both.wait()
        build([KWOK], environment, lambda _: None)

    builders = [threading.Thread(target=at_once) for _ in range(2)]
    for builder in builders:
        builder.start()
    for builder in builders:
        builder.join()
    assert calls(tmp_path).count("install") == 1


def test_a_failed_build_leaves_nothing_and_says_why(tmp_path: Path) -> None:
    environment = environment_with(tmp_path, code=3)
    with pytest.raises(BuildFailed, match=r"ended with code 3:\nlinking in"):
        build([KUBE], environment, lambda _: None)
    assert [path.name for path in cache_folder(environment).iterdir()] == ["kube.lock"]


def test_without_a_compiler_the_way_to_get_one_is_told(tmp_path: Path) -> None:
    nowhere = Environment(assets=None, cache=tmp_path, search_path=str(tmp_path), variables={}, strict=False)
    with pytest.raises(ProgramsMissing, match=r"install Go 1\.26 or newer"):
        find_or_build(nowhere, lambda _: None)


def test_a_compiler_that_is_too_old_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProgramsMissing, match=r"is go1\.25\.4; install Go 1\.26"):
        find_compiler(environment_with(tmp_path, version="go1.25.4"))
