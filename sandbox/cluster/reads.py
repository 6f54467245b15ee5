"""GET of one object and of lists: selection, pages, metadata only.

Here: answers to reads out of the store. Not here: watches, the forms of answers. A page's ``continue`` names the
version of the first page and the last key given, so that all pages show one moment.
"""

from __future__ import annotations

import base64
import json

from sandbox.cluster import asks, errors
from sandbox.cluster.api import Api
from sandbox.cluster.asks import Ask
from sandbox.cluster.calls import Answer, Call
from sandbox.cluster.errors import ApiError
from sandbox.cluster.kinds import Json
from sandbox.cluster.routes import Target
from sandbox.cluster.store import Stored

_PRESENT = -1
"""The version in the token of a page whose moment is lost: it goes on with what is there by then."""


def get(api: Api, call: Call) -> Answer:
    """Answer one object."""
    target = call.target
    stored = api.live(target.kind, target.namespace, target.name)
    return Answer(200, call.form(api.pace.now()).one(stored))


def select(api: Api, target: Target, ask: Ask) -> list[Stored]:
    """Return the present objects that a path and selectors name."""
    return _matching(api.store.of(target.kind, target.namespace), ask)


def _matching(objects: list[Stored], ask: Ask) -> list[Stored]:
    if ask.lets_through is None:
        return objects
    return [stored for stored in objects if ask.lets_through(stored.document)]


def listing(api: Api, call: Call) -> Answer:
    """Answer a list, or one page of it.

    Raises:
        ApiError: 400 and 422 for the options, 410 for a moment no longer kept, 504 for one not yet reached.
    """
    ask = asks.read(call.target.kind, call.query, watching=False)
    version, objects = _as_asked(api, call.target, ask)
    metadata: Json = {"resourceVersion": str(version)}
    if 0 < ask.limit < len(objects):
        metadata["continue"] = _token(version, objects[ask.limit - 1], call.target)
        if not ask.selective:
            metadata["remainingItemCount"] = len(objects) - ask.limit
        objects = objects[: ask.limit]
    return Answer(200, call.form(api.pace.now()).many(call.target.kind, objects, metadata))


def _as_asked(api: Api, target: Target, ask: Ask) -> tuple[int, list[Stored]]:
    if ask.token:
        version, after = _continued(ask.token, target)
        version = api.store.version if version == _PRESENT else version
        return version, [stored for stored in _past(api, target, ask, version) if stored.key > after]
    if ask.version is not None and ask.version > api.store.version:
        raise asks.too_large(ask.version, api.store.version)
    if ask.version is not None and ask.exact:
        return ask.version, _past(api, target, ask, ask.version)
    return api.store.version, select(api, target, ask)


def _past(api: Api, target: Target, ask: Ask, version: int) -> list[Stored]:
    try:
        objects = api.store.at(target.kind, version)
    except ApiError as lost:
        raise (errors.expired_page(_going_on(ask.token)) if ask.token else errors.expired_list()) from lost
    return _matching([stored for stored in objects if target.namespace in {"", stored.namespace}], ask)


def _token(version: int, last: Stored, target: Target) -> str:
    start = last.name if target.namespace else "/".join(filter(None, last.key))
    return _written({"v": "meta.k8s.io/v1", "rv": version, "start": f"/{start}\0"})


def _going_on(token: str) -> str:
    return _written(_read(token) | {"rv": _PRESENT})


def _continued(token: str, target: Target) -> tuple[int, tuple[str, str]]:
    try:
        page = _read(token)
        namespace, _, name = page["start"].strip("/\0").rpartition("/")
        return int(page["rv"]), (target.namespace or namespace, name)
    except (KeyError, TypeError, ValueError) as fault:
        raise errors.bad_request(f"invalid continue token: continue key is not valid: {fault}") from fault


def _written(page: Json) -> str:
    return base64.urlsafe_b64encode(json.dumps(page).encode()).decode().rstrip("=")


def _read(token: str) -> Json:
    page: Json = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    return page
