"""Replicas that belong to somebody outside: not in the manifest, but told with the number to start with."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.model.instance import Component, Instance, Isolation, Scaling, State, WorkerQueue
from agent.model.objects import ObjectRef
from agent.rendering import scaled
from tests.support.instances import RESOURCES, an_instance, inputs, manifests, of_kind, one

SCHEDULER = ObjectRef("apps/v1", "Deployment", "airflow-sales", "airflow-scheduler")
TRIGGERER = ObjectRef("apps/v1", "StatefulSet", "airflow-sales", "airflow-triggerer")
WORKERS = ObjectRef("apps/v1", "StatefulSet", "airflow-sales", "airflow-worker-default")
HANDED_OVER = (SCHEDULER, TRIGGERER, WORKERS)


def an_outsiders(*, replicas: int = 3, scaling: Scaling = Scaling.EXTERNAL) -> Instance:
    """An instance with a scheduler, a triggerer and workers whose number somebody outside decides."""
    component = Component(replicas, RESOURCES, scaling)
    queue = WorkerQueue("default", replicas, 4, RESOURCES, scaling)
    return an_instance(scheduler=component, triggerer=component, workers=(queue,))


def replicas_of(instance: Instance, ref: ObjectRef) -> int | None:
    replicas: int | None = one(manifests(instance), ref.kind, ref.name)["spec"].get("replicas")
    return replicas


def test_the_number_is_not_sent_but_told_apart() -> None:
    assert dict(scaled(inputs(an_outsiders()))) == dict.fromkeys(HANDED_OVER, 3)
    assert [replicas_of(an_outsiders(), ref) for ref in HANDED_OVER] == [None] * 3


def test_by_default_the_document_decides_and_nothing_is_handed_over() -> None:
    assert scaled(inputs(an_instance())) == {}
    decided = an_outsiders(scaling=Scaling.DOCUMENT)
    assert [replicas_of(decided, ref) for ref in HANDED_OVER] == [3] * 3


def test_a_sleeping_instance_has_no_pods_whoever_decides_when_it_is_awake() -> None:
    asleep = replace(an_outsiders(), state=State.HIBERNATED)
    assert dict(scaled(inputs(asleep))) == dict.fromkeys(HANDED_OVER, 0)
    assert [replicas_of(asleep, ref) for ref in HANDED_OVER] == [0] * 3


def test_a_deleted_instance_hands_nothing_over() -> None:
    assert scaled(inputs(replace(an_outsiders(), state=State.DELETED))) == {}


@pytest.mark.parametrize("replicas", [0, 1, 4])
def test_all_else_counts_the_number_to_start_with(replicas: int) -> None:
    ours, theirs = (manifests(an_outsiders(replicas=replicas, scaling=scaling)) for scaling in Scaling)
    for kind in ("ResourceQuota", "PodDisruptionBudget"):
        assert of_kind(theirs, kind) == of_kind(ours, kind)


def test_only_the_number_is_left_out() -> None:
    ours, theirs = (manifests(an_outsiders(scaling=scaling)) for scaling in Scaling)
    for mine, other in zip(ours, theirs, strict=True):
        if ObjectRef.of(mine) in HANDED_OVER:
            del mine["spec"]["replicas"]
        assert mine == other


def test_a_quota_of_the_document_leaves_room_for_who_scales() -> None:
    roomy = replace(an_outsiders(), isolation=Isolation({"pods": "100"}, network_policies=True))
    (quota,) = of_kind(manifests(roomy), "ResourceQuota")
    assert quota["spec"]["hard"] == {"pods": "100"}
