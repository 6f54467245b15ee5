"""GET of one object and of lists: selection, pages, metadata only.

Here: answers to reads out of the store. Not here: watches. A page's ``continue`` names the version of the first page
and the last key given, so that all pages show one moment.
"""

from __future__ import annotations

import base64
import json

from sandbox.cluster import errors
from sandbox.cluster.api import Api
from sandbox.cluster.calls import Answer, Call
from sandbox.cluster.kinds import BUILT_IN, Json, Kind
from sandbox.cluster.selectors import predicate
from sandbox.cluster.store import Stored, encoded

_META = "meta.k8s.io/v1"


def shown(stored: Stored, *, metadata_only: bool) -> bytes:
    """Return an object as it is answered alone, whole or without its content."""
    if not metadata_only:
        return stored.body
    partial = {"kind": "PartialObjectMetadata", "apiVersion": _META, "metadata": stored.document["metadata"]}
    return encoded(partial)


def get(api: Api, call: Call) -> Answer:
    """Answer one object."""
    target = call.target
    stored = api.live(target.kind, target.namespace, target.name)
    return Answer(200, shown(stored, metadata_only=call.metadata_only))


def select(api: Api, call: Call) -> list[Stored]:
    """Return the present objects that a call's path and selectors name."""
    return _matching(api.store.of(call.target.kind, call.target.namespace), call)


def _matching(objects: list[Stored], call: Call) -> list[Stored]:
    lets_through = predicate(
        call.target.kind, labels=call.query.get("labelSelector", ""), fields=call.query.get("fieldSelector", "")
    )
    if lets_through is None:
        return objects
    return [stored for stored in objects if lets_through(stored.document)]


def listing(api: Api, call: Call) -> Answer:
    """Answer a list, or one page of it."""
    version, objects = _as_asked(api, call)
    limit = int(call.query.get("limit") or 0)
    metadata: Json = {"resourceVersion": str(version)}
    if 0 < limit < len(objects):
        metadata["continue"] = _token(version, objects[limit - 1])
        if not call.query.get("labelSelector") and not call.query.get("fieldSelector"):
            metadata["remainingItemCount"] = len(objects) - limit
        objects = objects[:limit]
    return Answer(200, _list_body(call.target.kind, objects, metadata, metadata_only=call.metadata_only))


def _as_asked(api: Api, call: Call) -> tuple[int, list[Stored]]:
    if token := call.query.get("continue"):
        version, after = _continued(token)
        past = api.store.at(call.target.kind, version)
        rest = [stored for stored in past if stored.key > after and call.target.namespace in {"", stored.namespace}]
        return version, _matching(rest, call)
    return api.store.version, select(api, call)


def _token(version: int, last: Stored) -> str:
    return base64.urlsafe_b64encode(json.dumps([version, last.namespace, last.name]).encode()).decode()


def _continued(token: str) -> tuple[int, tuple[str, str]]:
    try:
        version, namespace, name = json.loads(base64.urlsafe_b64decode(token))
    except ValueError as fault:
        raise errors.bad_request(f"continue key is not valid: {fault}") from fault
    return version, (namespace, name)


def _list_body(kind: Kind, objects: list[Stored], metadata: Json, *, metadata_only: bool) -> bytes:
    name, version = (f"{kind.name}List", kind.api_version)
    if metadata_only:
        name, version = "PartialObjectMetadataList", _META
        items = [shown(stored, metadata_only=True) for stored in objects]
    else:
        items = [stored.item if kind in BUILT_IN else stored.body for stored in objects]
    head = encoded({"kind": name, "apiVersion": version, "metadata": metadata})[:-1]
    return head + b',"items":[' + b",".join(items) + b"]}"
