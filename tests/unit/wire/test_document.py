"""The document of an instance: its defaults, and what is refused with which path and words."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from agent.model.errors import Refused
from agent.model.instance import Adoptee, Environment, Resources, Retain, Scaling, State, Window, WorkerQueue
from agent.rendering.config import FIXED
from agent.wire.airflow import reserved
from agent.wire.codec import instance_of
from agent.wire.refusals import Reason
from tests.support.wire import INSTANCE_ID, some_document_data


def refused(data: dict[str, Any]) -> Refused:
    with pytest.raises(Refused) as caught:
        instance_of(data)
    return caught.value


def airflow(**fields: Any) -> dict[str, Any]:
    return some_document_data(airflow={"version": "3.3.2", **fields})


def metadata(**fields: Any) -> dict[str, Any]:
    data = some_document_data()
    return {**data, "metadata": {**data["metadata"], **fields}}


def scheduler(**fields: Any) -> dict[str, Any]:
    return some_document_data(components={"scheduler": fields})


def queues(*names: str, **fields: Any) -> dict[str, Any]:
    listed = [{"name": name, **fields} for name in names]
    return some_document_data(components={"workers": {"queues": listed}})


WINDOW = "spec.maintenance.windows[0]"


def window(**fields: Any) -> dict[str, Any]:
    whole = {"schedule": "0 2 * * 6", "duration": "4h", **fields}
    return some_document_data(maintenance={"windows": [whole]})


def database(**fields: Any) -> dict[str, Any]:
    return some_document_data(database={"embedded": fields})


def test_a_short_document_is_a_whole_instance() -> None:
    instance, unknown = instance_of(some_document_data())
    assert unknown == ()
    assert (instance.id, instance.name, instance.namespace) == (INSTANCE_ID, "sales", "sales")
    assert (instance.state, instance.paused, instance.environment) == (State.RUNNING, False, Environment.DEV)
    assert instance.retain == frozenset(Retain)
    assert instance.isolation.quota is None
    assert instance.isolation.network_policies
    assert (instance.airflow.image, instance.airflow.pull_policy) == ("apache/airflow:3.3.2", "IfNotPresent")
    assert [queue.name for queue in instance.workers] == ["default"]
    assert instance.dags_path == "/opt/airflow/dags"
    assert instance.database.image.startswith("postgres:")
    assert instance.broker.image.startswith("redis:")
    assert instance.database.storage_class is None
    assert instance.adopt == frozenset()
    assert instance.maintenance == ()


def test_every_part_of_the_default_has_requests_and_a_memory_limit() -> None:
    instance, _ = instance_of(some_document_data())
    components = (instance.api_server, instance.scheduler, instance.dag_processor, instance.triggerer)
    services = (instance.database, instance.broker)
    parts = [
        *(component.resources for component in components),
        *(service.resources for service in services),
        *(queue.resources for queue in instance.workers),
    ]
    assert all(set(resources.requests) == {"cpu", "memory"} for resources in parts)
    assert all(set(resources.limits) == {"memory"} for resources in parts)


def test_every_knob_arrives_at_its_place() -> None:
    data = some_document_data(
        state="hibernated",
        retain=["database"],
        paused=True,
        environment="prod",
        team="data",
        isolation={"quota": {"requests.cpu": "4", "count/jobs.batch": "10"}, "networkPolicies": False},
        airflow={
            "version": "3.3.0",
            "image": "registry.example:5000/team/airflow@sha256:" + "a" * 64,
            "pullPolicy": "Always",
            "pullSecrets": ["registry.key"],
            "config": {"core": {"parallelism": 64, "load_examples": False}, "metrics": {"statsd_on": "True"}},
            "env": {"TZ": "Europe/Vienna", "RATE": 0.5},
        },
        components={
            "apiServer": {"replicas": 2, "scaling": "external"},
            "scheduler": {"resources": {"requests": {"cpu": "1"}}},
            "triggerer": {"replicas": 0},
            "workers": {
                "queues": [{"name": "heavy", "replicas": 3, "concurrency": 8, "resources": {}, "scaling": "external"}]
            },
        },
        dags={"path": "/dags"},
        database={"embedded": {"image": "postgres:17", "uid": 70, "storage": "20Gi", "storageClass": "fast"}},
        broker={"embedded": {"storage": "512Mi"}},
        maintenance={
            "windows": [
                {"schedule": "0 2 * * 6", "duration": "4h", "timeZone": "Europe/Berlin"},
                {"schedule": "*/30 1-3 1 JAN,JUL *", "duration": "90m"},
            ],
        },
        adopt=["Namespace/sales", "ConfigMap/airflow-config", "Service/airflow.api", "Service/airflow.api"],
    )
    data["metadata"]["labels"] = {"example.org/cost-centre": "42", "tier": ""}
    instance, unknown = instance_of(data)
    assert unknown == ()
    assert (instance.state, instance.retain, instance.paused) == (State.HIBERNATED, frozenset({Retain.DATABASE}), True)
    assert (instance.environment, instance.team) == (Environment.PROD, "data")
    assert instance.labels == {"example.org/cost-centre": "42", "tier": ""}
    assert instance.isolation.quota == {"requests.cpu": "4", "count/jobs.batch": "10"}
    assert not instance.isolation.network_policies
    assert instance.airflow.image.startswith("registry.example:5000/team/airflow@sha256:")
    assert (instance.airflow.pull_policy, instance.airflow.pull_secrets) == ("Always", ("registry.key",))
    assert instance.airflow.config["core"] == {"parallelism": "64", "load_examples": "False"}
    assert instance.airflow.env == {"TZ": "Europe/Vienna", "RATE": "0.5"}
    assert (instance.api_server.replicas, instance.triggerer.replicas) == (2, 0)
    assert instance.scheduler.resources == Resources({"cpu": "1"}, {})
    assert instance.workers == (WorkerQueue("heavy", 3, 8, Resources(), Scaling.EXTERNAL),)
    assert (instance.api_server.scaling, instance.triggerer.scaling) == (Scaling.EXTERNAL, Scaling.DOCUMENT)
    assert instance.dags_path == "/dags"
    assert (instance.database.uid, instance.database.storage_class) == (70, "fast")
    assert (instance.database.storage, instance.broker.storage) == ("20Gi", "512Mi")
    assert instance.maintenance == (
        Window("0 2 * * 6", timedelta(hours=4), ZoneInfo("Europe/Berlin")),
        Window("*/30 1-3 1 JAN,JUL *", timedelta(minutes=90), ZoneInfo("UTC")),
    )
    assert sorted(instance.adopt) == [
        Adoptee("ConfigMap", "airflow-config"),
        Adoptee("Namespace", "sales"),
        Adoptee("Service", "airflow.api"),
    ]


def test_fields_of_a_newer_version_are_ignored_and_named() -> None:
    data = some_document_data(upgrade={"soak": "1h"}, components={"flower": {}, "scheduler": {"probes": {}}})
    data["metadata"]["owner"] = "x"
    instance, unknown = instance_of(data)
    assert unknown == ("metadata.owner", "spec.components.flower", "spec.components.scheduler.probes", "spec.upgrade")
    assert instance.scheduler.replicas == 1


def test_a_tombstone_needs_metadata_and_state_only() -> None:
    data = {**some_document_data(), "spec": {"state": "deleted"}}
    instance, unknown = instance_of(data)
    assert (instance.state, instance.namespace, instance.airflow.image) == (State.DELETED, "", "")
    assert instance.retain == frozenset(Retain)
    assert unknown == ()


def test_only_an_explicit_empty_list_retains_nothing() -> None:
    data = {**some_document_data(), "spec": {"state": "deleted", "retain": []}}
    assert instance_of(data)[0].retain == frozenset()
    assert refused({**data, "spec": {"state": "deleted", "retain": None}}).path == "spec.retain"


def test_what_is_wrong_elsewhere_in_a_tombstone_does_not_keep_it_from_its_work() -> None:
    data = some_document_data(state="deleted", airflow={"version": "9.9.9"}, components=7, retainUntil="2027")
    instance, unknown = instance_of(data)
    assert (instance.state, instance.namespace) == (State.DELETED, "sales")
    assert unknown == ("spec.retainUntil",)


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("apiVersion", "perigee.dev/v2", Reason.UNKNOWN_MAJOR),
        ("apiVersion", "perigee.dev/v1beta1", Reason.UNKNOWN_MAJOR),
        ("apiVersion", "apps/v1", Reason.MALFORMED),
        ("apiVersion", None, Reason.MALFORMED),
        ("kind", "SparkInstance", Reason.UNKNOWN_MAJOR),
        ("kind", "", Reason.MALFORMED),
        ("kind", 1, Reason.MALFORMED),
    ],
)
def test_another_major_or_kind_is_refused_as_such(field: str, value: object, reason: Reason) -> None:
    error = refused({**some_document_data(), field: value})
    assert (error.reason, error.path) == (reason, field)


@pytest.mark.parametrize(
    ("version", "reason", "says"),
    [
        ("3.4.0", Reason.UNSUPPORTED_VERSION, "Airflow 3.4 is newer than this agent knows (3.3)"),
        ("4.0.0", Reason.UNSUPPORTED_VERSION, "Airflow 4.0 is newer than this agent knows (3.3)"),
        ("3.2.2", Reason.UNSUPPORTED_VERSION, "Airflow 3.2 is not among those this agent knows (3.3)"),
        ("2.11.2", Reason.UNSUPPORTED_VERSION, "Airflow 2.11 is not among those this agent knows (3.3)"),
        ("3.3", Reason.MALFORMED, '"3.3" is not a version'),
        ("3.03.2", Reason.MALFORMED, '"3.03.2" is not a version'),
        ("3.3.2rc1", Reason.MALFORMED, "is not a version"),
        (3.3, Reason.MALFORMED, "must be a text"),
    ],
)
def test_a_version_that_cannot_be_run_is_refused_clearly(version: object, reason: Reason, says: str) -> None:
    error = refused(airflow(version=version))
    assert (error.reason, error.path) == (reason, "spec.airflow.version")
    assert says in str(error)


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"config": {"core": {"fernet_key": "x"}}}, "spec.airflow.config.core.fernet_key"),
        ({"config": {"core": {"executor": "LocalExecutor"}}}, "spec.airflow.config.core.executor"),
        ({"config": {"celery": {"broker_url_cmd": "x"}}}, "spec.airflow.config.celery.broker_url_cmd"),
        ({"config": {"api": {"secret_key_secret": "x"}}}, "spec.airflow.config.api.secret_key_secret"),
        ({"env": {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "x"}}, "spec.airflow.env.AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"),
        ({"env": {"AIRFLOW__CORE__FERNET_KEY_CMD": "x"}}, "spec.airflow.env.AIRFLOW__CORE__FERNET_KEY_CMD"),
        ({"env": {"airflow__api_auth__jwt_secret": "x"}}, "spec.airflow.env.airflow__api_auth__jwt_secret"),
        ({"env": {"_AIRFLOW_DB_MIGRATE": "1"}}, "spec.airflow.env._AIRFLOW_DB_MIGRATE"),
        ({"env": {"AIRFLOW_HOME": "/x"}}, "spec.airflow.env.AIRFLOW_HOME"),
        ({"env": {"DUMB_INIT_SETSID": "1"}}, "spec.airflow.env.DUMB_INIT_SETSID"),
        ({"env": {"PERIGEE_COLOUR": "blue"}}, "spec.airflow.env.PERIGEE_COLOUR"),
    ],
)
def test_what_the_agent_decides_cannot_be_set(fields: dict[str, Any], path: str) -> None:
    error = refused(airflow(**fields))
    assert (error.reason, error.path) == (Reason.RESERVED_SETTING, path)
    assert error.hint == "leave it out"


def test_everything_that_rendering_fixes_is_refused_here_already() -> None:
    assert [setting for setting in FIXED if not reserved(*setting)] == []


def test_a_setting_made_twice_is_refused() -> None:
    error = refused(airflow(config={"core": {"parallelism": 1}}, env={"AIRFLOW__CORE__PARALLELISM": 2}))
    assert error.path == "spec.airflow.env.AIRFLOW__CORE__PARALLELISM"
    assert "spec.airflow.config.core.parallelism" in str(error)


def test_a_value_never_shows_in_a_refusal() -> None:
    secret = "hunter2" + "\x00"
    error = refused(airflow(env={"PASSWORD": secret}))
    assert error.path == "spec.airflow.env.PASSWORD"
    assert "hunter2" not in error.explain()
    assert "hunter2" not in refused(airflow(config={"core": {"executor": secret}})).explain()


@pytest.mark.parametrize(
    ("data", "path", "says"),
    [
        ({"apiVersion": "perigee.dev/v1", "kind": "AirflowInstance"}, "metadata", "is missing"),
        ({**some_document_data(), "spec": {}}, "spec.namespace", "is missing"),
        ({**some_document_data(), "spec": {"namespace": "sales"}}, "spec.airflow", "is missing"),
        ({**some_document_data(), "spec": []}, "spec", "must be an object"),
        (some_document_data(airflow={}), "spec.airflow.version", "is missing"),
        (metadata(id="1"), "metadata.id", "must be a UUID"),
        (metadata(name="Sales"), "metadata.name", "RFC 1123"),
        (metadata(name="-sales"), "metadata.name", "RFC 1123"),
        (metadata(name="s" * 41), "metadata.name", "at most 40"),
        (metadata(name="sales\n"), "metadata.name", "RFC 1123"),
        (metadata(labels={"a b": "x"}), 'metadata.labels["a b"]', "label key"),
        (metadata(labels={"tier": "a b"}), "metadata.labels.tier", "label value"),
        (metadata(labels={"x" * 64: "a"}), "metadata.labels." + "x" * 64, "label key"),
        (metadata(labels=[]), "metadata.labels", "must be an object"),
        (some_document_data(namespace="a" * 64), "spec.namespace", "at most 63"),
        (some_document_data(namespace="a.b"), "spec.namespace", "RFC 1123"),
        (some_document_data(namespace="kube-system"), "spec.namespace", "needs its own"),
        (some_document_data(namespace="default"), "spec.namespace", "needs its own"),
        (some_document_data(state="stopped"), "spec.state", "'running', 'hibernated' or 'deleted'"),
        (some_document_data(retain=["everything"]), "spec.retain[0]", "'database', 'volumes', 'logs' or 'keys'"),
        (some_document_data(paused="yes"), "spec.paused", "true or false"),
        (some_document_data(environment="staging"), "spec.environment", "'dev', 'test' or 'prod'"),
        (some_document_data(isolation={"quota": {"cpu": "4 cores"}}), "spec.isolation.quota.cpu", "quantity"),
        (some_document_data(isolation={"networkPolicies": 1}), "spec.isolation.networkPolicies", "true or false"),
        (window(schedule="0 2 * *"), f"{WINDOW}.schedule", "five fields"),
        (window(schedule="0 0 2 * * *"), f"{WINDOW}.schedule", "five fields"),
        (window(schedule="@daily"), f"{WINDOW}.schedule", "five fields"),
        (window(schedule="61 2 * * *"), f"{WINDOW}.schedule", "is not a schedule of cron: Bad minute"),
        (window(schedule="* * * * XYZ"), f"{WINDOW}.schedule", "is not a schedule of cron: Bad day-of-week"),
        (window(schedule="0 2 30 2 *"), f"{WINDOW}.schedule", "is not a schedule of cron: Bad day-of-month"),
        (window(schedule="0 2 * 4 MON#6"), f"{WINDOW}.schedule", "is not a schedule of cron"),
        (window(schedule=None), f"{WINDOW}.schedule", "must be a text"),
        (window(duration="0m"), f"{WINDOW}.duration", '"0m" must be between 1m and 168h'),
        (window(duration="169h"), f"{WINDOW}.duration", "between 1m and 168h"),
        (window(duration="1d"), f"{WINDOW}.duration", "minutes or hours"),
        (window(duration="-1h"), f"{WINDOW}.duration", "minutes or hours"),
        (window(duration=90), f"{WINDOW}.duration", "must be a text"),
        (window(timeZone="Mars/Olympus"), f"{WINDOW}.timeZone", '"Mars/Olympus" is not a time zone'),
        (window(timeZone="Europe"), f"{WINDOW}.timeZone", "is not a time zone"),
        (window(timeZone="localtime"), f"{WINDOW}.timeZone", "is not a time zone"),
        (window(timeZone="../../etc/passwd"), f"{WINDOW}.timeZone", "the name of a time zone"),
        (window(timeZone=""), f"{WINDOW}.timeZone", "the name of a time zone"),
        (some_document_data(maintenance={"windows": [{"schedule": "0 2 * * 6"}]}), f"{WINDOW}.duration", "is missing"),
        (
            some_document_data(maintenance={"windows": [{"schedule": "0 2 * * 6", "duration": "4h"}] * 11}),
            "spec.maintenance.windows",
            "at most 10",
        ),
        (some_document_data(adopt=["Pod/airflow"]), "spec.adopt[0]", '"Pod/airflow" must be Kind/name with a kind'),
        (some_document_data(adopt=["Secret/airflow-keys"]), "spec.adopt[0]", "a kind that an instance consists of"),
        (some_document_data(adopt=["Job/x", "service/airflow"]), "spec.adopt[1]", "Kind/name"),
        (some_document_data(adopt=["Service/"]), "spec.adopt[0]", "Kind/name"),
        (some_document_data(adopt=["Service/a/b"]), "spec.adopt[0]", "Kind/name"),
        (some_document_data(adopt=["airflow"]), "spec.adopt[0]", "Kind/name"),
        (some_document_data(adopt=[{"kind": "Job", "name": "x"}]), "spec.adopt[0]", "must be a text"),
        (some_document_data(adopt="Job/x"), "spec.adopt", "must be an array"),
        (some_document_data(adopt=["Job/x"] * 101), "spec.adopt", "at most 100"),
        (
            some_document_data(adopt=["Namespace/other"]),
            "spec.adopt[0]",
            '"other" is not the namespace of this instance',
        ),
        (some_document_data(isolation=None), "spec.isolation", "must be an object"),
        (airflow(image="apache/airflow:3.3.2 --privileged"), "spec.airflow.image", "image reference"),
        (airflow(pullPolicy="never"), "spec.airflow.pullPolicy", "'Always', 'IfNotPresent' or 'Never'"),
        (airflow(pullSecrets=["a_b"]), "spec.airflow.pullSecrets[0]", "RFC 1123"),
        (airflow(config={"Core": {}}), "spec.airflow.config.Core", "Airflow's configuration"),
        (airflow(config={"core": {"a-b": "1"}}), 'spec.airflow.config.core["a-b"]', "Airflow's configuration"),
        (airflow(config={"core": {"parallelism": None}}), "spec.airflow.config.core.parallelism", "must be a text"),
        (airflow(config={"core": {"parallelism": [1]}}), "spec.airflow.config.core.parallelism", "must be a text"),
        (airflow(env={"A-B": "1"}), 'spec.airflow.env["A-B"]', "environment variable"),
        (airflow(env={"A": "a\x00b"}), "spec.airflow.env.A", "NUL"),
        (scheduler(replicas=0), "spec.components.scheduler.replicas", "greater than or equal to 1"),
        (scheduler(replicas=51), "spec.components.scheduler.replicas", "less than or equal to 50"),
        (scheduler(scaling="hpa"), "spec.components.scheduler.scaling", "must be 'document' or 'external'"),
        (scheduler(scaling=None), "spec.components.scheduler.scaling", "must be 'document' or 'external'"),
        (scheduler(scaling="external", replicas=0), "spec.components.scheduler.replicas", "greater than or equal to 1"),
        (scheduler(replicas="2"), "spec.components.scheduler.replicas", "must be an integer"),
        (
            scheduler(resources={"requests": {"cpu": "a lot"}}),
            "spec.components.scheduler.resources.requests.cpu",
            "quantity",
        ),
        (
            scheduler(resources={"limits": {"gpu": "1"}}),
            "spec.components.scheduler.resources.limits.gpu",
            "a resource of a container",
        ),
        (
            scheduler(resources={"requests": {"memory": "2Gi"}, "limits": {"memory": "2G"}}),
            "spec.components.scheduler.resources",
            "the request of memory (2Gi) is above its limit (2G)",
        ),
        (queues(), "spec.components.workers.queues", "at least 1"),
        (queues("a", "a"), "spec.components.workers", "two queues have the same name"),
        (queues("default", "High_Mem"), "spec.components.workers.queues[1].name", "RFC 1123"),
        (queues("q" * 31), "spec.components.workers.queues[0].name", "at most 30"),
        (queues("a", concurrency=0), "spec.components.workers.queues[0].concurrency", "greater than or equal to 1"),
        (queues("a", replicas=-1), "spec.components.workers.queues[0].replicas", "greater than or equal to 0"),
        (some_document_data(dags={"path": "dags"}), "spec.dags.path", "absolute path"),
        (some_document_data(dags={"path": "/opt/../etc"}), "spec.dags.path", "absolute path"),
        (some_document_data(dags={"path": "/"}), "spec.dags.path", "absolute path"),
        (database(uid=0), "spec.database.embedded.uid", "greater than or equal to 1"),
        (database(storage="0Gi"), "spec.database.embedded.storage", "must be above zero"),
        (database(storage="-1Gi"), "spec.database.embedded.storage", "quantity"),
        (database(storageClass=""), "spec.database.embedded.storageClass", "RFC 1123"),
    ],
)
def test_what_cannot_work_is_refused_with_its_path(data: dict[str, Any], path: str, says: str) -> None:
    error = refused(data)
    assert (error.reason, error.path) == (Reason.MALFORMED, path)
    assert says in str(error)


@pytest.mark.parametrize("domain", ["perigee.dev", "app.kubernetes.io", "kubernetes.io", "x.k8s.io"])
def test_labels_of_the_agent_and_of_kubernetes_cannot_be_set(domain: str) -> None:
    error = refused(metadata(labels={f"{domain}/instance": "other"}))
    assert (error.reason, error.path) == (Reason.RESERVED_SETTING, f'metadata.labels["{domain}/instance"]')


@pytest.mark.parametrize("part", ["database", "broker"])
def test_a_database_of_an_unknown_kind_is_refused_and_not_replaced_by_another(part: str) -> None:
    error = refused(some_document_data(**{part: {"external": {"host": "db.example"}}}))
    assert error.path == f"spec.{part}.embedded"


def test_further_faults_are_counted() -> None:
    error = refused(some_document_data(namespace="A", team="a b", environment="x"))
    assert error.path == "spec.namespace"
    assert str(error).endswith("(and 2 more of such faults)")


def test_long_and_strange_names_stay_within_bounds_in_messages() -> None:
    error = refused(metadata(labels={"\x1b[31m" + "x" * 500: "a"}))
    assert len(str(error)) < 500
    assert "\x1b" not in str(error)
