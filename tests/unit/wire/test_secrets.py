"""Secret values in documents: exactly one form, no value in what refuses them, and no field that the walk misses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from agent.model.errors import Refused
from agent.model.instance import Generate, Sealed, SecretRef
from agent.model.secrets import FIELDS, secret_values, wants
from agent.wire.codec import instance_of
from agent.wire.document import AirflowInstanceV1
from agent.wire.secrets import SecretValueV1
from tests.support.builders import AN_ID

SEALED = f"v1.{'ab' * 32}.AAAA"
CANARY = "c4n4ry"


def document(secret_env: Any, **airflow: Any) -> dict[str, Any]:
    return {
        "apiVersion": "perigee.dev/v1",
        "kind": "AirflowInstance",
        "metadata": {"id": AN_ID, "name": "hello"},
        "spec": {"namespace": "af-hello", "airflow": {"version": "3.3.2", "secretEnv": secret_env, **airflow}},
    }


def refused(secret_env: Any, **airflow: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        instance_of(document(secret_env, **airflow))
    assert CANARY not in caught.value.explain()
    return caught.value


def test_each_form_becomes_its_value_with_its_path() -> None:
    instance, unknown = instance_of(
        document(
            {
                "A": {"secretRef": {"name": "theirs", "key": "token"}},
                "B": {"secretRef": {"name": "theirs", "key": "token", "namespace": "shared"}},
                "C": {"sealed": SEALED},
                "D": {"generate": {}},
                "E": {"generate": {"form": "token", "length": 40}},
            }
        )
    )
    assert unknown == ()
    assert dict(secret_values(instance)) == {
        "spec.airflow.secretEnv.A": SecretRef("theirs", "token"),
        "spec.airflow.secretEnv.B": SecretRef("theirs", "token", "shared"),
        "spec.airflow.secretEnv.C": Sealed(SEALED),
        "spec.airflow.secretEnv.D": Generate("password"),
        "spec.airflow.secretEnv.E": Generate("token", 40),
    }
    assert [want.path[-1] for want in wants(instance)] == ["A", "B", "C"]
    assert len({want.source for want in wants(instance)}) == 3


@pytest.mark.parametrize(
    "value",
    [
        CANARY,
        {},
        {"value": CANARY},
        {"sealed": CANARY},
        {"sealed": SEALED, "generate": {}},
        {"secretRef": {"name": CANARY.upper(), "key": "a"}, "sealed": SEALED},
        {"secretRef": {"name": "a"}},
        {"secretRef": {"name": "a", "key": f"{CANARY}/"}, "unknown": CANARY},
        {"generate": {"form": CANARY}},
        {"generate": {"length": 8}},
        {"generate": {"form": "fernet", "length": 40}},
    ],
)
def test_what_is_not_one_form_is_refused_with_its_path(value: Any) -> None:
    error = refused({"TOKEN": value} if "secretRef" not in value or CANARY not in str(value) else {"TOKEN": {}})
    assert error.reason == "Malformed"
    assert error.path.startswith("spec.airflow.secretEnv.TOKEN")


@pytest.mark.parametrize(
    "name",
    [
        "AIRFLOW__CORE__FERNET_KEY",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD",
        "AIRFLOW__CORE__AUTH_MANAGER",
        "AIRFLOW_HOME",
        "PERIGEE_DATABASE_PASSWORD",
        "_AIRFLOW_WWW_USER_PASSWORD",
    ],
)
def test_what_the_agent_sets_or_has_to_read_is_reserved(name: str) -> None:
    error = refused({name: {"generate": {}}})
    assert (error.reason, error.path) == ("ReservedSetting", f"spec.airflow.secretEnv.{name}")


@pytest.mark.parametrize(
    "other", [{"env": {"AIRFLOW__SMTP__SMTP_PASSWORD": "x"}}, {"config": {"smtp": {"smtp_password": "x"}}}]
)
def test_a_variable_has_one_place(other: dict[str, Any]) -> None:
    error = refused({"AIRFLOW__SMTP__SMTP_PASSWORD": {"generate": {}}}, **other)
    assert error.reason == "Malformed"
    assert "sets the same as" in str(error)


def fields(model: type[BaseModel], prefix: str) -> Iterator[str]:
    """Every place of a document whose type is a secret value, by its path."""
    for field in model.model_fields.values():
        path = f"{prefix}.{field.alias}" if prefix else str(field.alias)
        for kind in _kinds(field.annotation):
            if kind is SecretValueV1:
                yield path
            elif issubclass(kind, BaseModel):
                yield from fields(kind, path)


def _kinds(annotation: Any) -> Iterator[type]:
    if isinstance(annotation, type) and not get_args(annotation):
        yield annotation
    for one in get_args(annotation):
        yield from _kinds(one)


def test_the_walk_knows_every_secret_field_of_a_document() -> None:
    assert set(fields(AirflowInstanceV1, "")) == set(FIELDS)
