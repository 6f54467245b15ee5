"""The way from `kubectl apply` to server-side apply: the annotation in which the former keeps what it applied.

Here: conflicts that are none because kubectl itself set the values before, and the annotation's refreshing. The server
does this for the field manager `kubectl` only.
Source: k8s.io/apimachinery pkg/util/managedfields/internal/lastapplied{manager,updater}.go.
"""

import json
from typing import Final

from sandbox.cluster.merge.comparing import changes
from sandbox.cluster.merge.fieldsets import FieldSet, difference
from sandbox.cluster.merge.ownership import check, fields_of
from sandbox.cluster.merge.refusals import ApplyConflict
from sandbox.cluster.merge.shapes import Object, Schema
from sandbox.cluster.merge.walking import Misfit

KUBECTL: Final = "kubectl"
ANNOTATION: Final = "kubectl.kubernetes.io/last-applied-configuration"


def allow(refused: ApplyConflict, live: Object, schema: Schema) -> None:
    """Do nothing if all that is in conflict still has the value that kubectl applied.

    Raises:
        ApplyConflict: without the fields for which that holds.
    """
    allowed = _unchanged_since(live, schema)
    if allowed is None:
        raise refused
    held = {who: difference(fields, allowed) for who, fields in refused.held.items()}
    held = {who: fields for who, fields in held.items() if fields}
    if held:
        raise ApplyConflict(held) from refused


def _unchanged_since(live: Object, schema: Schema) -> FieldSet | None:
    """The fields of the last applied configuration that still have its values; None if there is no such thing."""
    written = _annotations(live).get(ANNOTATION)
    if not written:
        return None
    try:
        last = json.loads(written)
        if not isinstance(last, dict) or last.get("apiVersion") != schema.group_version:
            return None
        check(last, schema.root)
        found = changes(last, live, schema.root)
        fields = fields_of(last, schema.root)
    except (ValueError, Misfit):
        return None
    for changed in (found.modified, found.added, found.removed):
        fields = difference(fields, changed)
    return fields


def _annotations(value: Object) -> dict[str, str]:
    return (value.get("metadata") or {}).get("annotations") or {}


def refresh(result: Object, applied: Object) -> None:
    """Bring the annotation, where there is one, up to date with what is applied now."""
    if not _annotations(result).get(ANNOTATION):
        return
    metadata = dict(applied.get("metadata") or {})
    if metadata.get("annotations"):
        metadata["annotations"] = {name: text for name, text in metadata["annotations"].items() if name != ANNOTATION}
    last = {**applied, "metadata": metadata}
    text = json.dumps(last, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    result["metadata"]["annotations"][ANNOTATION] = text + "\n"
