"""Every verb on resources but watch: a call in, an answer out.

Here: which operation a method on a target is, and the code and body it answers with. Not here: how it is done.
"""

from __future__ import annotations

from typing import Any

from sandbox.cluster import errors, logs, reads, scaling
from sandbox.cluster.api import APPLY_PATCH, PATCHES, Api, patched
from sandbox.cluster.calls import Answer, Call
from sandbox.cluster.deletion import Deletion, delete
from sandbox.cluster.kinds import Json
from sandbox.cluster.store import Stored, encoded


def answer(api: Api, call: Call) -> Answer:
    """Do what a call asks.

    Raises:
        ApiError: the refusal to answer with.
    """
    operation = _OPERATIONS.get((call.method, bool(call.target.name)))
    if operation is None or not (call.target.kind.stored or call.method == "POST"):
        raise errors.wrong_method()
    return operation(api, call)


def _get(api: Api, call: Call) -> Answer:
    if call.target.subresource == "log":
        return logs.read(api, call)
    if call.target.subresource == "scale":
        return Answer(200, encoded(scaling.scale_of(_live(api, call))))
    return reads.get(api, call)


def _live(api: Api, call: Call) -> Stored:
    return api.live(call.target.kind, call.target.namespace, call.target.name)


def _post(api: Api, call: Call) -> Answer:
    document = call.document()
    if not call.target.kind.stored:
        return Answer(201, encoded(document | {"status": {"allowed": True}}))
    return _shown(call, api.create(call.target.kind, document, call.write()), code=201)


def _put(api: Api, call: Call) -> Answer:
    document, live = call.document(), _live(api, call)
    if call.target.subresource == "scale":
        document = scaling.scaled(live, document)
    return _shown(call, api.replace(live, document, call.write()))


def _patch(api: Api, call: Call) -> Answer:
    if call.content_type not in PATCHES:
        raise errors.unsupported(PATCHES)
    if call.content_type == APPLY_PATCH:
        return _apply(api, call)
    if "force" in call.query:
        raise errors.invalid_options(
            "PatchOptions", errors.Cause.forbidden("force", "may not be specified for non-apply patch")
        )
    live, patch = _live(api, call), call.decoded()
    if call.target.subresource == "scale":
        target = call.target.kind
        return _shown(
            call,
            api.replace(live, scaling.scaled(live, patched(target, scaling.scale_of(live), patch, call.content_type)),
                        call.write()),
        )  # fmt: skip
    return _shown(call, api.patch(live, patch, call.content_type, call.write()))


def _apply(api: Api, call: Call) -> Answer:
    if not call.query.get("fieldManager"):
        raise errors.invalid_options(
            "PatchOptions", errors.Cause.required("fieldManager", "is required for apply patch")
        )
    target, applied = call.target, call.document()
    live = api.store.get(target.kind, target.namespace, target.name)
    if live is None:
        if target.subresource:
            raise errors.not_found(target.kind, target.name)
        return _shown(call, api.apply_new(target.kind, applied, call.write()), code=201)
    if target.subresource == "scale":
        applied = scaling.intent(live, applied)
    return _shown(call, api.apply(live, applied, call.write()))


def _delete(api: Api, call: Call) -> Answer:
    live = _live(api, call)
    how = deletion(call)
    last, gone = delete(api, live, how)
    code = 202 if not gone and how.policy == "Foreground" else 200
    if gone and not live.kind.returned:
        return Answer(code, encoded(_success(last)))
    return _shown(call, last, code=code)


def _delete_collection(api: Api, call: Call) -> Answer:
    how = deletion(call)
    for stored in reads.select(api, call):
        delete(api, stored, how)
    listed = {"kind": f"{call.target.kind.name}List", "apiVersion": call.target.kind.api_version}
    return Answer(200, encoded(listed | {"metadata": {"resourceVersion": str(api.store.version)}, "items": []}))


def deletion(call: Call) -> Deletion:
    """Return how to delete, as the body's DeleteOptions or the query say."""
    options: Json = (call.decoded() if call.body else None) or {}
    preconditions = options.get("preconditions") or {}
    grace: Any = options.get("gracePeriodSeconds", call.query.get("gracePeriodSeconds"))
    dry_run = options.get("dryRun") == ["All"] or call.query.get("dryRun") == "All"
    return Deletion(
        uid=preconditions.get("uid"),
        version=preconditions.get("resourceVersion"),
        policy=options.get("propagationPolicy") or call.query.get("propagationPolicy"),
        grace_seconds=None if grace is None else int(grace),
        dry_run=dry_run,
    )


def _success(last: Stored) -> Json:
    details = {"name": last.name, "group": last.kind.group, "kind": last.kind.plural, "uid": last.uid}
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {key: value for key, value in details.items() if value},
    }


def _shown(call: Call, stored: Stored, *, code: int = 200) -> Answer:
    if call.target.subresource == "scale":
        return Answer(code, encoded(scaling.scale_of(stored)))
    return Answer(code, reads.shown(stored, metadata_only=call.metadata_only))


_OPERATIONS = {
    ("GET", True): _get,
    ("GET", False): reads.listing,
    ("POST", False): _post,
    ("PUT", True): _put,
    ("PATCH", True): _patch,
    ("DELETE", True): _delete,
    ("DELETE", False): _delete_collection,
}
