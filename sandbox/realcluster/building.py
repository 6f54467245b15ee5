"""Compiling the programs of a real Kubernetes from pinned Go modules into the user's cache.

Here: one artifact at a time, whole or not at all, and by one process at a time. Not here: which ones (`artifacts`),
whether it is necessary (`programs`).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sandbox.realcluster.artifacts import ARTIFACTS, KUBE_SOURCE, KUBERNETES_VERSION, Artifact, artifact_of
from sandbox.realcluster.environment import Environment
from sandbox.realcluster.faults import BuildFailed, ProgramsMissing
from sandbox.realcluster.programs import (
    Programs,
    cache_folder,
    find_programs,
    look_for_programs,
    names_for,
    parse_version,
)

OLDEST_GO = (1, 26)
TAIL_LINES = 15
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Compiler:
    """A Go compiler and the environment variables it runs under."""

    go: str
    variables: Mapping[str, str]


def find_compiler(environment: Environment) -> Compiler:
    """The Go on the PATH. Raises ProgramsMissing when there is none or when it is too old for Kubernetes' modules."""
    go = shutil.which("go", path=environment.search_path)
    remedy = "install Go {}.{} or newer, or set KUBEBUILDER_ASSETS to a folder with the programs".format(*OLDEST_GO)
    if go is None:
        raise ProgramsMissing(("go",), remedy)
    said = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, check=False).stdout
    version = parse_version(said.removeprefix("go"))
    if version is None or version < OLDEST_GO:
        raise ProgramsMissing(("go",), f"{go} is {said.strip() or 'of no known version'}; {remedy}")
    # Static programs run in any image; a workspace file of the surroundings must not change what is built.
    return Compiler(go, {**environment.variables, "CGO_ENABLED": "0", "GOWORK": "off", "GOTOOLCHAIN": "local"})


def find_or_build(environment: Environment, say: Say, *, node: bool = False) -> Programs:
    """All programs of a cluster; what is found nowhere is compiled. Raises ProgramsMissing (no Go either),
    BuildFailed.
    """
    names = names_for(node=node)
    found = look_for_programs(environment, names)
    wanted = {artifact_of(name) for name in names if name not in found.paths}
    build({artifact for artifact in wanted if artifact is not None}, environment, say)
    return find_programs(environment, node=node)


def build(artifacts: Collection[Artifact], environment: Environment, say: Say) -> None:
    """Compile artifacts into the cache; those that are there already stay. Raises ProgramsMissing, BuildFailed."""
    if not artifacts:
        return
    compiler = find_compiler(environment)
    folder = cache_folder(environment)
    folder.mkdir(parents=True, exist_ok=True)
    for number, artifact in enumerate(sorted(artifacts, key=ARTIFACTS.index), 1):
        say(f"[{number}/{len(artifacts)}] {artifact.name}: {', '.join(artifact.programs)}")
        _build_once(artifact, folder, compiler=compiler, say=say)


def _build_once(artifact: Artifact, folder: Path, *, compiler: Compiler, say: Say) -> None:
    finished = folder / artifact.folder
    with _alone(folder / f"{artifact.name}.lock", say):
        # Somebody else may have built it while we waited for the lock.
        if finished.exists():
            return
        unfinished = Path(tempfile.mkdtemp(prefix=f".{artifact.name}-", dir=folder))
        try:
            _compile(artifact, unfinished, compiler=compiler, say=say)
            # mkdtemp makes a folder for its owner alone; the cache of a CI may be read by another user.
            unfinished.chmod(0o755)
            unfinished.rename(finished)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)


def _compile(artifact: Artifact, into: Path, *, compiler: Compiler, say: Say) -> None:
    """Run the Go compiler; `-v` makes it print each package as it is compiled, which is the progress."""
    if artifact.package:
        installed = f"{artifact.package}@{artifact.pin}"
        command = [compiler.go, "install", "-v", "-trimpath", "-ldflags=-s -w", installed]
        variables = {**compiler.variables, "GOBIN": str(into)}
    else:
        output = ["-o", str(into / artifact.name), "."]
        command = [compiler.go, "build", "-v", "-mod=readonly", "-trimpath", f"-ldflags={_kube_flags()}", *output]
        variables = dict(compiler.variables)
    _run(command, variables, say=say)
    for program in artifact.programs:
        if program != artifact.name:
            (into / program).symlink_to(artifact.name)


def _run(command: list[str], variables: Mapping[str, str], *, say: Say) -> None:
    lines: list[str] = []
    with subprocess.Popen(
        command, cwd=KUBE_SOURCE, env=dict(variables), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line.rstrip())
            say(lines[-1])
    if process.returncode != 0:
        raise BuildFailed(
            f"`{' '.join(command)}` ended with code {process.returncode}:\n" + "\n".join(lines[-TAIL_LINES:])
        )


def _kube_flags() -> str:
    """Linker flags: without them the programs call themselves v0.0.0 and clients take them for too old."""
    major, minor, _ = KUBERNETES_VERSION.split(".")
    stamps = {"gitVersion": f"v{KUBERNETES_VERSION}", "gitMajor": major, "gitMinor": minor}
    return "-s -w " + " ".join(f"-X k8s.io/component-base/version.{name}={value}" for name, value in stamps.items())


@contextlib.contextmanager
def _alone(lock: Path, say: Say) -> Iterator[None]:
    """Hold a file lock; it ends with the process, however that ends."""
    descriptor = os.open(lock, os.O_CREAT | os.O_RDWR, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another process is building this: waiting for it")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
