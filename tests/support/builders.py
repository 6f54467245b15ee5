"""Short ways to values of the domain, with every detail that a test does not care about filled in."""

from __future__ import annotations

import json
import uuid
from typing import Any

from agent.model.desired import Document, Entry
from agent.model.objects import MANAGER, Manifest, Rendered, Stage
from agent.model.observed import Seen
from agent.planning.observing import observed
from agent.wire.codec import parse_document
from agent.wire.strict import digest

AN_ID = "3f0c6e0e-6f5e-4a39-9a52-6d8f7d1b0a11"


def document_bytes(instance_id: str = AN_ID, *, name: str = "hello", namespace: str = "af-hello", **spec: Any) -> bytes:
    """A document as a control plane would keep it; keywords are fields of its spec."""
    body: dict[str, Any] = {
        "apiVersion": "perigee.dev/v1",
        "kind": "AirflowInstance",
        "metadata": {"id": instance_id, "name": name},
        "spec": {"namespace": namespace, "airflow": {"version": "3.3.2"}, **spec},
    }
    return json.dumps(body).encode()


def an_entry(raw: bytes, instance_id: str = AN_ID, *, revision: int = 1) -> Entry:
    """The index's line for these bytes."""
    return Entry(instance_id, revision, digest(raw), len(raw))


def a_document(instance_id: str = AN_ID, *, revision: int = 1, **fields: Any) -> Document:
    """A verified document."""
    raw = document_bytes(instance_id, **fields)
    return parse_document(an_entry(raw, instance_id, revision=revision), raw)


def a_manifest(
    name: str = "web", *, kind: str = "ConfigMap", api_version: str = "v1", namespace: str = "af-hello", **fields: Any
) -> Manifest:
    """A manifest with our label; keywords are its further top-level fields."""
    labels = {"perigee.dev/instance": AN_ID}
    metadata = {"name": name, "labels": labels} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **fields}


def rendered(manifest: Manifest, stage: Stage = Stage.CONFIG) -> Rendered:
    """The manifest as the renderer would hand it out."""
    return Rendered(stage, manifest)


def as_applied(manifest: Manifest, *, uid: str = "", version: int = 1) -> Seen:
    """What is kept of the manifest after we applied it."""
    return observed(as_live(manifest, uid=uid, version=version))


def as_live(manifest: Manifest, *, uid: str = "", version: int = 1) -> Manifest:
    """The manifest as the server would show it after we applied it."""
    fields: dict[str, Any] = {f"f:{key}": {} for key in manifest if key not in {"apiVersion", "kind", "metadata"}}
    entry = {"manager": MANAGER, "operation": "Apply", "time": "2026-01-01T00:00:00Z", "fieldsV1": fields}
    metadata = {
        **manifest["metadata"],
        "uid": uid or str(uuid.uuid4()),
        "resourceVersion": str(version),
        "generation": 1,
        "managedFields": [entry],
    }
    return {**manifest, "metadata": metadata}
