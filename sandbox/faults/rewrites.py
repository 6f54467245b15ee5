"""Requests that are changed so that the server itself gives the answer of a fault.

Here: reading at an older version, writing on a precondition that does not hold. Not here: answers made up by us. What
comes back has the server's own words, whichever server it is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import yaml
from aiohttp import web

from sandbox.faults import answers
from sandbox.faults.asked import Asked, Sought

Json = dict[str, Any]
_NEVER = "1"
"""A resourceVersion that no object has: the first of a store is another one's."""
_EXACT = {"resourceVersionMatch": "Exact"}
_PLAIN = "application/json"
_PARTIAL, _PARTIAL_LIST = "as=PartialObjectMetadata;", "as=PartialObjectMetadataList;"


def stale_list(asked: Asked, version: str) -> Asked | web.Response:
    """A list as of an older version; refused, when it must be newer."""
    query = asked.query
    if query.get("continue") or query.get("resourceVersionMatch") == "Exact":
        return asked
    wanted = query.get("resourceVersion", "")
    if wanted.isdigit() and int(wanted) > int(version):
        return answers.answered(answers.too_large(int(wanted), int(version)))
    return _with_query(asked, query | _EXACT | {"resourceVersion": version})


def stale_get(asked: Asked, sought: Sought, version: str) -> Asked:
    """The list that holds one object as of an older version, or nothing: servers keep no single old objects."""
    collection = asked.path.rstrip("/").rpartition("/")[0]
    accepted = asked.headers.get("Accept", _PLAIN)
    shape = accepted.replace(_PARTIAL, _PARTIAL_LIST) if _PARTIAL in accepted else _PLAIN
    headers = {name: value for name, value in asked.headers.items() if name.lower() != "accept-encoding"}
    only = {"fieldSelector": f"metadata.name={sought.name}", "resourceVersion": version} | _EXACT
    return _with_query(replace(asked, uri=collection, headers=headers | {"Accept": shape}), only)


def only_item(answer: web.StreamResponse, sought: Sought) -> web.StreamResponse:
    """The object in the list that was asked for in its place."""
    if answer.status != web.HTTPOk.status_code or not isinstance(answer, web.Response):
        return answer
    found = json.loads(_content(answer))
    if not found["items"]:
        return answers.answered(answers.missing(sought.resource, sought.name))
    head = {"kind": found["kind"].removesuffix("List"), "apiVersion": found["apiVersion"]}
    body = json.dumps(head | found["items"][0], separators=(",", ":"), ensure_ascii=False)
    return web.Response(body=body.encode(), headers={"Content-Type": _PLAIN})


def contested(asked: Asked) -> Asked | None:
    """The same write on a precondition that does not hold, or None for a write without any."""
    if asked.method not in {"PUT", "PATCH", "DELETE"} or not asked.body:
        return None
    sent = _read(asked)
    changed = _steps(sent) if isinstance(sent, list) else _document(asked, sent) if isinstance(sent, dict) else None
    return None if changed is None else replace(asked, body=json.dumps(changed).encode())


def _document(asked: Asked, sent: Json) -> Json | None:
    place = "preconditions" if asked.method == "DELETE" else "metadata"
    conditions = sent.get(place)
    if not isinstance(conditions, dict) or not (conditions.get("resourceVersion") or conditions.get("uid")):
        return None
    return sent | {place: conditions | {"resourceVersion": _NEVER}}


def _steps(sent: list[Json]) -> list[Json] | None:
    """A JSON patch tests before it changes; one that tests identity or version gets a version that is wrong."""
    places = {"/metadata/resourceVersion", "/metadata/uid"}
    if not any(step.get("path") in places for step in sent):
        return None
    return [*sent, {"op": "replace", "path": "/metadata/resourceVersion", "value": _NEVER}]


def _read(asked: Asked) -> Any:
    """The body, or None for one in a format that is none of text."""
    form = asked.headers.get("Content-Type", _PLAIN)
    try:
        return yaml.safe_load(asked.body) if "yaml" in form else json.loads(asked.body)
    except (ValueError, yaml.YAMLError):
        return None


def _content(answer: web.Response) -> bytes:
    assert isinstance(answer.body, bytes | bytearray)
    return bytes(answer.body)


def _with_query(asked: Asked, query: Mapping[str, str]) -> Asked:
    return replace(asked, uri=f"{asked.path}?{urlencode(query)}")
