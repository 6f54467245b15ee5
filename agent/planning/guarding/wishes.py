"""What a document may wish for: its namespace, its windows, and features that a customer may do without.

Here: what is judged by the document itself, beside the few features that show in objects only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Final

from agent.model.guard import Feature
from agent.model.instance import Component, Retain, Scaling, State, WorkerQueue
from agent.planning import windows
from agent.planning.guarding import objects
from agent.planning.guarding.walking import Case, Found

Look = Callable[[Case], Iterator[Found]]
_FORBIDDEN: Final = "is forbidden here"


def namespaces(case: Case) -> Iterator[Found]:
    """The namespace has a name that the customer set aside for instances."""
    patterns = case.guard.namespaces
    name = case.instance.namespace
    if patterns and case.instance.state is not State.DELETED and not any(fnmatchcase(name, one) for one in patterns):
        yield case.document("spec.namespace", f"must match one of {', '.join(patterns)}")


def maintenance(case: Case) -> Iterator[Found]:
    """Every window of the document lies within the customer's; without one of its own it could be disturbed always."""
    allowed = case.guard.windows
    if not allowed or case.instance.state is State.DELETED:
        return
    if not case.instance.maintenance:
        yield case.document("spec.maintenance.windows", "must have a window within those of the guard")
    for index, window in enumerate(case.instance.maintenance):
        outside = windows.outside(window, allowed)
        if outside:
            yield case.document(f"spec.maintenance.windows[{index}]", outside)


def _adopt(case: Case) -> Iterator[Found]:
    if case.instance.adopt:
        yield case.document("spec.adopt", _FORBIDDEN)


def _custom_quota(case: Case) -> Iterator[Found]:
    if case.instance.isolation.quota is not None:
        yield case.document("spec.isolation.quota", _FORBIDDEN)


def _open_network(case: Case) -> Iterator[Found]:
    if not case.instance.isolation.network_policies:
        yield case.document("spec.isolation.networkPolicies", f"false {_FORBIDDEN}")


def _drop_data(case: Case) -> Iterator[Found]:
    if case.instance.state is State.DELETED and case.instance.retain != frozenset(Retain):
        missing = ", ".join(sorted(frozenset(Retain) - case.instance.retain))
        yield case.document("spec.retain", f"a tombstone must retain {missing}")


def _env(case: Case) -> Iterator[Found]:
    if case.instance.airflow.env:
        yield case.document("spec.airflow.env", _FORBIDDEN)


def _config(case: Case) -> Iterator[Found]:
    if case.instance.airflow.config:
        yield case.document("spec.airflow.config", _FORBIDDEN)


def _pull_secrets(case: Case) -> Iterator[Found]:
    if case.instance.airflow.pull_secrets:
        yield case.document("spec.airflow.pullSecrets", _FORBIDDEN)


def _hibernation(case: Case) -> Iterator[Found]:
    if case.instance.state is State.HIBERNATED:
        yield case.document("spec.state", f"hibernated {_FORBIDDEN}")


def _external_scaling(case: Case) -> Iterator[Found]:
    one = case.instance
    scaled: dict[str, Component | WorkerQueue] = {
        "apiServer": one.api_server,
        "scheduler": one.scheduler,
        "dagProcessor": one.dag_processor,
        "triggerer": one.triggerer,
        **{f"workers.queues[{index}]": queue for index, queue in enumerate(one.workers)},
    }
    for name, component in scaled.items():
        if component.scaling is Scaling.EXTERNAL:
            yield case.document(f"spec.components.{name}.scaling", f"external {_FORBIDDEN}")


def _storage_class(case: Case) -> Iterator[Found]:
    for name, service in (("database", case.instance.database), ("broker", case.instance.broker)):
        if service.storage_class is not None:
            yield case.document(f"spec.{name}.embedded.storageClass", _FORBIDDEN)


FEATURES: Final[Mapping[Feature, Look]] = {
    Feature.ADOPT: _adopt,
    Feature.CLOUD_IDENTITY: objects.cloud_identities,
    Feature.CUSTOM_QUOTA: _custom_quota,
    Feature.DROP_DATA: _drop_data,
    Feature.ENV: _env,
    Feature.CONFIG: _config,
    Feature.EXTERNAL_SCALING: _external_scaling,
    Feature.HIBERNATION: _hibernation,
    Feature.OPEN_NETWORK: _open_network,
    Feature.PULL_SECRETS: _pull_secrets,
    Feature.STORAGE_CLASS: _storage_class,
}
"""How each feature is seen. A field that documents learn joins here, and in ``Feature``."""
