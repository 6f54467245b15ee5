"""Server-side apply and patches on plain values: who may change what, and what an object looks like after it.

Here: the semantics of the real server (structured-merge-diff, managedFields, strategic merge), with the shapes of kinds
taken from its OpenAPI. Not here: HTTP, storage, defaults, validation, clocks; the time of a request is an argument.
"""

from sandbox.cluster.merge.applying import apply
from sandbox.cluster.merge.entries import unchanged
from sandbox.cluster.merge.patches import json_merge
from sandbox.cluster.merge.refusals import ApplyConflict, Conflict, InvalidApply, InvalidObject, InvalidPatch
from sandbox.cluster.merge.settling import decoded
from sandbox.cluster.merge.shapes import Object, Schema, schema_for
from sandbox.cluster.merge.strategic import strategic_merge
from sandbox.cluster.merge.updating import update

__all__ = [
    "ApplyConflict",
    "Conflict",
    "InvalidApply",
    "InvalidObject",
    "InvalidPatch",
    "Object",
    "Schema",
    "apply",
    "decoded",
    "json_merge",
    "schema_for",
    "strategic_merge",
    "unchanged",
    "update",
]
