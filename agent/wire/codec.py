"""Documents and reports: wire values to the values of the model and back.

Here: that the bytes are those which the index names, and what each field of a document becomes. Not here: the shapes
themselves (document, reports) and the index (index).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from agent.model.changes import Change
from agent.model.conditions import Condition
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
from agent.model.status import AgentStatus, InstanceStatus
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
from agent.wire.frames import expect_schema, receive
from agent.wire.limits import MAX_DOCUMENT_BYTES, MAX_INSTANCES, MAX_REPORT_BYTES
from agent.wire.maintenance import WindowV1, length, zone
from agent.wire.refusals import Reason
from agent.wire.reports import (
    LONGEST_TEXT,
    MOST_CHANGES,
    MOST_COMPONENTS,
    MOST_CONDITIONS,
    REPORT_SCHEMA,
    ReportV1,
)
from agent.wire.scalars import encode_moment
from agent.wire.sharing import shared, shared_resources, shared_texts
from agent.wire.strict import canonical, digest, parse_object


class _Detail(NamedTuple):
    """How much of each status is told: texts of this length at most, and so many changes."""

    text: int
    changes: int


_DETAILS: Final = (_Detail(LONGEST_TEXT, MOST_CHANGES), _Detail(500, 20), _Detail(120, 0))
"""Tried in this order until the report is small enough."""


def encode_report(*, agent: AgentStatus, instances: Sequence[InstanceStatus]) -> bytes:
    """The report as it goes over the wire, with as much detail as fits. Implements the port ``ReportCodec``.

    Raises Refused (TooLarge) if even the tersest form is too large: then report fewer instances at once.
    """
    if len(instances) > MAX_INSTANCES:
        raise _too_much(f"{len(instances)} instances are more than the {MAX_INSTANCES} allowed")
    for detail in _DETAILS:
        data = {
            "schema": REPORT_SCHEMA,
            "agent": _agent_report(agent, detail),
            "instances": tuple(_instance_report(one, detail) for one in instances),
        }
        raw = canonical(data)
        if len(raw) <= MAX_REPORT_BYTES:
            # Checked as a whole, and not value by value while it is built: a batch must not hold up the loops.
            ReportV1.model_validate(data, by_alias=True, by_name=False)
            return raw
    raise _too_much(f"{len(instances)} instances need {len(raw)} bytes, more than the {MAX_REPORT_BYTES} allowed")


def decode_report(raw: bytes) -> ReportV1:
    """The report that an agent sent; fields that a newer agent adds are ignored. Raises Refused."""
    data = parse_object(raw, limit=MAX_REPORT_BYTES, what="report")
    expect_schema(data, REPORT_SCHEMA)
    return receive(ReportV1, data, what="report")[0]


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


def _agent_report(agent: AgentStatus, detail: _Detail) -> dict[str, Any]:
    return {
        "version": agent.version,
        "cluster": agent.cluster,
        "standing": {"epoch": agent.standing.epoch, "version": agent.standing.version},
        "conditions": _conditions(agent.conditions, detail),
        "requests": dict(agent.requests),
        "observedAt": encode_moment(agent.observed_at),
    }


def _instance_report(status: InstanceStatus, detail: _Detail) -> dict[str, Any]:
    return {
        "id": status.id,
        "name": status.name,
        "namespace": status.namespace,
        "revision": status.revision,
        "state": status.state,
        "conditions": _conditions(status.conditions, detail),
        "components": tuple(
            {"name": one.name, "desired": one.desired, "ready": one.ready}
            for one in status.components[:MOST_COMPONENTS]
        ),
        "changes": tuple(_change(change, detail) for change in status.changes[: detail.changes]),
        "changesOmitted": max(0, len(status.changes) - detail.changes),
        "observedAt": encode_moment(status.observed_at),
    }


def _conditions(conditions: Iterable[Condition], detail: _Detail) -> tuple[dict[str, Any], ...]:
    return tuple(
        {
            "type": one.type,
            "status": one.status.value,
            "reason": one.reason,
            "message": _cut(one.message, detail.text),
            "since": encode_moment(one.since),
        }
        for one in tuple(conditions)[:MOST_CONDITIONS]
    )


def _change(change: Change, detail: _Detail) -> dict[str, Any]:
    ref = change.ref
    return {
        "object": {"apiVersion": ref.api_version, "kind": ref.kind, "namespace": ref.namespace, "name": ref.name},
        "action": change.action.value,
        "why": _cut(change.why, detail.text),
    }


def _too_much(message: str) -> Refused:
    return Refused(message, path="report", reason=Reason.TOO_LARGE, hint="report fewer instances at once")


def _cut(text: str, most: int) -> str:
    """Text that can be sent: of bounded length, and without the lone surrogates that undecodable bytes leave behind."""
    whole = text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
    return whole if len(whole) <= most else f"{whole[: most - 1]}…"
