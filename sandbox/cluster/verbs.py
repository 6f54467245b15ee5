"""Every verb on resources but watch: a call in, an answer out.

Here: which operation a method on a target is, and the code and body it answers with. Not here: how it is done.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sandbox.cluster import asks, errors, logs, merge, reads, reviews, scaling
from sandbox.cluster.api import APPLY_PATCH, PATCHES, STRATEGIC_PATCH, Api, patched, schema_of
from sandbox.cluster.calls import Answer, Call
from sandbox.cluster.deletion import Deletion, delete
from sandbox.cluster.discovery import TEXT
from sandbox.cluster.kinds import BUILT_IN, Json
from sandbox.cluster.routes import METHODS
from sandbox.cluster.store import Stored, encoded
from sandbox.cluster.strictness import MODES, require_known


def answer(api: Api, call: Call) -> Answer:
    """Do what a call asks.

    Raises:
        ApiError: the refusal to answer with.
    """
    target = call.target
    operation = _OPERATIONS.get((call.method, bool(target.name)))
    if operation is None or not (target.kind.stored or call.method == "POST"):
        raise errors.wrong_method()
    if target.subresource and call.method not in METHODS[target.subresource]:
        raise errors.wrong_method()
    _require_options(call)
    return operation(api, call)


def _require_options(call: Call) -> None:
    if call.method not in _OPTIONS:
        return
    dry_run, validation = call.query.get("dryRun", "All"), call.query.get("fieldValidation", "")
    causes = [errors.Cause.unsupported("dryRun", [dry_run], "All")] if dry_run != "All" else []
    if validation not in MODES:
        causes.append(errors.Cause.unsupported("fieldValidation", validation, *MODES))
    if causes:
        raise errors.invalid_options(_OPTIONS[call.method], *causes)


def _require_known(call: Call, document: Json) -> None:
    if call.query.get("fieldValidation") == "Strict" and call.target.subresource != "scale":
        require_known(call.target.kind, document)


def _get(api: Api, call: Call) -> Answer:
    if call.target.subresource == "log":
        return Answer(200, logs.lines(api, call.target, call.query), TEXT)
    if call.target.subresource == "scale":
        return Answer(200, encoded(scaling.scale_of(_live(api, call))))
    return reads.get(api, call)


def _live(api: Api, call: Call) -> Stored:
    return api.live(call.target.kind, call.target.namespace, call.target.name)


def _post(api: Api, call: Call) -> Answer:
    document = _sent(call)
    if not call.target.kind.stored:
        reviews.require_sound(document)
        return Answer(201, encoded(document | {"status": {"allowed": True}}))
    created = api.create(call.target.kind, document, call.write())
    return replace(_shown(api, call, created, code=201), named=created.name)


def _sent(call: Call) -> Json:
    document = call.document()
    with errors.shaped(call.target.kind):
        _require_known(call, document)
    return document


def _put(api: Api, call: Call) -> Answer:
    document, target = _sent(call), call.target
    found = api.store.get(target.kind, target.namespace, target.name)
    _require_identity(call, document, found)
    if target.kind.upserted and found is None:
        return _shown(api, call, api.create(target.kind, document, call.write()), code=201)
    live = _live(api, call)
    if target.subresource == "scale":
        document = scaling.scaled(live, document)
    elif not target.kind.unconditional and "resourceVersion" not in document["metadata"]:
        cause = errors.Cause.invalid("metadata.resourceVersion", 0, "must be specified for an update")
        raise errors.invalid_resource(target.kind, target.name, cause)
    return _shown(api, call, api.replace(live, document, call.write()))


def _require_identity(call: Call, document: Json, found: Stored | None) -> None:
    kind, target, sent = call.target.kind, call.target, document["metadata"].get("uid")
    present = found.uid if found else ""
    if sent and sent != present and (found or kind.upserted):
        raise errors.other_uid(kind, (target.namespace, target.name), sent=sent, present=present)


def _patch(api: Api, call: Call) -> Answer:
    if call.content_type not in PATCHES:
        raise errors.unsupported_patch()
    if call.content_type == APPLY_PATCH:
        return _apply(api, call)
    if "force" in call.query:
        raise errors.invalid_options(
            "PatchOptions", errors.Cause.forbidden("force", "may not be specified for non-apply patch")
        )
    if call.content_type == STRATEGIC_PATCH and call.target.kind not in BUILT_IN:
        raise errors.unsupported(tuple(form for form in PATCHES if form != STRATEGIC_PATCH))
    live, patch, form = _live(api, call), call.decoded(), call.content_type
    if call.target.subresource == "scale":
        document = scaling.scaled(live, patched(live.kind, scaling.scale_of(live), patch, form))
    else:
        made = patched(live.kind, live.document, patch, form)
        with errors.fitting(made):
            _require_known(call, made)
            document = merge.decoded(made, schema_of(live.kind))
        call.addressed(document["metadata"])
    return _shown(api, call, api.replace(live, document, call.write()))


def _apply(api: Api, call: Call) -> Answer:
    if not call.query.get("fieldManager"):
        raise errors.invalid_options(
            "PatchOptions", errors.Cause.required("fieldManager", "is required for apply patch")
        )
    target = call.target
    live = api.store.get(target.kind, target.namespace, target.name)
    if live is None and target.subresource:
        raise errors.not_found(target.kind, target.name)
    applied = call.intent()
    if live is None:
        place = call.addressed({})
        return _shown(api, call, api.apply_new(target.kind, applied, call.write(), place=place), code=201)
    if target.subresource == "scale":
        applied = scaling.intent(live, applied)
    return _shown(api, call, api.apply(live, applied, call.write()))


def _delete(api: Api, call: Call) -> Answer:
    live = _live(api, call)
    how = deletion(call)
    last, gone = delete(api, live, how)
    if gone and not live.kind.returned:
        return Answer(200, encoded(_success(last)))
    return _shown(api, call, last)


def _delete_collection(api: Api, call: Call) -> Answer:
    if not call.target.kind.collection:
        raise errors.wrong_method()
    how, going = deletion(call), reads.select(api, call.target, asks.read(call.target.kind, call.query, watching=False))
    for stored in going:
        delete(api, stored, how)
    return Answer(
        200, call.form(api.pace.now()).many(call.target.kind, going, {"resourceVersion": str(api.store.version)})
    )


def deletion(call: Call) -> Deletion:
    """Return how to delete, as the body's DeleteOptions or the query say."""
    options: Json = (call.decoded() if call.body else None) or {}
    preconditions = options.get("preconditions") or {}
    policy = options.get("propagationPolicy") or call.query.get("propagationPolicy")
    if policy not in {None, *_POLICIES}:
        cause = errors.Cause.unsupported("propagationPolicy", policy, *_POLICIES, "nil")
        raise errors.invalid_options("DeleteOptions", cause)
    grace: Any = options.get("gracePeriodSeconds", call.query.get("gracePeriodSeconds"))
    dry_run = options.get("dryRun") == ["All"] or call.query.get("dryRun") == "All"
    return Deletion(
        uid=preconditions.get("uid"),
        version=preconditions.get("resourceVersion"),
        policy=policy,
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


def _shown(api: Api, call: Call, stored: Stored, *, code: int = 200) -> Answer:
    if call.target.subresource == "scale":
        return Answer(code, encoded(scaling.scale_of(stored)))
    return Answer(code, call.form(api.pace.now()).one(stored))


_POLICIES = ("Foreground", "Background", "Orphan")
_OPTIONS = {"POST": "CreateOptions", "PUT": "UpdateOptions", "PATCH": "PatchOptions", "DELETE": "DeleteOptions"}
_OPERATIONS = {
    ("GET", True): _get,
    ("GET", False): reads.listing,
    ("POST", False): _post,
    ("PUT", True): _put,
    ("PATCH", True): _patch,
    ("DELETE", True): _delete,
    ("DELETE", False): _delete_collection,
}
