"""Order, states and the migration Job."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from agent.model.instance import State
from agent.model.objects import Stage
from agent.rendering import RENDERER_VERSION, RenderInputs, demanded_keys, render
from agent.rendering.config import AUTH_MANAGER
from tests.support.instances import (
    an_airflow,
    an_instance,
    containers,
    inputs,
    manifests,
    of_kind,
)

SIMPLE = "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager"


def test_stages_come_in_order_and_the_namespace_first() -> None:
    stages = [rendered.stage for rendered in render(inputs(an_instance()))]
    assert stages == sorted(stages)
    assert set(stages) == set(Stage)
    assert render(inputs(an_instance()))[0].ref.kind == "Namespace"


def test_each_kind_is_where_the_next_stage_can_rely_on_it() -> None:
    kinds = {stage: {r.ref.kind for r in render(inputs(an_instance())) if r.stage is stage} for stage in Stage}
    assert kinds[Stage.NAMESPACE] == {"Namespace", "ResourceQuota", "LimitRange"}
    assert kinds[Stage.ACCESS] == {"ServiceAccount", "NetworkPolicy"}
    assert kinds[Stage.CONFIG] == {"ConfigMap"}
    assert kinds[Stage.DATA] == {"Service", "StatefulSet"}
    assert kinds[Stage.MIGRATION] == {"Job"}


def test_a_deleted_instance_is_nothing() -> None:
    deleted = an_instance(state=State.DELETED)
    assert render(RenderInputs(deleted, {})) == ()
    assert demanded_keys(deleted) == ()


def test_a_hibernated_instance_keeps_everything_but_its_pods() -> None:
    awake, asleep = manifests(an_instance()), manifests(an_instance(state=State.HIBERNATED))
    assert {each["spec"]["replicas"] for each in of_kind(asleep, "Deployment", "StatefulSet")} == {0}
    assert not of_kind(asleep, "Job")
    names = {(each["kind"], each["metadata"]["name"]) for each in asleep}
    assert names == {(each["kind"], each["metadata"]["name"]) for each in awake if each["kind"] != "Job"}
    assert demanded_keys(an_instance(state=State.HIBERNATED)) == demanded_keys(an_instance())


@pytest.mark.parametrize(
    "changes",
    [
        {"airflow": an_airflow(image="localhost/airflow:3.3.2-1")},
        {"airflow": an_airflow(version="3.3.3")},
        {"airflow": an_airflow(env={"A": "1"})},
    ],
)
def test_another_content_is_another_job(changes: dict[str, Any]) -> None:
    (before,), (after,) = (of_kind(manifests(each), "Job") for each in (an_instance(), an_instance(**changes)))
    assert before["metadata"]["name"] != after["metadata"]["name"]


def test_jobs_of_one_name_are_equal() -> None:
    scaled = an_instance(scheduler=dataclasses.replace(an_instance().scheduler, replicas=5), team="other")
    (before,), (after,) = (of_kind(manifests(each), "Job") for each in (an_instance(), scaled))
    assert before == after


def test_the_migration_gives_up_waiting_for_a_lock_and_is_tried_again() -> None:
    (job,) = of_kind(manifests(an_instance()), "Job")
    migrate, admin = containers(job["spec"]["template"])
    assert migrate["args"] == ["airflow", "db", "migrate"]
    assert {"name": "PGOPTIONS", "value": "-c lock_timeout=30s"} in migrate["env"]
    assert "users create" in admin["args"][-1]
    assert job["spec"]["backoffLimit"] > 1
    assert "ttlSecondsAfterFinished" not in job["spec"]


@pytest.mark.parametrize("where", [{"config": {"core": {"auth_manager": SIMPLE}}}, {"env": {AUTH_MANAGER: SIMPLE}}])
def test_without_accounts_in_the_database_nobody_makes_one(where: dict[str, Any]) -> None:
    instance = an_instance(airflow=an_airflow(**where))
    (job,) = of_kind(manifests(instance), "Job")
    assert [each["name"] for each in containers(job["spec"]["template"])] == ["migrate"]
    assert "admin-password" not in {demand.name for demand in demanded_keys(instance)}


def test_keys_have_the_forms_that_their_users_expect() -> None:
    forms = {demand.name: demand.form for demand in demanded_keys(an_instance())}
    assert forms == {
        "database-admin-password": "password",
        "database-password": "password",
        "broker-password": "password",
        "fernet-key": "fernet",
        "jwt-secret": "token",
        "api-secret-key": "token",
        "admin-password": "password",
    }


def empties(value: Any, path: str = "") -> list[str]:
    """The paths of all empty lists and mappings."""
    if not isinstance(value, list | dict):
        return []
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    return ([] if value else [path]) + [found for key, each in inner for found in empties(each, f"{path}.{key}")]


def test_nothing_empty_is_sent_that_the_server_would_forget() -> None:
    allowed = ("podSelector", "emptyDir")
    for manifest in manifests(an_instance()):
        assert [path for path in empties(manifest) if not path.endswith(allowed)] == []


def test_the_renderer_has_a_version() -> None:
    assert RENDERER_VERSION
