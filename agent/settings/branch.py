"""What every branch of the settings has in common: frozen, spelt in camelCase, refusing names that it does not know."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class Branch(BaseModel):
    """One concern's knobs. Frozen; whoever needs them is handed this branch and no other."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        use_attribute_docstrings=True,
        hide_input_in_errors=True,
    )
