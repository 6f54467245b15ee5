"""Instances for tests of the rendering: a whole one with every detail, and any that a document may describe."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from agent.model.instance import (
    ADOPTABLE,
    Adoptee,
    Airflow,
    Component,
    EmbeddedService,
    Environment,
    Generate,
    Instance,
    Isolation,
    Resources,
    Retain,
    Scaling,
    Sealed,
    SecretRef,
    State,
    Window,
    WorkerQueue,
)
from agent.model.objects import Manifest
from agent.rendering import RenderInputs, demanded_keys, render

ID = "7e0f3c1a-5a0e-4b6e-8f66-2d1f0c9b8a77"
RESOURCES = Resources({"cpu": "100m", "memory": "512Mi"}, {"memory": "1Gi"})
SERVICE = EmbeddedService("localhost/service:1", 999, "1Gi", None, RESOURCES)
AIRFLOW = Airflow("3.3.2", "localhost/airflow:3.3.2", "IfNotPresent", (), {}, {})
WORKERS = (WorkerQueue("default", 2, 4, RESOURCES), WorkerQueue("heavy", 1, 1, RESOURCES))
WINDOW = Window("0 2 * * 6", timedelta(hours=4), ZoneInfo("Europe/Berlin"))


def an_airflow(**changes: Any) -> Airflow:
    return replace(AIRFLOW, **changes)


def an_instance(**changes: Any) -> Instance:
    instance = Instance(
        id=ID,
        name="sales",
        labels={},
        state=State.RUNNING,
        retain=frozenset(Retain),
        paused=False,
        namespace="airflow-sales",
        environment=Environment.PROD,
        team="sales",
        isolation=Isolation(None, network_policies=True),
        airflow=AIRFLOW,
        api_server=Component(2, RESOURCES),
        scheduler=Component(1, RESOURCES),
        dag_processor=Component(1, RESOURCES),
        triggerer=Component(1, RESOURCES),
        workers=WORKERS,
        dags_path="/opt/airflow/dags",
        database=SERVICE,
        broker=SERVICE,
    )
    return replace(instance, **changes)


def checksums(instance: Instance, **changes: str) -> dict[str, str]:
    """A checksum for every key that the instance demands; keywords (with _ for -) replace some."""
    made = {demand.name: f"checksum-of-{demand.name}" for demand in demanded_keys(instance)}
    return made | {name.replace("_", "-"): text for name, text in changes.items()}


def inputs(instance: Instance, **key_changes: str) -> RenderInputs:
    return RenderInputs(instance, checksums(instance, **key_changes))


def manifests(instance: Instance, **key_changes: str) -> list[Manifest]:
    return [rendered.manifest for rendered in render(inputs(instance, **key_changes))]


def of_kind(objects: list[Manifest], *kinds: str) -> list[Manifest]:
    return [each for each in objects if each["kind"] in kinds]


def one(objects: list[Manifest], kind: str, name: str) -> Manifest:
    """The one object of that kind and name."""
    (found,) = (each for each in of_kind(objects, kind) if each["metadata"]["name"] == name)
    return found


def pod_templates(objects: list[Manifest]) -> dict[str, Manifest]:
    """The pod templates by the names of their workloads."""
    return {
        each["metadata"]["name"]: each["spec"]["template"]
        for each in of_kind(objects, "Deployment", "StatefulSet", "Job")
    }


def containers(template: Manifest) -> list[Manifest]:
    """All containers of a pod template, those that run first first."""
    return [*template["spec"].get("initContainers", []), *template["spec"]["containers"]]


labels = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,28}[a-z0-9])?", fullmatch=True)
texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=30)
memories = st.builds("{}{}".format, st.integers(1, 4096), st.sampled_from(["Mi", "Gi", "M", "G"]))
cpus = st.builds("{}{}".format, st.integers(1, 2000), st.sampled_from(["m", ""]))
resources = st.builds(
    Resources,
    st.fixed_dictionaries({}, optional={"cpu": cpus, "memory": memories, "ephemeral-storage": memories}),
    st.fixed_dictionaries({}, optional={"cpu": cpus, "memory": memories}),
)
scalings = st.sampled_from(Scaling)
components = st.builds(Component, st.integers(0, 5), resources, scalings)
services = st.builds(EmbeddedService, labels, st.integers(1, 2**31 - 1), memories, st.none() | labels, resources)
names = st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True).map("x_{}".format)
secret_values = st.one_of(
    st.builds(SecretRef, labels, labels, st.just("") | labels),
    st.builds(Sealed, texts),
    st.builds(Generate, st.sampled_from(["password", "token", "fernet"]), st.none()),
)
airflows = st.builds(
    Airflow,
    version=st.just("3.3.2"),
    image=labels,
    pull_policy=st.sampled_from(["Always", "IfNotPresent", "Never"]),
    pull_secrets=st.lists(labels, max_size=2, unique=True).map(tuple),
    config=st.dictionaries(names, st.dictionaries(names, texts, max_size=3), max_size=3),
    env=st.dictionaries(names, texts, max_size=4),
    secret_env=st.dictionaries(names.map("y_{}".format), secret_values, max_size=3),
)
label_keys = st.from_regex(r"([a-z]{1,10}\.(com|dev)/)?[a-z0-9]([-a-z0-9._]{0,20}[a-z0-9])?", fullmatch=True)
windows = st.builds(
    Window,
    schedule=st.sampled_from(["0 2 * * 6", "*/30 1-4 * * *"]),
    duration=st.timedeltas(timedelta(minutes=1), timedelta(days=7)),
    zone=st.sampled_from(["UTC", "Europe/Berlin"]).map(ZoneInfo),
)
instances = st.builds(
    Instance,
    id=st.uuids().map(str),
    name=labels,
    labels=st.dictionaries(label_keys, texts, max_size=3),
    state=st.sampled_from([State.RUNNING, State.HIBERNATED]),
    retain=st.frozensets(st.sampled_from(Retain)),
    paused=st.booleans(),
    namespace=labels,
    environment=st.sampled_from(Environment),
    team=texts,
    isolation=st.builds(
        Isolation,
        st.none() | st.dictionaries(st.sampled_from(["pods", "requests.cpu", "limits.memory"]), cpus),
        st.booleans(),
    ),
    airflow=airflows,
    api_server=components,
    scheduler=components,
    dag_processor=components,
    triggerer=components,
    workers=st.lists(
        st.builds(WorkerQueue, labels | texts.filter(bool), st.integers(0, 5), st.integers(1, 64), resources, scalings),
        max_size=4,
        unique_by=lambda queue: queue.name,
    ).map(tuple),
    dags_path=st.from_regex(r"(/[a-z0-9._-]{1,10}){1,4}", fullmatch=True),
    database=services,
    broker=services,
    maintenance=st.lists(windows, max_size=2).map(tuple),
    adopt=st.frozensets(st.builds(Adoptee, st.sampled_from(sorted(ADOPTABLE)), labels), max_size=3),
)
"""Any instance that a document may describe, and queue names beyond that."""
