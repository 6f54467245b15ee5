"""The guard as a customer writes it: ``guard.yaml`` in ConfigMap ``perigee-guard``.

Here: its shape, what is refused with which words, and what it comes to. A field that is not known is an error: a rule
that is misspelt must not be silently off. Not here: reading YAML and the cluster, and judging by the rules (planning).
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, StrictInt, WithJsonSchema
from pydantic_core import ValidationError

from agent.model.errors import Refused
from agent.model.guard import Ceilings, Feature, Freeze, Guard, Images, Protection, Rule
from agent.model.instance import Window
from agent.wire.frames import Frame
from agent.wire.maintenance import WindowV1, length, zone
from agent.wire.refusals import Reason, as_refused
from agent.wire.scalars import (
    DnsSubdomain,
    Flag,
    LabelKey,
    LabelValue,
    Moment,
    Quantity,
    QuotaName,
    ResourceName,
    Shape,
    Word,
)

MOST_RULES: Final = 200

Repository = Annotated[
    str,
    Shape(
        r"[A-Za-z0-9.-]+(?::[0-9]{1,5})?(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*",
        "a registry or a part of one, without tag or digest, such as registry.example.com/airflow",
        400,
    ),
]
Pattern = Annotated[
    str, Shape(r"[a-z0-9*?\[\]!-]+", "a name in which * stands for any text and ? for one character", 63)
]

Audience = Annotated[str, Shape(r"[\x21-\x7e]+", "an audience of tokens, without spaces", 253)]


class ImagesV1(Frame):
    """Where images may come from: ``repositories`` are compared part by part; without any, from anywhere."""

    repositories: tuple[Repository, ...] = Field(default=(), max_length=MOST_RULES)
    digests_only: Flag = False


class CeilingsV1(Frame):
    """The most of each; see the example for what they are of."""

    quota: dict[QuotaName, Quantity] = Field(default={}, max_length=64)
    replicas: Annotated[StrictInt, Field(ge=0, le=500)] | None = None
    storage: Quantity | None = None
    requests: dict[ResourceName, Quantity] = Field(default={}, max_length=16)
    limits: dict[ResourceName, Quantity] = Field(default={}, max_length=16)


class FreezeV1(Frame):
    """A freeze, and when it ends by itself, if it does."""

    until: Moment | None = None


def _switch(value: object) -> object:
    """The short forms: on, and off."""
    return ({} if value else None) if isinstance(value, bool) else value


_FREEZE_SCHEMA: Final[dict[str, Any]] = {
    "anyOf": [
        {"type": "boolean"},
        {
            "type": "object",
            "properties": {"until": {"type": "string", "format": "date-time"}},
            "additionalProperties": False,
        },
    ],
}


class ProtectV1(Frame):
    """What no tombstone removes."""

    instances: tuple[Pattern, ...] = Field(default=(), max_length=MOST_RULES)
    namespaces: tuple[Pattern, ...] = Field(default=(), max_length=MOST_RULES)
    labels: dict[LabelKey, LabelValue] = Field(default={}, max_length=32)


class GuardV1(Frame):
    """The customer's rules. What is not said is as it is without a file."""

    api_version: Literal["perigee.dev/v1"]
    kind: Literal["Guard"]
    images: ImagesV1 = ImagesV1()
    namespaces: tuple[Pattern, ...] = Field(default=(), max_length=MOST_RULES)
    ceilings: CeilingsV1 = CeilingsV1()
    forbid: tuple[Feature, ...] = Field(default=(), max_length=len(Feature))
    windows: tuple[WindowV1, ...] = Field(default=(), max_length=10)
    freeze: Annotated[FreezeV1 | None, BeforeValidator(_switch), WithJsonSchema(_FREEZE_SCHEMA)] = Field(
        default_factory=lambda: None
    )
    protect: ProtectV1 = ProtectV1()
    allow: tuple[Rule, ...] = Field(default=(), max_length=len(Rule))
    runtime_classes: tuple[DnsSubdomain, ...] = Field(default=(), max_length=MOST_RULES)
    volume_types: tuple[Word, ...] = Field(default=(), max_length=64)
    token_audiences: tuple[Audience, ...] = Field(default=(), max_length=MOST_RULES)


def guard_of(data: Any) -> Guard:
    """The rules that this data says. Raises Refused (Malformed) with the path of the first field that is wrong."""
    if not isinstance(data, dict):
        raise Refused("must be an object with apiVersion and kind", path="guard.yaml", reason=Reason.MALFORMED)
    try:
        said = GuardV1.model_validate(data, by_alias=True, by_name=False)
    except ValidationError as error:
        raise as_refused(error, what="guard.yaml") from None
    return Guard(
        images=Images(said.images.repositories, said.images.digests_only),
        namespaces=said.namespaces,
        ceilings=_ceilings(said.ceilings),
        forbidden=frozenset(said.forbid),
        windows=tuple(Window(one.schedule, length(one.duration), zone(one.time_zone)) for one in said.windows),
        freeze=Freeze(said.freeze.until) if said.freeze is not None else None,
        protection=Protection(said.protect.instances, said.protect.namespaces, said.protect.labels),
        allowed=frozenset(said.allow),
        runtime_classes=frozenset(said.runtime_classes),
        volume_types=frozenset(said.volume_types),
        token_audiences=frozenset(said.token_audiences),
    )


def _ceilings(said: CeilingsV1) -> Ceilings:
    return Ceilings(said.quota, said.replicas, said.storage, said.requests, said.limits)
