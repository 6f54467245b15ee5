"""A kind of one's own: defined for one test, of which nobody else writes an object.

Here: defining it, waiting until it is served, taking it away. Not here: what is said about definitions.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.support.behaving import is_true
from tests.support.kube import DEADLINE_SECONDS, Json, Kube

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


@dataclass(frozen=True, slots=True)
class Widgets:
    """A kind defined for one test."""

    kube: Kube
    group: str
    namespace: str

    @property
    def definition(self) -> str:
        return f"{DEFINITIONS}/widgets.{self.group}"

    @property
    def collection(self) -> str:
        return f"/apis/{self.group}/v1/namespaces/{self.namespace}/widgets"

    def widget(self, name: str = "w", **content: object) -> Json:
        head = {"apiVersion": f"{self.group}/v1", "kind": "Widget", "metadata": {"name": name}, "spec": {"size": 1}}
        return head | content


def definition(group: str) -> Json:
    free = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": free}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"widgets.{group}"},
        "spec": {
            "group": group,
            "names": {"kind": "Widget", "plural": "widgets", "shortNames": ["wd"]},
            "scope": "Namespaced",
            "versions": [version | {"subresources": {"status": {}}}],
        },
    }


@asynccontextmanager
async def defined(kube: Kube, namespace: str) -> AsyncIterator[Widgets]:
    """A kind that is served while the context is open."""
    found = Widgets(kube, f"x{uuid.uuid4().hex[:8]}.test.invalid", namespace)
    answer = await kube.request("POST", DEFINITIONS, definition(found.group))
    assert answer.status == 201, answer.body
    await kube.until(found.definition, is_true("Established"))
    async with asyncio.timeout(DEADLINE_SECONDS):
        while (await kube.request("GET", found.collection)).status != 200:
            pass
    yield found
    await kube.request("DELETE", found.definition)
