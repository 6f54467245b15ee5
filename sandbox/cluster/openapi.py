"""The little of OpenAPI v3 that clients ask for before they write: which kinds a PATCH takes, and with which options.

Here: the index and one document for each group version, without schemas. kubectl looks there for ``fieldValidation``;
finding it, it leaves validation to the server. Not here: the shapes of kinds.
"""

from __future__ import annotations

from sandbox.cluster.kinds import Catalogue, Json, Kind

_OPTIONS = ("dryRun", "fieldManager", "fieldValidation", "force")


def document(path: str, catalogue: Catalogue) -> Json | None:
    """Return the document at a path, or None when there is none."""
    served = {_root(kind): None for kind in catalogue.all()}
    if path == "/openapi/v3":
        return {"paths": {root: {"serverRelativeURL": f"/openapi/v3/{root}"} for root in served}}
    root = path.removeprefix("/openapi/v3/")
    if root not in served:
        return None
    kinds = [kind for kind in catalogue.all() if _root(kind) == root and kind.stored]
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "embedded"},
        "paths": {_place(kind): {"patch": _patch(kind)} for kind in kinds},
    }


def _root(kind: Kind) -> str:
    return f"apis/{kind.api_version}" if kind.group else f"api/{kind.version}"


def _place(kind: Kind) -> str:
    return f"/{_root(kind)}{'/namespaces/{namespace}' if kind.namespaced else ''}/{kind.plural}/{{name}}"


def _patch(kind: Kind) -> Json:
    return {
        "parameters": [{"name": name, "in": "query", "schema": {"type": "string"}} for name in _OPTIONS],
        "responses": {},
        "x-kubernetes-action": "patch",
        "x-kubernetes-group-version-kind": {"group": kind.group, "version": kind.version, "kind": kind.name},
    }
