"""The digest covers every field of the inputs: each is changed alone, and each change shows."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any

import pytest

from agent.model.instance import Instance
from agent.rendering import RenderInputs, digest
from tests.support.instances import an_airflow, an_instance, checksums, inputs

Variant = tuple[str, Any]


def variants(value: Any) -> Iterator[Variant]:
    """Every value that differs in exactly one leaf, with the way to that leaf."""
    match value:
        case Enum():
            yield "enum", next(member for member in type(value) if member is not value)
        case Mapping():
            yield from _of_mapping(value)
        case frozenset():
            yield "fewer", frozenset(list(value)[1:])
        case tuple():
            yield from _of_tuple(value)
        case _ if dataclasses.is_dataclass(value):
            for field in dataclasses.fields(value):
                for path, changed in variants(getattr(value, field.name)):
                    yield f"{field.name}.{path}", dataclasses.replace(value, **{field.name: changed})  # type: ignore[type-var]
        case _:
            yield "leaf", _other(value)


def _of_mapping(value: Mapping[str, Any]) -> Iterator[Variant]:
    yield "more", {**value, "added": "added"}
    for key, content in value.items():
        yield from ((f"[{key}].{path}", {**value, key: changed}) for path, changed in variants(content))


def _of_tuple(value: tuple[Any, ...]) -> Iterator[Variant]:
    yield "fewer", value[1:] if value else ("added",)
    for index, each in enumerate(value):
        for path, changed in variants(each):
            yield f"[{index}].{path}", (*value[:index], changed, *value[index + 1 :])


def _other(leaf: str | int | bool | None) -> str | int | bool:
    if isinstance(leaf, bool):
        return not leaf
    return leaf + 1 if isinstance(leaf, int) else f"{leaf}0"


FULL = an_instance(
    labels={"a": "b"},
    airflow=an_airflow(pull_secrets=("one",), config={"core": {"parallelism": "1"}}, env={"TZ": "UTC"}),
)


@pytest.mark.parametrize(("path", "changed"), [pytest.param(*each, id=each[0]) for each in variants(FULL)])
def test_every_field_is_in_the_digest(path: str, changed: Instance) -> None:
    keys = checksums(FULL)
    assert digest(RenderInputs(changed, keys)) != digest(RenderInputs(FULL, keys)), path


def test_every_field_of_an_instance_was_tried() -> None:
    tried = {path.partition(".")[0] for path, _ in variants(FULL)}
    assert tried == {field.name for field in dataclasses.fields(Instance)}


def test_key_checksums_are_in_the_digest() -> None:
    assert digest(inputs(FULL)) != digest(inputs(FULL, fernet_key="other"))


def test_equal_inputs_have_one_digest() -> None:
    assert digest(inputs(FULL)) == digest(inputs(dataclasses.replace(FULL)))
