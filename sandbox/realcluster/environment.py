"""The surroundings of the test cluster: the only place of this package that reads environment variables.

Here: where programs may lie and where built ones are kept. Not here: looking for them (`programs`).
"""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Environment:
    """`assets` is the folder named by KUBEBUILDER_ASSETS; `cache` the user's own; `variables` go on to the Go compiler.

    `strict` is true under `CI=true`: there a suite that cannot run is a failure, not a skip.
    """

    assets: Path | None
    cache: Path
    search_path: str
    variables: Mapping[str, str]
    strict: bool

    @property
    def platform(self) -> str:
        """Operating system and processor in Go's words, such as `linux-amd64`."""
        processor = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine().lower())
        return f"{sys.platform}-{processor}"


def read_environment() -> Environment:
    """The environment of this process."""
    variables = dict(os.environ)  # noqa: TID251 - this is that one place
    assets = variables.get("KUBEBUILDER_ASSETS")
    cache = Path(variables.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Environment(
        assets=Path(assets) if assets else None,
        cache=cache / "perigee" / "testcluster",
        search_path=variables.get("PATH", os.defpath),
        variables=variables,
        strict=variables.get("CI", "").lower() == "true",
    )
