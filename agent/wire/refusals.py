"""Why something from the wire is refused: the words for it, and what pydantic found turned into one of them.

Here: reasons, paths and messages. Not here: the rules themselves; each stands beside the value that it protects.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from pydantic_core import ErrorDetails, PydanticCustomError, ValidationError

from agent.model.errors import Refused

_IN_PLAIN_WORDS: Final = {
    "missing": "is missing",
    "extra_forbidden": "is not a field that may be sent",
    "model_type": "must be an object",
    "dict_type": "must be an object",
    "tuple_type": "must be an array",
    "string_type": "must be a text",
    "int_type": "must be an integer",
    "bool_type": "must be true or false",
    "invalid_key": "must be a text",
}
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LONGEST_SEGMENT = 80
_LONGEST_PATH = 300


class Reason(StrEnum):
    """The CamelCase word under which a refusal shows up in conditions and reports."""

    TOO_LARGE = "TooLarge"
    MALFORMED = "Malformed"
    UNKNOWN_MAJOR = "UnknownMajor"
    WRONG_TYPE = "WrongType"
    BAD_SIGNATURE = "BadSignature"
    WRONG_ROOT = "WrongRoot"
    WRONG_CLUSTER = "WrongCluster"
    INDEX_EXPIRED = "IndexExpired"
    EPOCH_AHEAD = "EpochAhead"
    ROLLED_BACK = "RolledBack"
    TRUST_SKIPPED = "TrustSkipped"
    MIXED_INDEX = "MixedIndex"
    DIGEST_MISMATCH = "DigestMismatch"
    MIXED_DOCUMENT = "MixedDocument"
    UNSUPPORTED_VERSION = "UnsupportedVersion"
    RESERVED_SETTING = "ReservedSetting"
    BROKEN_CHAIN = "BrokenChain"
    SECRET_UNUSABLE = "SecretUnusable"  # noqa: S105
    SEALED_FOR_ANOTHER_KEY = "SealedForAnotherKey"
    SEALED_FOR_ANOTHER_PLACE = "SealedForAnotherPlace"


def broken(reason: Reason, message: str) -> PydanticCustomError:
    """What a validator raises when the rule that was broken has a reason of its own; pydantic adds the path."""
    return PydanticCustomError(reason.value, "{message}", {"message": message})


def shown(text: str) -> str:
    """A received text as it may stand in a message: quoted, without control characters, of bounded length."""
    cut = text if len(text) <= _LONGEST_SEGMENT else f"{text[:_LONGEST_SEGMENT]}…"
    return json.dumps(cut, ensure_ascii=not cut.isprintable())


def path_of(location: Sequence[str | int]) -> str:
    """The place as a person writes it: ``spec.workers.queues[0].name``, ``metadata.labels["a b"]``."""
    path = ""
    for step in location:
        if step == "[key]":  # pydantic's mark for "the key itself, not its value"
            continue
        if isinstance(step, int):
            path += f"[{step}]"
        elif _PLAIN.fullmatch(step) and len(step) <= _LONGEST_SEGMENT:
            path += f".{step}" if path else step
        else:
            path += f"[{shown(step)}]"
    return path if len(path) <= _LONGEST_PATH else f"{path[:_LONGEST_PATH]}…"


def as_refused(error: ValidationError, *, what: str) -> Refused:
    """The first thing that pydantic found, with its path, and how many more there are. Never shows received values."""
    found = error.errors(include_url=False, include_input=False)
    first, others = found[0], len(found) - 1
    message = _message(first) + (f" (and {others} more of such faults)" if others else "")
    reason = Reason(first["type"]) if first["type"] in set(Reason) else Reason.MALFORMED
    return Refused(message, path=path_of(first["loc"]) or what, reason=reason)


def _message(detail: ErrorDetails) -> str:
    """Pydantic's sentence made to fit behind a path."""
    text = _IN_PLAIN_WORDS.get(detail["type"], detail["msg"])
    for start, ours in (("Input should be", "must be"), ("String should", "must"), ("Value error, ", "")):
        if text.startswith(start):
            return ours + text[len(start) :]
    return text
