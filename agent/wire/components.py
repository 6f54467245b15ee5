"""The parts of an instance that run: Airflow's processes, workers, the embedded database and broker; with defaults.

``scaling`` says to whom the number of replicas belongs: to the document, or to somebody outside (an autoscaler, a
person); then ``replicas`` is the number to start with. The embedded database and broker are one pod each and have
neither.

The default memory follows what Airflow 3.3 was measured to use, so that a minimal document runs on a laptop; CPU has
requests but no limits, because throttled processes miss their heartbeats.
"""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AfterValidator, Field, StrictInt, model_validator
from pydantic_core import PydanticCustomError

from agent.model.instance import Scaling
from agent.wire.arrays import AtMost
from agent.wire.frames import Frame
from agent.wire.scalars import DnsSubdomain, ImageReference, Quantity, QueueName, ResourceName, amount


def _above_zero(quantity: str) -> str:
    if not amount(quantity):
        raise PydanticCustomError("quantity", "must be above zero")
    return quantity


Storage = Annotated[Quantity, AfterValidator(_above_zero)]
UserId = Annotated[StrictInt, Field(ge=1, le=2**31 - 1)]
Replicas = Annotated[StrictInt, Field(ge=0, le=500)]
AtLeastOne = Annotated[StrictInt, Field(ge=1, le=50)]


class ResourcesV1(Frame):
    """Requests and limits of one container. Where a document gives any, they replace the defaults as a whole."""

    requests: dict[ResourceName, Quantity] = Field(default={}, max_length=16)
    limits: dict[ResourceName, Quantity] = Field(default={}, max_length=16)

    @model_validator(mode="after")
    def _requests_within_limits(self) -> Self:
        for name, wanted in self.requests.items():
            most = self.limits.get(name)
            if most is not None and amount(wanted) > amount(most):
                text = f"the request of {name} ({wanted}) is above its limit ({most})"
                raise PydanticCustomError("resources", "{text}", {"text": text})
        return self


def _memory(request: str, limit: str, *, cpu: str) -> ResourcesV1:
    return ResourcesV1(requests={"cpu": cpu, "memory": request}, limits={"memory": limit})


class ApiServerV1(Frame):
    """The API server with the UI (309 MiB measured with one worker process)."""

    replicas: AtLeastOne = 1
    scaling: Scaling = Scaling.DOCUMENT
    resources: ResourcesV1 = _memory("512Mi", "1Gi", cpu="100m")


class SchedulerV1(Frame):
    """The scheduler (312 MiB measured with Celery)."""

    replicas: AtLeastOne = 1
    scaling: Scaling = Scaling.DOCUMENT
    resources: ResourcesV1 = _memory("384Mi", "1Gi", cpu="100m")


class DagProcessorV1(Frame):
    """The DAG processor (208 MiB measured, and more while it parses)."""

    replicas: AtLeastOne = 1
    scaling: Scaling = Scaling.DOCUMENT
    resources: ResourcesV1 = _memory("256Mi", "1Gi", cpu="100m")


class TriggererV1(Frame):
    """The triggerer (437 MiB measured); 0 replicas where no task is deferrable."""

    replicas: Replicas = 1
    scaling: Scaling = Scaling.DOCUMENT
    resources: ResourcesV1 = _memory("512Mi", "1Gi", cpu="50m")


class QueueV1(Frame):
    """Celery workers of one queue. ``concurrency``: tasks at once per worker (717 MiB with two, 160 MiB per task)."""

    name: QueueName
    replicas: Replicas = 1
    scaling: Scaling = Scaling.DOCUMENT
    concurrency: Annotated[StrictInt, Field(ge=1, le=256)] = 2
    resources: ResourcesV1 = _memory("1Gi", "2Gi", cpu="200m")


class WorkersV1(Frame):
    """The worker queues; without any said, one of the name ``default``."""

    queues: Annotated[tuple[QueueV1, ...], Field(min_length=1), AtMost(32)] = (QueueV1(name="default"),)

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [queue.name for queue in self.queues]
        if len(set(names)) != len(names):
            raise PydanticCustomError("queues", "two queues have the same name")
        return self


class ComponentsV1(Frame):
    """Airflow's processes."""

    api_server: ApiServerV1 = ApiServerV1()
    scheduler: SchedulerV1 = SchedulerV1()
    dag_processor: DagProcessorV1 = DagProcessorV1()
    triggerer: TriggererV1 = TriggererV1()
    workers: WorkersV1 = WorkersV1()


class EmbeddedPostgresV1(Frame):
    """A PostgreSQL of the instance's own, one pod with one volume: for development. ``uid``: the image's user."""

    image: ImageReference = "postgres:16.10"
    uid: UserId = 999
    storage: Storage = "5Gi"
    storage_class: DnsSubdomain | None = None
    resources: ResourcesV1 = _memory("256Mi", "1Gi", cpu="100m")


class EmbeddedRedisV1(Frame):
    """A Redis of the instance's own, one pod with one volume. ``uid``: the image's user."""

    image: ImageReference = "redis:7.2.10"
    uid: UserId = 999
    storage: Storage = "1Gi"
    storage_class: DnsSubdomain | None = None
    resources: ResourcesV1 = _memory("64Mi", "256Mi", cpu="50m")


class DatabaseV1(Frame):
    """Where the metadata are. A document that names a kind of database unknown here is refused, not given another."""

    embedded: EmbeddedPostgresV1


class BrokerV1(Frame):
    """Where the queues are. A document that names a kind of broker unknown here is refused, not given another."""

    embedded: EmbeddedRedisV1
