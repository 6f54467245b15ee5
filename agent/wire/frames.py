"""What all values on the wire have in common: frozen, camelCase, exact when sent, tolerant when received.

Within a major version a receiver ignores fields that it does not know, so that either side may be upgraded first; but
it tells their names, so that nobody believes in a setting that has no effect. What we send is checked to be exact.
"""

from __future__ import annotations

from typing import Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel
from pydantic_core import ValidationError

from agent.model.errors import Refused
from agent.wire.refusals import Reason, as_refused, path_of, shown
from agent.wire.strict import canonical

MOST_UNKNOWN_NAMED = 32


class Frame(BaseModel):
    """A value of the wire; field names are snake_case here and camelCase there."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
    )

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """The value itself, as it never changes: pydantic would copy the defaults into each value that it makes."""
        return self

    def to_data(self) -> dict[str, Any]:
        """Plain data as it goes over the wire; what is None is left out."""
        return self.model_dump(mode="json", exclude_none=True)

    def to_bytes(self) -> bytes:
        """The canonical bytes of this value."""
        return canonical(self.to_data())


F = TypeVar("F", bound=Frame)


def receive(kind: type[F], data: Any, *, what: str) -> tuple[F, tuple[str, ...]]:
    """The value that came, and the paths of fields that this version does not know. Raises Refused (Malformed, …)."""
    try:
        return kind.model_validate(data, by_alias=True, by_name=False), ()
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        unknown = [path_of(one["loc"]) for one in found if one["type"] == "extra_forbidden"]
        if not unknown:
            raise as_refused(error, what=what) from None
    try:
        return kind.model_validate(data, extra="ignore", by_alias=True, by_name=False), _bounded(unknown)
    except ValidationError as error:
        raise as_refused(error, what=what) from None


def expect_schema(data: dict[str, Any], expected: str) -> None:
    """Refuse data of another kind (Malformed) or of a major version that we do not know (UnknownMajor)."""
    found = data.get("schema")
    if found == expected:
        return
    if not isinstance(found, str):
        raise Refused(f'must say "{expected}"', path="schema", reason=Reason.MALFORMED)
    kind, _, _ = expected.rpartition("/")
    if found.rpartition("/")[0] == kind:
        raise Refused(
            f"{shown(found)} is a version that this side does not know; it knows {expected}",
            path="schema",
            reason=Reason.UNKNOWN_MAJOR,
            hint="upgrade the older side first",
        )
    raise Refused(f"is {shown(found)} where {expected} was expected", path="schema", reason=Reason.MALFORMED)


def _bounded(paths: list[str]) -> tuple[str, ...]:
    """At most so many names, so that a flood of fields does not become a flood of words."""
    named = sorted(set(paths))
    rest = len(named) - MOST_UNKNOWN_NAMED
    return tuple(named) if rest <= 0 else (*named[:MOST_UNKNOWN_NAMED], f"and {rest} more")
