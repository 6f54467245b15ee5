"""Secrets in the agent's own namespace: the only place where the agent keeps anything that must survive it."""

from __future__ import annotations

import base64
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass

from agent.cluster.client import KubeClient, Request
from agent.model.errors import Conflict, Misconfigured, Missing, ObjectRefused
from agent.model.objects import Manifest

_LABELS = {"app.kubernetes.io/name": "perigee-agent", "app.kubernetes.io/managed-by": "perigee"}


@dataclass(frozen=True, slots=True, repr=False)
class Stored:
    """A Secret's content and the resourceVersion that it was read at. Never printed."""

    name: str
    content: Mapping[str, bytes]
    resource_version: str


class SecretShelf:
    """Reads and writes Secrets of one namespace; every replacement carries a precondition."""

    def __init__(self, client: KubeClient, namespace: str) -> None:
        self._client = client
        self.namespace = namespace

    def _path(self, name: str = "") -> str:
        return f"/api/v1/namespaces/{self.namespace}/secrets" + (f"/{name}" if name else "")

    async def read(self, name: str) -> Stored | None:
        """The Secret, or None if there is none."""
        try:
            return _stored(await self._client.send(Request("get", "GET", self._path(name))))
        except Missing:
            return None

    async def listed(self, role: str) -> tuple[Stored, ...]:
        """All Secrets that were created under this role."""
        return tuple([one async for page in self.pages(role) for one in page])

    async def pages(self, role: str) -> AsyncGenerator[tuple[Stored, ...], None]:
        """The same, page by page: there may be more than memory should hold at once."""
        token = ""
        while True:
            params = {"labelSelector": f"perigee.dev/role={role}", "limit": "100"} | (
                {"continue": token} if token else {}
            )
            page = await self._client.send(Request("list", "GET", self._path(), params))
            token = page["metadata"].get("continue", "")
            yield tuple(_stored(item) for item in page["items"])
            if not token:
                return

    async def create(self, name: str, content: Mapping[str, bytes], *, role: str, immutable: bool = False) -> Stored:
        """Create the Secret; raises Conflict if it exists, Misconfigured if the namespace does not."""
        manifest = self._manifest(name, content, role) | ({"immutable": True} if immutable else {})
        try:
            return _as_sent(content, await self._client.send(Request("create", "POST", self._path(), body=manifest)))
        except Missing as error:
            raise Misconfigured(
                f"the agent's namespace {self.namespace} does not exist",
                hint=f"create it: kubectl create namespace {self.namespace}",
            ) from error

    async def replace(self, stored: Stored, content: Mapping[str, bytes], *, role: str) -> Stored:
        """Replace the content, provided that nobody else did since it was read; raises Conflict otherwise."""
        manifest = self._manifest(stored.name, content, role)
        manifest["metadata"]["resourceVersion"] = stored.resource_version
        try:
            live = await self._client.send(Request("update", "PUT", self._path(stored.name), body=manifest))
        except Missing as error:
            raise Conflict(f"Secret {self.namespace}/{stored.name} was deleted meanwhile") from error
        return _as_sent(content, live)

    async def delete(self, name: str, *, resource_version: str = "") -> None:
        """Delete the Secret, with a precondition where a resourceVersion is given; gone already is a success."""
        options: Manifest = {"apiVersion": "v1", "kind": "DeleteOptions"}
        if resource_version:
            options["preconditions"] = {"resourceVersion": resource_version}
        try:
            await self._client.send(Request("delete", "DELETE", self._path(name), body=options))
        except Missing:
            return

    def _manifest(self, name: str, content: Mapping[str, bytes], role: str) -> Manifest:
        size = sum(len(value) for value in content.values())
        if size > MAX_BYTES:
            raise ObjectRefused(f"Secret {self.namespace}/{name} would hold {size} bytes; the bound is {MAX_BYTES}")
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "namespace": self.namespace, "labels": _LABELS | {"perigee.dev/role": role}},
            "type": "Opaque",
            "data": {key: base64.b64encode(value).decode() for key, value in content.items()},
        }


MAX_BYTES = 700 * 1024
"""The bound of one Secret: etcd takes 1.5 MiB, base64 adds a third, and metadata wants room."""


def _stored(live: Manifest) -> Stored:
    content = {key: base64.b64decode(value) for key, value in (live.get("data") or {}).items()}
    return Stored(live["metadata"]["name"], content, live["metadata"]["resourceVersion"])


def _as_sent(content: Mapping[str, bytes], live: Manifest) -> Stored:
    """What was just written: the server repeats it, and decoding it again would tell nothing new."""
    return Stored(live["metadata"]["name"], content, live["metadata"]["resourceVersion"])
