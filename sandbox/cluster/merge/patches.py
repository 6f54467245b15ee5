"""The patches of RFC 7386 (merge patch); JSON Patch is a library's matter, strategic merge has a module of its own."""

from typing import Any

from sandbox.cluster.merge.settling import copied
from sandbox.cluster.merge.shapes import Object


def json_merge(live: Object, patch: Object) -> Object:
    """A new object: the live one with the patch laid over it; null takes a field away, lists are replaced whole."""
    result: Object = _merge(live, patch)
    return result


def _merge(live: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return copied(patch)
    result = copied(live) if isinstance(live, dict) else {}
    for name, item in patch.items():
        if item is None:
            result.pop(name, None)
        else:
            result[name] = _merge(result.get(name), item)
    return result
