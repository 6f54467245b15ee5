"""Finding the programs of a real Kubernetes.

Here: the search order (the folder of KUBEBUILDER_ASSETS, what we compiled before, the PATH) and the versions that
fit. A set may be mixed. Not here: compiling what is missing (`building`).
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sandbox.realcluster.artifacts import CONTROL_PLANE, KUBERNETES_VERSION, NODE, NODE_TOOLS, OLDEST_MINOR, artifact_of
from sandbox.realcluster.environment import Environment
from sandbox.realcluster.faults import ProgramsMissing

REMEDY = (
    "run `python -m sandbox.realcluster build` (needs Go 1.26 or newer and takes 10 to 20 minutes once), "
    "or set KUBEBUILDER_ASSETS to a folder that holds them"
)
REMEDY_TOOLS = (
    "install them, on Debian by "
    "`apt-get install containerd runc containernetworking-plugins iptables conntrack iproute2`"
)
TOOL_FOLDERS = ("/usr/sbin", "/sbin", "/usr/lib/cni", "/opt/cni/bin")
"""Where tools of the operating system lie that are on no ordinary user's PATH."""
VERSION_ARGUMENTS = {
    "kubectl": ("version", "--client"),
    "helm": ("version", "--short"),
    "coredns": ("-version",),
}
OLDEST = {"etcd": (3, 5), "kwok": (0, 8), "helm": (3, 12), "coredns": (1, 10)}
"""The oldest (major, minor) that fits, where the number is not that of Kubernetes."""
VERSION_SECONDS = 20


@dataclass(frozen=True, slots=True)
class Programs:
    """Where each program lies: name to absolute path."""

    paths: Mapping[str, Path]

    def __getitem__(self, name: str) -> Path:
        return self.paths[name]

    def require(self, names: tuple[str, ...]) -> None:
        """Raise ProgramsMissing unless all of `names` are there."""
        missing = tuple(name for name in names if name not in self.paths)
        if missing:
            raise ProgramsMissing(missing, REMEDY_TOOLS if set(missing) <= set(NODE_TOOLS) else REMEDY)


def names_for(*, node: bool) -> tuple[str, ...]:
    """The programs that a cluster needs, with or without a real node."""
    return (*CONTROL_PLANE, *NODE, *NODE_TOOLS) if node else CONTROL_PLANE


def cache_folder(environment: Environment) -> Path:
    """Where compiled programs of our version are kept, one folder for each artifact."""
    return environment.cache / f"{KUBERNETES_VERSION}-{environment.platform}"


def find_programs(environment: Environment, *, node: bool = False) -> Programs:
    """All programs of a cluster. Raises ProgramsMissing, naming what was found nowhere."""
    programs = look_for_programs(environment, names_for(node=node))
    programs.require(names_for(node=node))
    return programs


def look_for_programs(environment: Environment, names: tuple[str, ...]) -> Programs:
    """Those of `names` that are there; the set may be incomplete."""
    found = ((name, _look_for(name, environment)) for name in names)
    return Programs({name: path for name, path in found if path is not None})


def _look_for(name: str, environment: Environment) -> Path | None:
    artifact = artifact_of(name)
    if artifact is None:
        # The CNI plugin `bridge` has a namesake in iproute2: the folders of plugins come first.
        folders = [*reversed(TOOL_FOLDERS), *environment.search_path.split(":")]
        tool = shutil.which(name, path=":".join(folders))
        return Path(tool).absolute() if tool is not None else None
    if environment.assets is not None:
        # Named by the user on purpose: taken as it is, whatever its version.
        given = shutil.which(name, path=str(environment.assets))
        if given is not None:
            return Path(given).absolute()
    built = cache_folder(environment) / artifact.folder / name
    if built.exists():
        return built
    installed = shutil.which(name, path=environment.search_path)
    if installed is not None and fits(name, Path(installed)):
        return Path(installed).absolute()
    return None


def fits(name: str, program: Path) -> bool:
    """Whether a program tells a version that the test cluster can use. One that does not run or tells none does not
    fit.
    """
    try:
        said = subprocess.run(
            [program, *VERSION_ARGUMENTS.get(name, ("--version",))],
            capture_output=True,
            text=True,
            timeout=VERSION_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    version = parse_version(said.stdout + said.stderr)
    return version is not None and version >= OLDEST.get(name, (1, OLDEST_MINOR))


def parse_version(text: str) -> tuple[int, int] | None:
    """(major, minor) out of what a program prints: the first number of that shape, with or without a `v` before it."""
    match = re.search(r"(?<![\d.])v?(\d+)\.(\d+)", text)
    return (int(match[1]), int(match[2])) if match else None
