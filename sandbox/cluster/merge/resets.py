"""Which fields a write through one door leaves as they are: status on the object itself, spec on its status.

Here: the table of what the server's strategies reset, as sets. Not here: the resetting itself, which is the server's.
Source: the `GetResetFields` of each strategy in k8s.io/kubernetes pkg/registry and k8s.io/apiextensions-apiserver.
"""

from typing import Final

from sandbox.cluster.merge.fieldsets import FieldSet
from sandbox.cluster.merge.shapes import Schema

_STATUS: Final[FieldSet] = {"f:status": {}}
_SPEC: Final[FieldSet] = {"f:spec": {}}
_ALL_BUT_STATUS: Final[FieldSet] = {"f:spec": {}, "f:metadata": {}}

_BY_STATUS: Final[dict[str, FieldSet]] = {
    "apps/v1/Deployment": {"f:spec": {}, "f:metadata": {"f:labels": {}}},
    "v1/Pod": {"f:spec": {}, "f:metadata": {"f:deletionTimestamp": {}, "f:ownerReferences": {}}},
    "storage.k8s.io/v1/VolumeAttachment": _ALL_BUT_STATUS,
    "networking.k8s.io/v1/ServiceCIDR": _ALL_BUT_STATUS,
}


def reset_fields(schema: Schema, subresource: str) -> FieldSet:
    """The fields that a write to this subresource (empty: the object itself) does not change, and so does not own."""
    if subresource == "status":
        fallback = _SPEC if schema.structured else _ALL_BUT_STATUS
        return _BY_STATUS.get(f"{schema.group_version}/{schema.kind}", fallback)
    return _STATUS if not subresource and schema.has_status else {}
