"""kubectl from a test: what a person would type, on the cluster of the test."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class KubectlFailed(Exception):
    """kubectl said no; the message is what it said."""


@dataclass(frozen=True, slots=True)
class Kubectl:
    """kubectl as one user (the kubeconfig) in one namespace."""

    program: Path
    kubeconfig: Path
    namespace: str = "default"

    async def __call__(self, *arguments: str, stdin: str = "") -> str:
        """Run it and give what it prints. Raises KubectlFailed when it does not succeed."""
        process = await asyncio.create_subprocess_exec(
            self.program,
            f"--kubeconfig={self.kubeconfig}",
            f"--namespace={self.namespace}",
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        said, complained = await process.communicate(stdin.encode())
        if process.returncode != 0:
            raise KubectlFailed(f"kubectl {' '.join(arguments)}: {complained.decode()}")
        return said.decode()

    async def apply(self, *manifests: dict[str, Any]) -> None:
        """Apply manifests server-side."""
        listed = {"apiVersion": "v1", "kind": "List", "items": list(manifests)}
        await self("apply", "--server-side", "--filename=-", stdin=json.dumps(listed))

    async def get(self, *what: str) -> dict[str, Any]:
        """An object or a list of them."""
        document: dict[str, Any] = json.loads(await self("get", *what, "--output=json"))
        return document

    async def wait(self, what: str, *, until: str, seconds: int = 20) -> None:
        """Wait for a condition (`condition=complete`, `jsonpath=...`, `delete`)."""
        await self("wait", what, f"--for={until}", f"--timeout={seconds}s")

    async def finish(self, job: str, *, seconds: int = 40) -> str:
        """Wait for the end of a Job and give its log. Raises KubectlFailed with the log when the Job failed."""
        await self.wait(f"job/{job}", until="jsonpath={.status.conditions[0].type}", seconds=seconds)
        log, status = await self("logs", f"job/{job}"), (await self.get(f"job/{job}"))["status"]
        if {"Failed", "FailureTarget"} & {condition["type"] for condition in status["conditions"]}:
            raise KubectlFailed(f"the job {job} failed; its log: {log}")
        return log
