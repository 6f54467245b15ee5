"""What a server answers instead of applying: conflicts with other field managers, and objects that cannot be applied.

Here: the errors with the words and codes of the real server. Not here: the HTTP answer made of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sandbox.cluster.merge.entries import APPLY, Who
from sandbox.cluster.merge.fieldsets import FieldSet, Path, named, paths
from sandbox.cluster.merge.shapes import Object


@dataclass(frozen=True, slots=True)
class Conflict:
    """A field that somebody else holds with another value.

    Attributes:
        manager: who holds it, as the server prints it: `"kubectl"`, or `"kubectl" using apps/v1` for an Update.
        field: for example `.spec.template.spec.containers[name="web"].image`.
    """

    manager: str
    field: str


def conflict(who: Who, path: Path) -> Conflict:
    """The conflict with one manager about one path."""
    printed = f'"{who.name}"'
    if who.subresource:
        printed += f' with subresource "{who.subresource}"'
    if who.operation != APPLY:
        printed += f" using {who.version}"
    return Conflict(printed, named(path))


class ApplyConflict(Exception):
    """Somebody else holds fields that the apply would change; 409, repeatable with `force`.

    Attributes:
        held: what each of the others holds.
        conflicts: the same, one for each manager and field; managers in order of their names.
    """

    status = 409
    reason = "Conflict"

    def __init__(self, held: Mapping[Who, FieldSet]) -> None:
        self.held = held
        self.conflicts = tuple(
            sorted(
                (conflict(who, path) for who, fields in held.items() for path in paths(fields)),
                key=lambda conflict: conflict.manager,
            )
        )
        super().__init__(self._message())

    @property
    def causes(self) -> list[Object]:
        """The `details.causes` of the server's answer."""
        return [
            {"reason": "FieldManagerConflict", "message": f"conflict with {conflict.manager}", "field": conflict.field}
            for conflict in self.conflicts
        ]

    def _message(self) -> str:
        if len(self.conflicts) == 1:
            only = self.conflicts[0]
            return f"Apply failed with 1 conflict: conflict with {only.manager}: {only.field}"
        lines = []
        for manager, held in groupby(self.conflicts, key=lambda conflict: conflict.manager):
            lines.append(f"conflicts with {manager}:")
            lines += [f"- {conflict.field}" for conflict in held]
        return f"Apply failed with {len(self.conflicts)} conflicts: " + "\n".join(lines)


class InvalidApply(Exception):
    """The applied object is not one that can be applied.

    Attributes:
        status: the HTTP status of the server's answer: 400, or 500 for objects that do not fit their schema.
        reason: the `reason` of the answer; empty where the server gives none.
    """

    def __init__(self, message: str, *, status: int, reason: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


class InvalidPatch(InvalidApply):
    """A patch cannot be laid over the object."""


class InvalidObject(TypeError):
    """A document cannot be read as an object of its kind; the message says where and why."""


def unconvertible(applied: Object, group_version: str, problem: Any) -> InvalidApply:
    """The refusal of an object that fits its schema and still cannot be read."""
    kind = f"{group_version}, Kind={applied['kind']}"
    message = (
        f"failed to convert new object ({_identity(applied, group_version)}) to proper version: "
        f"unable to convert unstructured object to {kind}: {problem}"
    )
    return InvalidApply(message, status=500, reason="")


def unreadable(live: Object, group_version: str, problem: Any) -> InvalidApply:
    """The refusal to apply to an object in which there is no telling whose the fields are."""
    whose = _identity(live, group_version)
    message = f"failed to create manager for existing fields: failed to convert new object ({whose}) to smd typed: "
    return InvalidApply(f"{message}{problem}", status=500, reason="")


def _identity(value: Object, group_version: str) -> str:
    metadata = value.get("metadata") or {}
    group, _, version = group_version.rpartition("/")
    return f"{metadata.get('namespace', '')}/{metadata.get('name', '')}; {group}/{version}, Kind={value['kind']}"


def misfit(applied: Object, group_version: str, problem: Any) -> InvalidApply:
    """The refusal of an object that does not fit its schema."""
    whose = _identity(applied, group_version)
    return InvalidApply(f"failed to create typed patch object ({whose}): {problem}", status=500, reason="")
