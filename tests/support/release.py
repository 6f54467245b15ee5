"""A release of Helm's that somebody keeps where an instance lives: a small chart of their own, installed and upgraded.

Nothing of it belongs to an instance, and none of its objects has the name of one of ours.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path

from sandbox.realcluster import read_environment
from tests.support.kube import Json

RELEASE = "neighbour"
OBJECTS = (
    f"/api/v1/namespaces/{{}}/configmaps/{RELEASE}-settings",
    f"/api/v1/namespaces/{{}}/services/{RELEASE}-web",
    f"/apis/apps/v1/namespaces/{{}}/deployments/{RELEASE}-web",
)
"""Where the objects of the release are, by namespace."""

# Labels of the kind that make a careless tool take an object for its own.
_LABELS = {"app.kubernetes.io/name": "airflow", "app.kubernetes.io/part-of": "airflow", "app": f"{RELEASE}-web"}
_VALUE = "{{ .Values.greeting }}"


@dataclass(frozen=True, slots=True)
class Release:
    """The release in one namespace. ``folder`` is for the chart and for what helm keeps of its own."""

    program: Path
    kubeconfig: Path
    namespace: str
    folder: Path

    async def install(self, greeting: str) -> None:
        """Install it, and wait until it runs."""
        await asyncio.to_thread(self._write_chart)
        await self._helm("install", greeting)

    async def upgrade(self, greeting: str) -> None:
        """Upgrade it to another greeting, which rolls its pods."""
        await self._helm("upgrade", greeting)

    async def _helm(self, verb: str, greeting: str) -> None:
        home = self.folder / "helm"
        folders = {f"HELM_{name}_HOME": str(home / name.lower()) for name in ("CACHE", "CONFIG", "DATA")}
        process = await asyncio.create_subprocess_exec(
            self.program, verb, RELEASE, str(self._chart), "--namespace", self.namespace, "--set",
            f"greeting={greeting}", "--wait", "--timeout", "60s",
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env={**read_environment().variables, **folders, "KUBECONFIG": str(self.kubeconfig)},
        )  # fmt: skip
        _, complained = await process.communicate()
        assert process.returncode == 0, complained.decode()

    @property
    def _chart(self) -> Path:
        return self.folder / "chart"

    def _write_chart(self) -> None:
        """JSON is YAML, and a template that is JSON is a template all the same."""
        templates = self._chart / "templates"
        templates.mkdir(parents=True)
        (self._chart / "Chart.yaml").write_text(json.dumps({"apiVersion": "v2", "name": RELEASE, "version": "1.0.0"}))
        for name, manifest in {"settings": _settings(), "service": _service(), "web": _web()}.items():
            (templates / f"{name}.yaml").write_text(json.dumps(manifest))


def _settings() -> Json:
    metadata = {"name": f"{RELEASE}-settings", "labels": _LABELS}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"greeting": _VALUE}}


def _service() -> Json:
    spec = {"selector": {"app": _LABELS["app"]}, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]}
    metadata = {"name": f"{RELEASE}-web", "labels": _LABELS}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}


def _web() -> Json:
    """It must pass the `restricted` standard that our namespaces enforce."""
    container = {
        "name": "web",
        "image": "localhost/neighbour:1",
        "env": [{"name": "GREETING", "value": _VALUE}],
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"cpu": "100m", "memory": "32Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    pod = {
        "securityContext": {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
    }
    template = {"metadata": {"labels": _LABELS}, "spec": pod}
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": _LABELS["app"]}}, "template": template}
    metadata = {"name": f"{RELEASE}-web", "labels": _LABELS}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}
