"""From a document to the blueprint of its manifests: what has no effect is left out, what is silent is filled in.

Here: every decision of what a field of the document comes to. What two documents have in common after this, they have
in common in every manifest: that is what makes a digest of blueprints a safe reason not to render.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from agent.model.instance import Component, EmbeddedService, Instance, Scaling, State, WorkerQueue
from agent.rendering import broker, config, database, labels, quantities, secrets, versions
from agent.rendering.blueprint import AgentAccount, Blueprint, Copies, Queue, Software, Workload
from agent.rendering.credentials import Key
from agent.rendering.names import Role
from agent.rendering.services import Served


@dataclass(frozen=True, slots=True)
class RenderInputs:
    """Everything that manifests depend on. ``key_checksums`` are by the name of the key, never its value;
    ``secret_checksums`` by the path of the field that names the value.

    ``account``: whom the instance's namespace is opened to; None where the agent has its rights from elsewhere.
    ``restarts``: the moments of the last ordered restarts, by component.
    ``given``: the namespace was made by somebody else, who keeps it.
    """

    instance: Instance
    key_checksums: Mapping[str, str]
    account: AgentAccount | None = None
    secret_checksums: Mapping[str, str] = field(default_factory=dict)
    restarts: Mapping[str, str] = field(default_factory=dict)
    given: bool = False


def blueprint(inputs: RenderInputs) -> Blueprint | None:
    """What the manifests are made of; None for a deleted instance, which has none.

    Raises Refused for what a document may say but no Airflow could run with, such as an unsupported version.
    """
    instance = inputs.instance
    if instance.state is State.DELETED:
        return None
    airflow = _software(instance)
    used = (key.value.name for key in Key if key is not Key.ADMIN or (airflow.accounts and _awake(instance)))
    return Blueprint(
        id=instance.id,
        name=instance.name,
        namespace=instance.namespace,
        labels=labels.of_document(instance.labels),
        environment=instance.environment,
        team=instance.team,
        awake=_awake(instance),
        quota=instance.isolation.quota,
        network_policies=instance.isolation.network_policies,
        airflow=airflow,
        components={role: _workload(instance, role, declared) for role, declared in _declared(instance).items()},
        queues=tuple(_queue(instance, queue) for queue in instance.workers),
        database=_service(instance.database, database.SERVED),
        broker=_service(instance.broker, broker.SERVED),
        keys={name: inputs.key_checksums.get(name, "") for name in used},
        secrets=secrets.checksums(instance, keys=inputs.key_checksums, resolved=inputs.secret_checksums),
        account=inputs.account,
        restarts={role: inputs.restarts[role] for role in _restartable(instance) if role in inputs.restarts},
        given=inputs.given,
    )


def demanded(instance: Instance) -> tuple[Key, ...]:
    """The keys that the instance's pods refer to, awake or asleep; none for a deleted one."""
    if instance.state is State.DELETED:
        return ()
    return tuple(key for key in Key if key is not Key.ADMIN or _software(instance).accounts)


def _awake(instance: Instance) -> bool:
    return instance.state is State.RUNNING


def _software(instance: Instance) -> Software:
    airflow = instance.airflow
    settings, env = config.settings(instance), config.own_variables(instance)
    return Software(
        version=airflow.version,
        image=airflow.image,
        pull_policy=airflow.pull_policy,
        pull_secrets=airflow.pull_secrets,
        settings=settings,
        env=env,
        secret_env=secrets.variables(instance),
        accounts=config.has_accounts(settings, env),
    )


def _declared(instance: Instance) -> Mapping[Role, Component]:
    return {
        Role.API_SERVER: instance.api_server,
        Role.SCHEDULER: instance.scheduler,
        Role.DAG_PROCESSOR: instance.dag_processor,
        Role.TRIGGERER: instance.triggerer,
    }


def _restartable(instance: Instance) -> tuple[Role, ...]:
    """What runs for good, and so can be started anew: all but the migration."""
    workers = (Role.WORKER,) if instance.workers else ()
    return (*_declared(instance), *workers, Role.DATABASE, Role.BROKER)


def _workload(instance: Instance, role: Role, declared: Component | WorkerQueue) -> Workload:
    facts = versions.release(instance.airflow.version).processes[role]
    return Workload(_copies(instance, declared), quantities.complete(declared.resources, memory=facts.memory))


def _copies(instance: Instance, declared: Component | WorkerQueue) -> Copies:
    now = declared.replicas if _awake(instance) else 0
    external = declared.scaling is Scaling.EXTERNAL
    return Copies(
        declared=None if external and _awake(instance) else now,
        start=now if external else None,
        counted=declared.replicas if instance.isolation.quota is None else 0,
        budgeted=declared.replicas > 1,
    )


def _queue(instance: Instance, queue: WorkerQueue) -> Queue:
    return Queue(queue.name, queue.concurrency, _workload(instance, Role.WORKER, queue))


def _service(service: EmbeddedService, served: Served) -> EmbeddedService:
    return replace(service, resources=quantities.complete(service.resources, memory=served.memory))
