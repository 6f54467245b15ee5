"""Configuration: defaults, overrides that reach every Airflow container, and settings that are not open."""

from __future__ import annotations

import pytest

from agent.model.errors import Refused
from agent.rendering import versions
from agent.rendering.config import FIXED, settings, variable
from tests.support.instances import an_airflow, an_instance, containers, manifests, one, pod_templates

SERVICES = {"airflow-database", "airflow-broker"}


def refusal(**airflow: object) -> Refused:
    with pytest.raises(Refused) as caught:
        manifests(an_instance(airflow=an_airflow(**airflow)))
    return caught.value


def test_the_defaults_make_a_distributed_airflow() -> None:
    data = one(manifests(an_instance()), "ConfigMap", "airflow-config")["data"]
    assert data["AIRFLOW__CORE__EXECUTOR"] == "CeleryExecutor"
    assert data["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://airflow-api-server:8080/execution/"
    assert data["AIRFLOW__CORE__DAGS_FOLDER"] == "/opt/airflow/dags"
    assert data["AIRFLOW__CORE__LOAD_EXAMPLES"] == "False"
    assert data["AIRFLOW__CORE__AUTH_MANAGER"].endswith("FabAuthManager")
    assert data["AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK"] == "True"
    assert data["AIRFLOW__DATABASE__CHECK_MIGRATIONS"] == "False"


def test_an_override_replaces_a_default_and_new_sections_are_added() -> None:
    config = {"core": {"load_examples": "True"}, "aws.logs": {"level": "100%"}}
    found = settings(an_instance(airflow=an_airflow(config=config)))
    assert found["AIRFLOW__CORE__LOAD_EXAMPLES"] == "True"
    assert found["AIRFLOW__AWS_LOGS__LEVEL"] == "100%"


def test_configuration_and_variables_reach_every_airflow_container() -> None:
    templates = pod_templates(manifests(an_instance(airflow=an_airflow(env={"TZ": "Europe/Berlin"}))))
    for name, template in templates.items():
        for container in containers(template):
            reached = {"name": "TZ", "value": "Europe/Berlin"} in container["env"]
            assert reached == (name not in SERVICES)
            assert ({"configMapRef": {"name": "airflow-config"}} in container.get("envFrom", [])) == reached


def test_a_variable_means_what_it_says() -> None:
    env = {"PRICE": "$5", "COPY": "$(PERIGEE_DATABASE_PASSWORD)"}
    templates = pod_templates(manifests(an_instance(airflow=an_airflow(env=env))))
    found = {each["name"]: each.get("value") for each in containers(templates["airflow-scheduler"])[0]["env"]}
    assert found["PRICE"] == "$$5"  # Kubernetes turns $$ into $
    assert found["COPY"] == "$$(PERIGEE_DATABASE_PASSWORD)"


@pytest.mark.parametrize(("section", "key"), sorted(FIXED))
def test_what_the_rendering_relies_on_is_not_open(section: str, key: str) -> None:
    for suffix in ("", "_cmd", "_secret"):
        error = refusal(config={section: {key + suffix: "x"}})
        assert error.reason == "ReservedSetting"
        assert error.path == f"spec.airflow.config.{section}.{key}{suffix}"
        assert refusal(env={variable(section, key + suffix): "x"}).reason == "ReservedSetting"


@pytest.mark.parametrize("name", ["PERIGEE_BROKER_PASSWORD", "PERIGEE_X", "AIRFLOW_HOME", "DUMB_INIT_SETSID"])
def test_our_own_variables_are_not_open(name: str) -> None:
    error = refusal(env={name: "x"})
    assert error.reason == "ReservedSetting"
    assert error.path == f"spec.airflow.env.{name}"


def test_a_name_that_is_none_is_refused() -> None:
    assert refusal(env={"A-B": "x"}).reason == "BadSetting"
    assert refusal(config={"core": {"a b": "x"}}).reason == "BadSetting"


@pytest.mark.parametrize("version", ["3.4.0", "2.11.2", "3", "nonsense"])
def test_a_version_that_nobody_tried_is_refused(version: str) -> None:
    error = refusal(version=version)
    assert error.reason == "UnsupportedVersion"
    assert error.path == "spec.airflow.version"


def test_the_table_of_versions_is_complete() -> None:
    for minor, release in versions.RELEASES.items():
        assert release.minor == minor
        assert {str(role) for role in release.processes} == {
            "api-server",
            "scheduler",
            "dag-processor",
            "triggerer",
            "worker",
        }
