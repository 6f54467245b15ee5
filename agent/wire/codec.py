"""Documents: wire values to the values of the model.

Here: that the bytes are those which the index names, and what each field of a document becomes. Not here: the shapes
themselves (document) and the index (index).
"""

from __future__ import annotations

from typing import Any

from agent.model.desired import Document, Entry
from agent.model.errors import Refused
from agent.model.instance import (
    Adoptee,
    Airflow,
    Component,
    EmbeddedService,
    Instance,
    Isolation,
    Resources,
    Window,
    WorkerQueue,
)
from agent.wire.airflow import DEFAULT_IMAGE, AirflowV1
from agent.wire.components import (
    ApiServerV1,
    DagProcessorV1,
    EmbeddedPostgresV1,
    EmbeddedRedisV1,
    QueueV1,
    ResourcesV1,
    SchedulerV1,
    TriggererV1,
)
from agent.wire.document import AirflowInstanceV1, receive_document
from agent.wire.limits import MAX_DOCUMENT_BYTES
from agent.wire.maintenance import WindowV1, length, zone
from agent.wire.refusals import Reason
from agent.wire.secrets import secret_value
from agent.wire.sharing import shared, shared_resources, shared_texts
from agent.wire.strict import digest, parse_object


def parse_document(entry: Entry, raw: bytes) -> Document:
    """The document of this entry of a verified index.

    Raises Refused: DigestMismatch (other bytes than the index names), MixedDocument (another instance's), and whatever
    ``read_document`` raises.
    """
    if len(raw) != entry.size:
        message = f"the document has {len(raw)} bytes, the index says {entry.size}"
        raise Refused(message, path="size", reason=Reason.DIGEST_MISMATCH)
    found = digest(raw)
    if found != entry.digest:
        message = f"the document has the SHA-256 {found}, the index says {entry.digest}"
        raise Refused(message, path="digest", reason=Reason.DIGEST_MISMATCH)
    instance, unknown = read_document(raw)
    if instance.id != entry.id:
        message = f"is {instance.id}, and the index lists these bytes for {entry.id}"
        raise Refused(message, path="metadata.id", reason=Reason.MIXED_DOCUMENT)
    return Document(entry=entry, instance=instance, unknown_fields=unknown)


def read_document(raw: bytes) -> tuple[Instance, tuple[str, ...]]:
    """The instance that a document describes, and the fields that this version does not know; no index is asked.

    Raises Refused: TooLarge, Malformed, UnknownMajor, UnsupportedVersion, ReservedSetting.
    """
    return instance_of(parse_object(raw, limit=MAX_DOCUMENT_BYTES, what="document"))


def instance_of(data: dict[str, Any]) -> tuple[Instance, tuple[str, ...]]:
    """Like ``read_document``, for a document that is plain data already, as from a YAML file."""
    document, unknown = receive_document(data)
    return _instance(document), unknown


def _instance(document: AirflowInstanceV1) -> Instance:
    spec, components = document.spec, document.spec.components
    return Instance(
        id=document.metadata.id,
        name=document.metadata.name,
        labels=shared_texts(document.metadata.labels),
        state=spec.state,
        retain=frozenset(spec.retain),
        paused=spec.paused,
        namespace=spec.namespace or "",
        environment=spec.environment,
        team=shared(spec.team),
        isolation=Isolation(spec.isolation.quota, spec.isolation.network_policies),
        airflow=_airflow(spec.airflow),
        api_server=_component(components.api_server),
        scheduler=_component(components.scheduler),
        dag_processor=_component(components.dag_processor),
        triggerer=_component(components.triggerer),
        workers=tuple(_queue(queue) for queue in components.workers.queues),
        dags_path=shared(spec.dags.path),
        database=_embedded(spec.database.embedded),
        broker=_embedded(spec.broker.embedded),
        adopt=frozenset(_adoptee(adoptee) for adoptee in spec.adopt),
        maintenance=tuple(_window(window) for window in spec.maintenance.windows),
    )


def _airflow(airflow: AirflowV1 | None) -> Airflow:
    if airflow is None:  # a tombstone: nothing of it is rendered any more
        return Airflow(version="", image="", pull_policy="IfNotPresent", pull_secrets=(), config={}, env={})
    return Airflow(
        version=shared(airflow.version),
        image=shared(airflow.image or DEFAULT_IMAGE.format(version=airflow.version)),
        pull_policy=airflow.pull_policy,
        pull_secrets=airflow.pull_secrets,
        config={shared(section): shared_texts(values) for section, values in airflow.config.items()},
        env=shared_texts(airflow.env),
        secret_env={name: secret_value(value) for name, value in airflow.secret_env.items()},
    )


def _adoptee(text: str) -> Adoptee:
    kind, _, name = text.partition("/")
    return Adoptee(kind, name)


def _window(window: WindowV1) -> Window:
    return Window(window.schedule, length(window.duration), zone(window.time_zone))


def _resources(resources: ResourcesV1) -> Resources:
    return shared_resources(resources.requests, resources.limits)


def _component(component: ApiServerV1 | SchedulerV1 | DagProcessorV1 | TriggererV1) -> Component:
    return Component(
        replicas=component.replicas,
        resources=_resources(component.resources),
        scaling=component.scaling,
    )


def _queue(queue: QueueV1) -> WorkerQueue:
    return WorkerQueue(
        name=shared(queue.name),
        replicas=queue.replicas,
        concurrency=queue.concurrency,
        resources=_resources(queue.resources),
        scaling=queue.scaling,
    )


def _embedded(service: EmbeddedPostgresV1 | EmbeddedRedisV1) -> EmbeddedService:
    return EmbeddedService(
        image=shared(service.image),
        uid=service.uid,
        storage=shared(service.storage),
        storage_class=service.storage_class,
        resources=_resources(service.resources),
    )
