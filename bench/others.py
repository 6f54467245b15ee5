"""What a user would take instead: ``kubectl apply --server-side`` and ``helm upgrade``, as they are typed.

The start of the process counts: whoever uses them pays it each time.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

from agent.loops.pace import SystemClock
from agent.model.objects import Manifest, ObjectRef
from bench.changes import Seconds, prepared
from bench.findings import Findings, Row, Unmeasured, reason
from bench.sight import PATIENCE_SECONDS, awaited, exist, settled, wants
from bench.stage import COMPONENT, Instance, Stage
from bench.twins import disowned
from sandbox.realcluster import read_environment

_RELEASE = "bench"
_REPLICAS = "REPLICAS-OF-THE-API-SERVER"
_CHART = {"apiVersion": "v2", "name": "airflow-instance", "version": "0.1.0"}


class Kubectl:
    """One Deployment from a file, as ``kubectl apply --server-side`` brings it there."""

    name = "kubectl"

    def __init__(self, stage: Stage, twin: Instance) -> None:
        self._stage = stage
        self._twin = twin

    @classmethod
    async def ready(cls, stage: Stage) -> Kubectl:
        """A contender whose Deployment is there and at work; raises Unmeasured if kubectl is not to be had."""
        kubectl = cls(stage, Instance("kubectl"))
        manifest = await prepared(stage, kubectl._twin)
        for count in (1, 2):
            manifest["spec"]["replicas"] = count
            await asyncio.to_thread(kubectl._file(count).write_text, json.dumps(manifest))
        await typed(stage, kubectl._command(1))
        await stage.sight.until(settled(kubectl._twin.api_server, 1))
        return kubectl

    async def change(self) -> Seconds:
        """Typed → visible."""
        replicas = self._twin.toggled()
        return {Row.KUBECTL: await _until_seen(self._stage, self._twin, self._command(replicas))}

    def _file(self, replicas: int) -> Path:
        return self._stage.venue.directory / f"deployment-{replicas}.json"

    def _command(self, replicas: int) -> list[str]:
        program, spared = str(self._stage.venue.tool("kubectl")), unvalidated(self._stage, "kubectl")
        return [program, "apply", "--server-side", *spared, "-f", str(self._file(replicas))]


class Helm:
    """All objects of one instance as a chart: installed once, then upgraded to another number of replicas."""

    name = "helm"

    def __init__(self, stage: Stage, twin: Instance) -> None:
        self._stage = stage
        self._twin = twin

    @classmethod
    async def ready(cls, stage: Stage, findings: Findings) -> Helm:
        """A contender whose release is installed, which is timed; raises Unmeasured if helm is not to be had."""
        helm, clock = cls(stage, Instance("helm")), SystemClock()
        manifests = [disowned(one) for one in helm._twin.manifests()]
        await asyncio.to_thread(write_chart, helm._chart, manifests)
        there = stage.sight.expect(exist(ObjectRef.of(one) for one in manifests))
        began = clock.monotonic()
        await typed(stage, helm._command("install", 1))
        findings.add(Row.HELM_EXISTS, stage.venue.name, [await awaited(there) - began])
        await stage.sight.until(settled(helm._twin.api_server, 1))
        return helm

    async def change(self) -> Seconds:
        """Typed → visible."""
        replicas = self._twin.toggled()
        return {Row.HELM: await _until_seen(self._stage, self._twin, self._command("upgrade", replicas))}

    @property
    def _chart(self) -> Path:
        return self._stage.venue.directory / "chart"

    def _command(self, verb: str, replicas: int) -> list[str]:
        program, spared = str(self._stage.venue.tool("helm")), unvalidated(self._stage, "helm")
        return [program, verb, _RELEASE, str(self._chart), "--set", f"replicas={replicas}", *spared]


async def _until_seen(stage: Stage, twin: Instance, command: Sequence[str]) -> float:
    clock = SystemClock()
    seen = stage.sight.expect(wants(twin.api_server, twin.replicas))
    began = clock.monotonic()
    await typed(stage, command)
    took = await awaited(seen) - began
    await stage.sight.until(settled(twin.api_server, twin.replicas))
    return took


def unvalidated(stage: Stage, program: str) -> tuple[str, ...]:
    """What spares a program the validation that the cluster does not serve."""
    options = {"kubectl": "--validate=false", "helm": "--disable-openapi-validation"}
    return () if stage.venue.serves_openapi else (options[program],)


async def typed(stage: Stage, command: Sequence[str]) -> None:
    """Run one command as a user would; raises Unmeasured with its last word if it does not succeed."""
    home = stage.venue.directory / "home"
    folders = {f"HELM_{name}_HOME": str(home / name.lower()) for name in ("CACHE", "CONFIG", "DATA")}
    process = await asyncio.create_subprocess_exec(
        *command,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env={**read_environment().variables, **folders, "HOME": str(home), "KUBECONFIG": str(stage.venue.kubeconfig)},
    )
    async with asyncio.timeout(PATIENCE_SECONDS):
        _, complained = await process.communicate()
    if process.returncode != 0:
        raise Unmeasured(f"{Path(command[0]).name} {command[1]}: {reason(Unmeasured(complained.decode()))}")


def write_chart(folder: Path, manifests: Sequence[Manifest]) -> None:
    """A chart whose templates print these manifests, in place of the one that may be there."""
    templates = folder / "templates"
    templates.mkdir(parents=True, exist_ok=True)
    (folder / "Chart.yaml").write_text(json.dumps(_CHART))
    for number, manifest in enumerate(manifests):
        (templates / f"{number:02}.yaml").write_text(_template(manifest))


def _template(manifest: Manifest) -> str:
    """The manifest as a template that prints it, with the API server's replicas taken from the values."""
    scaled = manifest["kind"] == "Deployment" and manifest["metadata"]["name"] == COMPONENT
    if scaled:
        manifest = {**manifest, "spec": {**manifest["spec"], "replicas": _REPLICAS}}
    text = json.dumps(manifest, indent=1).replace("{{", '{{ "{{" }}')
    return text.replace(f'"{_REPLICAS}"', "{{ .Values.replicas }}")
