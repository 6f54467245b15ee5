"""What each stage waits for, judged from objects as the server shows them."""

from __future__ import annotations

from typing import Any

import pytest

from agent.model.instance import State
from agent.model.objects import Manifest, Stage
from agent.model.observed import Seen
from agent.planning.observing import observed
from agent.planning.stages import Readiness, expected, gate, order, standing
from tests.support.builders import a_manifest, as_live, rendered

WEB = rendered(a_manifest(kind="Deployment", api_version="apps/v1", spec={"replicas": 2}), Stage.COMPONENTS)
JOB = rendered(a_manifest("migrate", kind="Job", api_version="batch/v1", spec={}), Stage.MIGRATION)


def with_status(live: Manifest, **status: Any) -> Seen:
    return observed({**live, "status": status})


def judged(live: Seen | None, stage: Stage = Stage.COMPONENTS) -> tuple[Readiness, str]:
    found = gate(stage, expected((WEB, JOB)), {live.ref: live} if live else {})
    return found.readiness, found.message


def test_a_stage_without_objects_is_ready() -> None:
    assert gate(Stage.DATA, expected((WEB,)), {}).readiness is Readiness.READY


def test_what_is_not_seen_yet_is_waited_for() -> None:
    assert judged(None) == (Readiness.WAITING, "Deployment af-hello/web is not there yet")


@pytest.mark.parametrize(
    ("status", "message"),
    [
        ({}, "Deployment af-hello/web: 0 of 2 pods are ready"),
        (
            {"observedGeneration": 1, "replicas": 2, "readyReplicas": 1, "updatedReplicas": 2},
            "Deployment af-hello/web: 1 of 2 pods are ready",
        ),
        (
            {"observedGeneration": 0, "replicas": 2, "readyReplicas": 2, "updatedReplicas": 2},
            "Deployment af-hello/web: 2 of 2 pods are ready",
        ),
        (
            {"observedGeneration": 1, "replicas": 3, "readyReplicas": 3, "updatedReplicas": 2},
            "Deployment af-hello/web: 1 of 3 pods have still to go",
        ),
    ],
)
def test_a_workload_is_waited_for_in_its_own_numbers(status: dict[str, int], message: str) -> None:
    assert judged(with_status(as_live(WEB.manifest), **status)) == (Readiness.WAITING, message)


def test_a_workload_is_ready_when_every_pod_is_current_and_ready() -> None:
    live = with_status(as_live(WEB.manifest), observedGeneration=1, replicas=2, readyReplicas=2, updatedReplicas=2)
    assert judged(live) == (Readiness.READY, "")


def test_a_workload_that_could_not_be_put_to_sleep_is_waited_for() -> None:
    asleep = rendered({**WEB.manifest, "spec": {"replicas": 0}}, Stage.COMPONENTS)
    live = with_status(as_live(WEB.manifest), observedGeneration=1, replicas=2, readyReplicas=2, updatedReplicas=2)
    found = gate(Stage.COMPONENTS, expected((asleep,)), {live.ref: live})
    assert (found.readiness, found.message) == (
        Readiness.WAITING,
        "Deployment af-hello/web: 2 of 2 pods have still to go",
    )


@pytest.mark.parametrize(
    ("conditions", "verdict"),
    [
        ([], (Readiness.WAITING, "Job af-hello/migrate is running")),
        ([{"type": "Complete", "status": "True"}], (Readiness.READY, "")),
        (
            [{"type": "Failed", "status": "True", "message": "Job has reached the specified backoff limit"}],
            (Readiness.FAILED, "Job af-hello/migrate failed: Job has reached the specified backoff limit"),
        ),
        ([{"type": "Failed", "status": "False"}], (Readiness.WAITING, "Job af-hello/migrate is running")),
    ],
)
def test_a_job_is_waited_for_until_it_completes_or_fails(
    conditions: list[dict[str, str]], verdict: tuple[Readiness, str]
) -> None:
    assert judged(with_status(as_live(JOB.manifest), conditions=conditions), Stage.MIGRATION) == verdict


def test_airflow_falls_asleep_before_its_database_and_wakes_after_it() -> None:
    asleep, awake = order(State.HIBERNATED), order(State.RUNNING)
    assert asleep.index(Stage.COMPONENTS) < asleep.index(Stage.DATA)
    assert awake.index(Stage.DATA) < awake.index(Stage.MIGRATION) < awake.index(Stage.COMPONENTS)


def test_what_nobody_works_on_is_judged_by_its_own_numbers() -> None:
    live = with_status(as_live(WEB.manifest), observedGeneration=1, replicas=2, readyReplicas=2, updatedReplicas=2)
    assert standing([live.ref], {live.ref: live}).readiness is Readiness.READY
    assert standing([live.ref, JOB.ref], {live.ref: live}).message == "Job af-hello/migrate is not there"
    assert standing([], {}).message == "nothing was made yet"
