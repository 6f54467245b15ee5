"""Questions about one's own rights: what makes one that can be answered.

Here: the rules of ``SelfSubjectAccessReview``. Not here: the answer; whoever is let in may do everything here.
"""

from __future__ import annotations

from collections.abc import Iterator

from sandbox.cluster.errors import Cause, invalid
from sandbox.cluster.kinds import ACCESS_REVIEW, Json, Kind

_RESOURCE, _PATH = "resourceAttributes", "nonResourceAttributes"
# The real server does not say of which kind the question was.
_NAMELESS = Kind(ACCESS_REVIEW.group, ACCESS_REVIEW.version, "", "")


def require_sound(review: Json) -> None:
    """Pass over a question that asks for one thing.

    Raises:
        ApiError: 422, naming what is wrong.
    """
    found = list(_faults(review))
    if found:
        raise invalid(_NAMELESS, "", found)


def _faults(review: Json) -> Iterator[Cause]:
    asked, metadata = review.get("spec") or {}, review["metadata"]
    if _RESOURCE in asked and _PATH in asked:
        message = f"cannot be specified in combination with {_RESOURCE}"
        yield Cause.invalid(f"spec.{_PATH}", asked[_PATH], message)
    if _RESOURCE not in asked and _PATH not in asked:
        message = f"exactly one of {_PATH} or {_RESOURCE} must be specified"
        yield Cause.invalid(f"spec.{_RESOURCE}", None, message)
    if metadata:
        yield Cause.invalid("metadata", metadata, "must be empty")
