"""Secret values in a document: where the value is, or how it is made; never the value itself.

Here: the three forms and their shapes. Not here: sealing and opening (sealing), or reading a value (the cluster edge).
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import ConfigDict, Field, StrictInt, model_validator

from agent.model.instance import Generate, Sealed, SecretRef, SecretValue
from agent.wire.frames import Frame
from agent.wire.refusals import Reason, broken
from agent.wire.scalars import DnsLabel, DnsSubdomain, SealedText, SecretKey

_FORMS: Final = ("secretRef", "sealed", "generate")
_LENGTH_OF: Final = "fernet"


class SecretRefV1(Frame):
    """A value in a Secret that is labelled for the instance. ``namespace``: absent, the instance's own; else one that
    the agent's settings name.
    """

    name: DnsSubdomain
    key: SecretKey
    namespace: DnsLabel | None = None


class GenerateV1(Frame):
    """A value that is made in the cluster, once. ``length``: in characters; a Fernet key has the length that it has."""

    form: Literal["password", "token", "fernet"] = "password"
    length: Annotated[StrictInt, Field(ge=20, le=1024)] | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.form == _LENGTH_OF and self.length is not None:
            raise broken(Reason.MALFORMED, "a Fernet key has a length of its own: leave length out")
        return self


class SecretValueV1(Frame):
    """Exactly one of: a reference to a Secret, a text sealed to the agent's key, or an order to make one."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": [form]} for form in _FORMS]},
    )

    secret_ref: SecretRefV1 | None = None
    sealed: SealedText | None = Field(default=None, repr=False)
    generate: GenerateV1 | None = None

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if sum(form is not None for form in (self.secret_ref, self.sealed, self.generate)) != 1:
            raise broken(Reason.MALFORMED, f"must have exactly one of {', '.join(_FORMS)}")
        return self


def secret_value(frame: SecretValueV1) -> SecretValue:
    """The value of the model."""
    if frame.secret_ref is not None:
        ref = frame.secret_ref
        return SecretRef(ref.name, ref.key, ref.namespace or "")
    if frame.sealed is not None:
        return Sealed(frame.sealed)
    assert frame.generate is not None
    return Generate(frame.generate.form, frame.generate.length)
