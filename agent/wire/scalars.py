"""The single values of the wire: names, digests, times, quantities, each with its shape and a message for people.

A shape is checked against the whole text and is published in the JSON Schema of every field that has it. Text that
comes from outside ends up in names, labels, commands and environments of a cluster: what is not described here as
allowed does not get in.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache, lru_cache
from typing import Annotated, Any, Final

from pydantic import (
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainSerializer,
    StrictBool,
    StrictInt,
    WithJsonSchema,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from agent.model.instance import ADOPTABLE
from agent.wire.refusals import shown

# An index of thousands of lines is checked whenever it comes: looking a pattern up must cost less than matching it.
_compiled = cache(re.compile)


@dataclass(frozen=True, slots=True)
class Shape:
    """A text that must match ``pattern`` as a whole; ``meaning`` completes the sentence "must be …".

    What is ``secret`` is not shown in the message that refuses it.
    """

    pattern: str
    meaning: str
    longest: int
    secret: bool = False

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """How pydantic checks it: a plain text first, then ours."""
        return core_schema.no_info_after_validator_function(self.checked, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """How the JSON Schema tells it."""
        return {**handler(schema), "pattern": f"^(?:{self.pattern})$", "maxLength": self.longest}

    def checked(self, text: str) -> str:
        """The text itself; raises pydantic's error if it has another shape."""
        if len(text) <= self.longest and _compiled(self.pattern).fullmatch(text):
            return text
        found = "this" if self.secret else shown(text)
        message = f"{found} must be {self.meaning}, at most {self.longest} characters"
        raise PydanticCustomError("shape", "{message}", {"message": message})


_LABEL = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
_LABEL_MEANING = "an RFC 1123 label (lower-case letters and digits, with hyphens between them)"
_NAME_PART = r"[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?"
_SUFFIX = r"m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei"

Digest = Annotated[str, Shape(r"[0-9a-f]{64}", "a SHA-256 in lower-case hexadecimal", 64)]
InstanceId = Annotated[
    str,
    Shape(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", "a UUID in lower case, as RFC 9562 writes it", 36),
]
DnsLabel = Annotated[str, Shape(_LABEL, _LABEL_MEANING, 63)]
InstanceName = Annotated[str, Shape(_LABEL, _LABEL_MEANING, 40)]
"""Shorter than a label may be, so that names made from it still fit into one."""
QueueName = Annotated[str, Shape(_LABEL, _LABEL_MEANING, 30)]
"""Shorter still: it becomes part of the names of workload objects, of which pods carry longer ones in labels."""
DnsSubdomain = Annotated[
    str, Shape(rf"{_LABEL}(?:\.{_LABEL})*", "an RFC 1123 subdomain (labels separated by dots)", 253)
]
LabelKey = Annotated[
    str,
    Shape(rf"(?:{_LABEL}(?:\.{_LABEL})*/)?(?=.{{1,63}}$){_NAME_PART}", "a Kubernetes label key", 253 + 1 + 63),
]
LabelValue = Annotated[str, Shape(rf"(?:{_NAME_PART})?", "a Kubernetes label value", 63)]
Quantity = Annotated[
    str, Shape(rf"[0-9]+(?:\.[0-9]+)?(?:{_SUFFIX})?", "a Kubernetes quantity such as 500m, 2 or 1.5Gi", 24)
]
ResourceName = Annotated[
    str,
    Shape(
        rf"(?:cpu|memory|ephemeral-storage|hugepages-[0-9]+[KMG]i|{_LABEL}(?:\.{_LABEL})+/{_NAME_PART})",
        "a resource of a container: cpu, memory, ephemeral-storage or a vendor's, such as nvidia.com/gpu",
        253,
    ),
]
QuotaName = Annotated[
    str, Shape(r"(?:[a-z0-9-]+\.)*[a-z0-9-]+(?:/[a-z0-9.-]+)?", "a resource that a ResourceQuota can count", 253)
]
ImageReference = Annotated[
    str,
    Shape(
        r"(?:[A-Za-z0-9.-]+(?::[0-9]{1,5})?/)?[a-z0-9]+(?:[._/-]+[a-z0-9]+)*"
        r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?",
        "an image reference: registry/name:tag or registry/name@sha256:…",
        400,
    ),
]
EnvName = Annotated[
    str, Shape(r"[A-Za-z_][A-Za-z0-9_]*", "the name of an environment variable (letters, digits, underscores)", 253)
]
SecretEnvName = Annotated[
    str, Shape(r"[A-Za-z_][A-Za-z0-9_]*", "the name of an environment variable (letters, digits, underscores)", 200)
]
"""Shorter than another variable's: with the path before it, it becomes the key of a Secret."""
SecretKey = Annotated[str, Shape(r"[-._A-Za-z0-9]+", "a key of a Secret (letters, digits, dots, hyphens)", 253)]
SealedText = Annotated[
    str,
    Shape(
        r"v[0-9]+\.[0-9a-f]{64}\.[A-Za-z0-9+/]+={0,2}",
        "a sealed value as perigee seal writes it (v1.<key>.<base64>)",
        48000,
        secret=True,
    ),
]
ConfigName = Annotated[
    str, Shape(r"[a-z][a-z0-9_]*", "a name of Airflow's configuration (lower-case letters, digits, underscores)", 100)
]
AbsolutePath = Annotated[
    str, Shape(r"(?:/(?!\.\.?(?:/|$))[A-Za-z0-9._-]+)+", "an absolute path without . and .. in it", 400)
]
AdopteeName = Annotated[
    str,
    Shape(
        rf"(?:{'|'.join(sorted(ADOPTABLE))})/{_LABEL}(?:\.{_LABEL})*",
        f"Kind/name with a kind that an instance consists of ({', '.join(sorted(ADOPTABLE))})",
        320,
    ),
]
Word = Annotated[str, Shape(r"[A-Za-z0-9][A-Za-z0-9._+-]*", "one word", 100)]
Token = Annotated[str, Shape(r"[\x21-\x7e]{16,512}", "16 or more printable characters, no spaces", 512, secret=True)]

Flag = StrictBool
Counter53 = Annotated[StrictInt, Field(ge=0, le=2**53 - 1)]
"""A count that every JSON reader holds exactly, also one that has nothing but doubles."""
Ordinal = Annotated[StrictInt, Field(ge=1, le=2**53 - 1)]
"""Like ``Counter53``, from 1 on: epochs, versions, revisions."""

_TIME: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?Z"


def _as_time(value: object) -> datetime:
    """A moment in UTC out of its text, or a datetime that knows its zone."""
    try:
        if isinstance(value, str) and _compiled(_TIME).fullmatch(value):
            return datetime.fromisoformat(value)
        if isinstance(value, datetime) and value.tzinfo is not None:
            return value.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise PydanticCustomError("shape", "must be a time of RFC 3339 in UTC such as 2026-01-31T12:00:00Z")


def encode_moment(moment: datetime) -> str:
    """The text of a moment, as it goes over the wire."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


Moment = Annotated[
    datetime,
    BeforeValidator(_as_time),
    PlainSerializer(encode_moment, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time", "pattern": f"^{_TIME}$"}),
]


def encode_base64(raw: bytes) -> str:
    """RFC 4648 base64: standard alphabet, padded."""
    return base64.b64encode(raw).decode("ascii")


def decode_base64(text: str) -> bytes:
    """The bytes of a base64 text; raises ValueError for any text that ``encode_base64`` would not have written."""
    try:
        raw = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from error
    if encode_base64(raw) != text:  # the last character may carry bits that are dropped: one text per value only
        raise ValueError("spare bits are not zero")
    return raw


def _canonical_base64(text: str) -> str:
    try:
        decode_base64(text)
    except ValueError as error:
        raise PydanticCustomError("shape", "must be base64 of RFC 4648 with padding") from error
    return text


@dataclass(frozen=True, slots=True)
class _Base64Shape:
    """Base64 in its one canonical spelling; too long for a regular expression to be shown."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """How pydantic checks it."""
        return core_schema.no_info_after_validator_function(_canonical_base64, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """How the JSON Schema tells it."""
        return {**handler(schema), "contentEncoding": "base64"}


Base64 = Annotated[str, _Base64Shape()]

_FACTORS: Final = {
    "": Decimal(1),
    "m": Decimal("0.001"),
    **{letter: Decimal(1000) ** power for power, letter in enumerate("kMGTPE", start=1)},
    **{f"{letter}i": Decimal(1024) ** power for power, letter in enumerate("KMGTPE", start=1)},
}


@lru_cache(maxsize=1024)
def amount(quantity: str) -> Decimal:
    """How much a quantity is, in units of its resource (cores, bytes)."""
    number = quantity.rstrip("mkMGTPEKi")
    return Decimal(number) * _FACTORS[quantity[len(number) :]]
