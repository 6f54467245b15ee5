"""Writing objects of one namespace through a raw client, and reading from them who owns what.

Here: the verbs that tests of apply and patches speak, with the expected status checked at once, and managedFields as
sets of readable paths. Not here: any knowledge of how a server should answer.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.support.kube import Json, Kube, Response

APPLY_PATCH = "application/apply-patch+yaml"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"

PLURALS = {"NetworkPolicy": "networkpolicies", "Ingress": "ingresses"}


@dataclass(frozen=True, slots=True)
class Objects:
    """The objects of one namespace."""

    kube: Kube
    namespace: str

    def path(self, document: Mapping[str, Any], subresource: str = "") -> str:
        """The path of an object that a document names."""
        name = document["metadata"]["name"]
        return f"{self.collection(document)}/{name}" + (f"/{subresource}" if subresource else "")

    def collection(self, document: Mapping[str, Any]) -> str:
        """The path of the collection that a document belongs to."""
        version, kind = document["apiVersion"], document["kind"]
        plural = PLURALS.get(kind, f"{kind.lower()}s")
        return f"/{'apis' if '/' in version else 'api'}/{version}/namespaces/{self.namespace}/{plural}"

    async def get(self, document: Mapping[str, Any]) -> Json:
        """The stored object."""
        return accepted(await self.kube.request("GET", self.path(document)))

    async def create(self, document: Mapping[str, Any], manager: str) -> Json:
        """POST."""
        answer = await self.kube.request("POST", self.collection(document), document, params={"fieldManager": manager})
        return accepted(answer)

    async def put(self, document: Mapping[str, Any], manager: str, *, subresource: str = "") -> Json:
        """PUT."""
        path = self.path(document, subresource)
        return accepted(await self.kube.request("PUT", path, document, params={"fieldManager": manager}))

    async def patch(
        self, document: Mapping[str, Any], patch: Any, manager: str, *, form: str = MERGE_PATCH, subresource: str = ""
    ) -> Json:
        """PATCH of the object that `document` names."""
        return accepted(await self.try_patch(document, patch, manager, form=form, subresource=subresource))

    async def try_patch(
        self, document: Mapping[str, Any], patch: Any, manager: str, *, form: str = MERGE_PATCH, subresource: str = ""
    ) -> Response:
        """PATCH, whatever the answer."""
        path = self.path(document, subresource)
        return await self.kube.request("PATCH", path, patch, content_type=form, params={"fieldManager": manager})

    async def apply(
        self, document: Mapping[str, Any], manager: str, *, force: bool = False, subresource: str = ""
    ) -> Json:
        """Server-side apply that is accepted."""
        return accepted(await self.try_apply(document, manager, force=force, subresource=subresource))

    async def try_apply(
        self, document: Mapping[str, Any], manager: str, *, force: bool = False, subresource: str = ""
    ) -> Response:
        """Server-side apply, whatever the answer."""
        params = {"fieldManager": manager} | ({"force": "true"} if force else {})
        path = self.path(document, subresource)
        return await self.kube.request("PATCH", path, document, content_type=APPLY_PATCH, params=params)


def accepted(answer: Response) -> Json:
    """The body of an answer that says yes."""
    assert answer.status in {200, 201}, answer.body
    body: Json = answer.body
    return body


def entry(stored: Json, manager: str, operation: str = "Apply", subresource: str = "") -> Json | None:
    """The entry of one manager, or None."""
    wanted = (manager, operation, subresource)
    found = [
        item
        for item in stored["metadata"].get("managedFields", [])
        if (item["manager"], item["operation"], item.get("subresource", "")) == wanted
    ]
    assert len(found) <= 1, found
    return found[0] if found else None


def owned(stored: Json, manager: str, operation: str = "Apply", subresource: str = "") -> set[str]:
    """What one manager owns, as paths such as `spec containers {"name":"web"} image`; an entry of its own is needed."""
    found = entry(stored, manager, operation, subresource)
    assert found is not None, stored["metadata"].get("managedFields")
    return set(members(found["fieldsV1"]))


def members(fields: Json, prefix: tuple[str, ...] = ()) -> Iterator[str]:
    """The members of a FieldsV1, without the letters that say what sort of element each is."""
    for element, below in fields.items():
        if element == ".":
            yield " ".join(prefix)
        elif not below:
            yield " ".join((*prefix, element[2:]))
        else:
            yield from members(below, (*prefix, element[2:]))


def managers(stored: Json) -> list[tuple[str, str]]:
    """The managers and operations in the order of their entries."""
    return [(item["manager"], item["operation"]) for item in stored["metadata"].get("managedFields", [])]


def unwatched(stored: Json) -> list[Json]:
    """The entries without times, in an order that does not depend on them."""
    entries = [
        {name: value for name, value in item.items() if name != "time"}
        for item in stored["metadata"].get("managedFields", [])
    ]
    return sorted(entries, key=lambda item: json.dumps(item, sort_keys=True))


def but(document: Json, *path: str | int, value: Any = ...) -> Json:
    """A copy of a document with another value at a path, or, without a value, with nothing there."""
    changed = copy.deepcopy(document)
    at: Any = changed
    for name in path[:-1]:
        at = at[name]
    if value is ...:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    return changed


def config_map(name: str = "settings", **data: str | None) -> Json:
    """A ConfigMap with these data, or without any."""
    document = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}
    return document | {"data": data} if data else document


def deployment(name: str = "web", **spec: Any) -> Json:
    """A Deployment of one container without pods, so that no controller has anything to do with it."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "web", "image": "web:1"}]},
            },
        }
        | spec,
    }


def container(document: Json, index: int = 0) -> Json:
    """One container of a workload, to be changed in place."""
    found: Json = document["spec"]["template"]["spec"]["containers"][index]
    return found
