"""Pods: restricted, without tokens, with exactly the keys that they need, and no value of a key anywhere."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from agent.model.objects import Manifest
from agent.rendering import KEYS_SECRET, demanded_keys, digest, render
from tests.support.instances import (
    an_airflow,
    an_instance,
    checksums,
    containers,
    inputs,
    manifests,
    of_kind,
    one,
    pod_templates,
)
from tests.support.pod_security import violations

EXPANSION = re.compile(r"(?<!\$)\$\(([A-Za-z0-9_]+)\)")
URL_WITH_PASSWORD = re.compile(r"://[^/\s]*:([^@/\s]+)@")

DATABASE_KEYS = {"database-password"}
BROKER_KEYS = {"broker-password"}
KEYS = {
    "airflow-api-server": DATABASE_KEYS | {"fernet-key", "jwt-secret", "api-secret-key"},
    "airflow-scheduler": DATABASE_KEYS | BROKER_KEYS | {"fernet-key", "jwt-secret"},
    "airflow-dag-processor": DATABASE_KEYS | {"fernet-key"},
    "airflow-triggerer": DATABASE_KEYS | {"fernet-key", "api-secret-key"},
    "airflow-worker-default": BROKER_KEYS | {"api-secret-key"},
    "airflow-worker-heavy": BROKER_KEYS | {"api-secret-key"},
    "airflow-database": DATABASE_KEYS | {"database-admin-password"},
    "airflow-broker": BROKER_KEYS,
    "airflow-migration": DATABASE_KEYS | {"fernet-key", "api-secret-key", "admin-password"},
}


def templates() -> dict[str, Manifest]:
    return pod_templates(manifests(an_instance()))


def by_role(name: str) -> str:
    """The name of a workload, a Job's without the hash."""
    return "airflow-migration" if name.startswith("airflow-migration-") else name


def referred(template: Manifest) -> set[str]:
    """The keys that a pod gets at."""
    entries = [entry for container in containers(template) for entry in container["env"] if "valueFrom" in entry]
    assert {entry["valueFrom"]["secretKeyRef"]["name"] for entry in entries} <= {KEYS_SECRET}
    return {entry["valueFrom"]["secretKeyRef"]["key"] for entry in entries}


def test_every_pod_is_restricted() -> None:
    assert [each for template in templates().values() for each in violations(template["spec"])] == []


def test_the_checker_would_see_a_pod_that_is_not() -> None:
    assert violations({"containers": [{"name": "plain"}]}) != []


def test_only_workers_may_write_to_their_image() -> None:
    for name, template in templates().items():
        for container in containers(template):
            read_only = container["securityContext"]["readOnlyRootFilesystem"]
            assert read_only == (not name.startswith("airflow-worker-"))


def test_no_pod_has_a_token_or_learns_of_services() -> None:
    for template in templates().values():
        assert template["spec"]["automountServiceAccountToken"] is False
        assert template["spec"]["enableServiceLinks"] is False


def test_every_account_exists_and_has_no_token() -> None:
    accounts = {each["metadata"]["name"]: each for each in of_kind(manifests(an_instance()), "ServiceAccount")}
    for template in templates().values():
        assert accounts[template["spec"]["serviceAccountName"]]["automountServiceAccountToken"] is False


def test_pull_secrets_and_policy_reach_every_pod() -> None:
    instance = an_instance(airflow=an_airflow(pull_secrets=("one", "two"), pull_policy="Always"))
    for template in pod_templates(manifests(instance)).values():
        assert template["spec"]["imagePullSecrets"] == [{"name": "one"}, {"name": "two"}]
        assert {container["imagePullPolicy"] for container in containers(template)} == {"Always"}


@pytest.mark.parametrize("name", sorted(KEYS))
def test_a_pod_gets_exactly_the_keys_that_it_needs(name: str) -> None:
    (template,) = (template for found, template in templates().items() if by_role(found) == name)
    assert referred(template) == KEYS[name]


def test_every_key_that_is_referred_to_is_demanded_and_the_other_way_round() -> None:
    demanded = {demand.name for demand in demanded_keys(an_instance())}
    assert set().union(*(referred(template) for template in templates().values())) == demanded


def test_workers_know_nothing_of_the_database() -> None:
    for name, template in templates().items():
        if name.startswith("airflow-worker-"):
            text = json.dumps(template)
            assert "SQL_ALCHEMY_CONN" not in text
            assert "airflow-database" not in text
            assert "DATABASE_PASSWORD" not in text


def test_addresses_are_composed_of_variables_that_come_before_them() -> None:
    for template in templates().values():
        for container in containers(template):
            known: set[str] = set()
            for entry in container["env"]:
                assert set(EXPANSION.findall(entry.get("value", ""))) <= known
                assert entry["name"] not in known, "a name twice"
                known.add(entry["name"])


def test_no_password_is_in_any_manifest() -> None:
    for manifest in manifests(an_instance()):
        for found in URL_WITH_PASSWORD.findall(json.dumps(manifest)):
            assert EXPANSION.fullmatch(found)
    assert not of_kind(manifests(an_instance()), "Secret")


def test_no_key_is_an_argument_of_a_process() -> None:
    for template in templates().values():
        for container in containers(template):
            words = [*container.get("command", []), *container.get("args", [])]
            assert not any(EXPANSION.search(word) for word in words)


def test_the_metadata_database_and_the_broker_are_reached_as_kubernetes_will_expand_it() -> None:
    env = {entry["name"]: entry for entry in containers(templates()["airflow-scheduler"])[0]["env"]}
    assert env["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]["value"] == (
        "postgresql+psycopg2://airflow:$(PERIGEE_DATABASE_PASSWORD)@airflow-database:5432/airflow"
    )
    assert env["AIRFLOW__CELERY__BROKER_URL"]["value"] == "redis://:$(PERIGEE_BROKER_PASSWORD)@airflow-broker:6379/0"
    assert env["AIRFLOW__CELERY__RESULT_BACKEND"]["value"].endswith("@airflow-broker:6379/1")


@pytest.mark.parametrize(
    ("key", "rolled"),
    [
        ("broker_password", {"airflow-broker", "airflow-scheduler", "airflow-worker-default", "airflow-worker-heavy"}),
        ("jwt_secret", {"airflow-api-server", "airflow-scheduler"}),
        ("admin_password", set()),
        ("database_admin_password", {"airflow-database"}),
    ],
)
def test_a_changed_key_rolls_exactly_the_pods_that_use_it(key: str, rolled: set[str]) -> None:
    before, after = templates(), pod_templates(manifests(an_instance(), **{key: "changed"}))
    assert {name for name in before.keys() & after.keys() if before[name] != after[name]} == rolled
    # A Job cannot be changed: it is another one, where it uses the key.
    assert (before.keys() != after.keys()) == (key == "admin_password")


def test_a_changed_setting_rolls_airflow_and_nothing_else() -> None:
    changed = an_instance(airflow=an_airflow(config={"core": {"parallelism": "7"}}))
    before, after = templates(), pod_templates(manifests(changed))
    assert before.keys() == after.keys(), "a setting is no reason to migrate"
    unchanged = {by_role(name) for name in before if before[name] == after[name]}
    assert unchanged == {"airflow-database", "airflow-broker", "airflow-migration"}


def test_more_replicas_roll_nothing() -> None:
    instance = an_instance()
    more = an_instance(scheduler=instance.scheduler.__class__(3, instance.scheduler.resources))
    assert pod_templates(manifests(more)) == templates()


def test_a_process_gets_sigterm_alone_and_workers_time_to_finish() -> None:
    for name, template in templates().items():
        if name in {"airflow-database", "airflow-broker"}:
            continue
        for container in containers(template):
            assert container["command"] == ["dumb-init", "--"]
            assert {"name": "DUMB_INIT_SETSID", "value": "0"} in container["env"]
        if name.startswith("airflow-worker-"):
            assert template["spec"]["terminationGracePeriodSeconds"] >= 600


def test_every_lasting_process_is_checked_and_patiently() -> None:
    for name, template in templates().items():
        if by_role(name) == "airflow-migration":
            continue
        for container in containers(template):
            startup, liveness = container["startupProbe"], container["livenessProbe"]
            assert startup["periodSeconds"] * startup["failureThreshold"] >= 600
            assert liveness["periodSeconds"] * liveness["failureThreshold"] >= 100
            assert "readinessProbe" in container


def test_pods_with_peers_have_a_budget_and_single_ones_can_be_drained() -> None:
    budgets = {each["metadata"]["name"]: each for each in of_kind(manifests(an_instance()), "PodDisruptionBudget")}
    assert set(budgets) == {"airflow-api-server", "airflow-worker-default"}
    assert budgets["airflow-api-server"]["spec"]["maxUnavailable"] == 1


def test_workers_consume_their_queue_with_their_concurrency() -> None:
    (container,) = containers(templates()["airflow-worker-default"])
    assert container["args"] == ["airflow", "celery", "worker", "--queues", "default", "--concurrency", "4"]


def test_pods_whose_logs_are_fetched_have_resolvable_names() -> None:
    objects = manifests(an_instance())
    for name, service in (
        ("airflow-worker-default", "airflow-worker"),
        ("airflow-worker-heavy", "airflow-worker"),
        ("airflow-triggerer", "airflow-triggerer"),
    ):
        assert one(objects, "StatefulSet", name)["spec"]["serviceName"] == service
        headless = one(objects, "Service", service)["spec"]
        assert headless["clusterIP"] == "None"
        assert headless["publishNotReadyAddresses"] is True


def test_every_service_leads_to_pods_that_listen() -> None:
    objects = manifests(an_instance())
    for service in of_kind(objects, "Service"):
        chosen = [
            template
            for template in pod_templates(objects).values()
            if service["spec"]["selector"].items() <= template["metadata"]["labels"].items()
        ]
        assert chosen
        for port in service["spec"]["ports"]:
            for template in chosen:
                assert port["targetPort"] in {each["containerPort"] for each in containers(template)[0]["ports"]}


def test_checksums_of_keys_are_not_shown_as_they_are() -> None:
    text = json.dumps(manifests(an_instance()))
    assert not [checksum for checksum in checksums(an_instance()).values() if checksum in text]


def test_an_ordered_restart_shows_in_the_pods_of_its_component_alone() -> None:
    instance, moment = an_instance(), "2026-01-31T12:00:00.000000+00:00"
    before = {each.ref: each.manifest for each in render(inputs(instance))}
    for component in ("scheduler", "worker", "database", "broker"):
        after = render(replace(inputs(instance), restarts={component: moment}))
        changed = [each for each in after if each.manifest != before[each.ref]]
        assert {each.manifest["metadata"]["labels"]["perigee.dev/component"] for each in changed} == {component}
        for rolled in changed:
            annotations = rolled.manifest["spec"]["template"]["metadata"]["annotations"]
            assert annotations["perigee.dev/restarted-at"] == moment


def test_a_migration_is_nothing_to_restart() -> None:
    instance = an_instance()
    restarted = replace(inputs(instance), restarts={"migration": "2026-01-31T12:00:00.000000+00:00"})
    assert render(restarted) == render(inputs(instance))
    assert digest(restarted) == digest(inputs(instance))
