"""The published JSON Schemas: those of the models, and in agreement with what the code takes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from agent.wire.schemas import schemas, write
from tests.support.wire import some_document_data, some_index_data, some_trust_data

PUBLISHED = Path(__file__).parents[3] / "config" / "schema"


def validator(kind: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads((PUBLISHED / f"{kind}.v1.schema.json").read_bytes()))


def test_the_published_schemas_are_those_of_the_models() -> None:
    assert {path.name: path.read_bytes() for path in PUBLISHED.iterdir()} == schemas()


def test_schemas_are_written_where_asked(tmp_path: Path) -> None:
    write(tmp_path / "deep" / "er")
    assert {path.name: path.read_bytes() for path in (tmp_path / "deep" / "er").iterdir()} == schemas()


@pytest.mark.parametrize("name", sorted(schemas()))
def test_every_schema_is_a_schema(name: str) -> None:
    Draft202012Validator.check_schema(json.loads(schemas()[name]))


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("airflow-instance", some_document_data()),
        ("airflow-instance", {**some_document_data(), "spec": {"state": "deleted"}}),
        ("airflow-instance", some_document_data(airflow={"version": "3.3.2", "config": {"core": {"parallelism": 8}}})),
        ("index", some_index_data()),
        ("trust", some_trust_data()),
    ],
)
def test_what_the_code_takes_the_schema_takes(kind: str, data: dict[str, Any]) -> None:
    validator(kind).validate(data)


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("airflow-instance", {**some_document_data(), "spec": {}}),
        ("airflow-instance", {**some_document_data(), "spec": {"state": "running"}}),
        ("airflow-instance", {**some_document_data(), "apiVersion": "perigee.dev/v2"}),
        ("airflow-instance", {key: value for key, value in some_document_data().items() if key != "kind"}),
        ("airflow-instance", some_document_data(airflow={"version": "3.3.2", "env": {"A-B": "1"}})),
        ("airflow-instance", some_document_data(namespace="A")),
        ("airflow-instance", some_document_data(sched="typo")),
        ("index", some_index_data(schema="perigee.dev/index/v2")),
        ("index", {key: value for key, value in some_index_data().items() if key != "schema"}),
        ("trust", some_trust_data(version=0)),
    ],
)
def test_what_may_not_be_sent_the_schema_refuses(kind: str, data: dict[str, Any]) -> None:
    assert not validator(kind).is_valid(data)
