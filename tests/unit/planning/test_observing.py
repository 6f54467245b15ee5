"""What is kept of a live object, of whole ones and of those that come as metadata alone."""

from __future__ import annotations

from typing import Any

import pytest

from agent.model.objects import Manifest, ObjectRef
from agent.model.observed import Claim, Detail, Home, Life, Work, Workload
from agent.planning.observing import observed
from tests.support.builders import AN_ID, a_manifest, as_live


def detail(kind: str, **fields: Any) -> Detail:
    return observed(a_manifest(kind=kind, **fields)).detail


def entry(manager: str, time: str = "", *, operation: str = "Update", **fields: Any) -> Manifest:
    return {"manager": manager, "operation": operation, "time": time, "fieldsV1": {"f:spec": {}}, **fields}


def managed(*entries: Manifest) -> Manifest:
    live = as_live(a_manifest())
    live["metadata"]["managedFields"] = list(entries)
    return live


def test_what_names_it_and_what_tells_its_incarnation() -> None:
    seen = observed(as_live(a_manifest("web", kind="Service"), uid="u-1", version=42))
    assert (seen.ref, seen.uid, seen.version) == (ObjectRef("v1", "Service", "af-hello", "web"), "u-1", 42)
    assert not seen.terminating


def test_metadata_alone_is_enough_for_who_owns_what() -> None:
    """A PartialObjectMetadata has neither spec nor status."""
    whole = as_live(a_manifest(kind="Service", spec={"ports": []}), uid="u")
    partial = {key: whole[key] for key in ("apiVersion", "kind", "metadata")}
    assert observed(partial) == observed(whole)


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "Job", "Pod", "Namespace", "PersistentVolumeClaim"])
@pytest.mark.parametrize("fields", [{}, {"status": None, "spec": None}, {"status": {}, "spec": {}}])
def test_a_status_that_nobody_wrote_yet_tells_nothing(kind: str, fields: dict[str, Any]) -> None:
    untold = {
        "Deployment": Workload(wanted=1, current=False),
        "StatefulSet": Workload(wanted=1, current=False),
        "Job": Work(),
        "Pod": Life(),
        "Namespace": Home(),
        "PersistentVolumeClaim": Claim(),
    }
    assert detail(kind, **fields) == untold[kind]


def test_only_labels_of_ours_are_kept() -> None:
    live = a_manifest()
    live["metadata"]["labels"] |= {"app.kubernetes.io/name": "airflow", "perigee.dev/queue": "q"}
    assert observed(live).labels == {"perigee.dev/instance": AN_ID, "perigee.dev/queue": "q"}


@pytest.mark.parametrize("labels", [None, {}, {"a": "b"}])
def test_no_labels_are_no_trouble(labels: dict[str, str] | None) -> None:
    live = a_manifest()
    live["metadata"]["labels"] = labels
    assert observed(live).labels == {}


def test_what_is_on_its_way_out_is_known() -> None:
    live = a_manifest()
    live["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert observed(live).terminating


def test_the_latest_stranger_comes_first_and_status_writers_do_not_count() -> None:
    seen = observed(
        managed(
            entry("perigee", "2026-01-01T00:00:00Z", operation="Apply"),
            entry("early", "2026-01-02T00:00:00Z"),
            entry("late", "2026-01-04T00:00:00Z", operation="Apply"),
            entry("controller", "2026-01-05T00:00:00Z", subresource="status"),
            entry("hpa", "2026-01-03T00:00:00Z", subresource="scale"),
            entry("perigee-scale", "2026-01-06T00:00:00Z", subresource="scale"),
        )
    )
    assert seen.holders == ("late", "hpa/scale", "early")
    assert seen.applied_at == "2026-01-01T00:00:00Z"


@pytest.mark.parametrize(
    "other",
    [
        entry("perigee"),
        entry("perigee", operation="Apply", subresource="status"),
        entry("perigee-scale", operation="Apply"),
        entry("kubectl", operation="Apply"),
    ],
    ids=["update", "status", "scale", "stranger"],
)
def test_only_our_apply_is_ownership(other: Manifest) -> None:
    assert observed(managed(other)).ownership == ""
    ours = entry("perigee", operation="Apply")
    assert observed(managed(other, ours)).ownership == observed(managed(ours)).ownership != ""


def test_nobody_judges_who_owns_a_pod() -> None:
    seen = observed(as_live(a_manifest(kind="Pod")))
    assert (seen.ownership, seen.applied_at, seen.holders) == ("", "", ())


@pytest.mark.parametrize(
    ("generation", "spec", "status", "expected"),
    [
        (1, {"replicas": 2}, {}, Workload(2, current=False)),
        (2, {"replicas": 2}, {"observedGeneration": 1, "readyReplicas": 2}, Workload(2, current=False, ready=2)),
        (
            2,
            {"replicas": 2},
            {"observedGeneration": 2, "replicas": 3, "readyReplicas": 2, "updatedReplicas": 1},
            Workload(2, current=True, total=3, ready=2, updated=1),
        ),
        # Born without pods: there is nothing that its controller could still have to do.
        (1, {"replicas": 0}, {}, Workload(0, current=True)),
        (2, {"replicas": 0}, {}, Workload(0, current=False)),
        (1, {}, {"observedGeneration": 1}, Workload(1, current=True)),
    ],
)
@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_a_workload_in_numbers(
    kind: str, generation: int, spec: dict[str, Any], status: dict[str, Any], expected: Workload
) -> None:
    live = a_manifest(kind=kind, spec=spec, status=status)
    live["metadata"]["generation"] = generation
    assert observed(live).detail == expected


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        (None, Work()),
        ([{"type": "Complete", "status": "True"}], Work(complete=True)),
        ([{"type": "Complete", "status": "False"}], Work()),
        ([{"type": "Failed", "status": "True", "reason": "R", "message": "m"}], Work(failed="m")),
        ([{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}], Work(failed="BackoffLimitExceeded")),
        ([{"type": "Failed", "status": "True"}], Work(failed="it failed")),
        ([{"type": "FailureTarget", "status": "True", "message": "m"}], Work()),
    ],
)
def test_how_a_job_ended(conditions: list[dict[str, str]] | None, expected: Work) -> None:
    assert detail("Job", status={"conditions": conditions}) == expected


def waiting(name: str, reason: str) -> Manifest:
    return {"name": name, "state": {"waiting": {"reason": reason}}}


UNSCHEDULABLE = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}


@pytest.mark.parametrize(
    ("status", "trouble"),
    [
        ({"containerStatuses": [{"name": "a", "state": {"running": {}}}]}, ""),
        ({"containerStatuses": [waiting("a", "ContainerCreating")]}, ""),
        ({"containerStatuses": [waiting("a", "PodInitializing")]}, ""),
        ({"containerStatuses": [waiting("a", "CrashLoopBackOff")]}, "web/a: CrashLoopBackOff"),
        (
            {
                "initContainerStatuses": [waiting("init", "ErrImagePull")],
                "containerStatuses": [waiting("a", "PodInitializing")],
            },
            "web/init: ErrImagePull",
        ),
        ({"conditions": [UNSCHEDULABLE]}, "web: Unschedulable 0/3 nodes"),
        ({"conditions": [{**UNSCHEDULABLE, "status": "True"}]}, ""),
        ({"conditions": [{"type": "PodScheduled", "status": "False"}]}, "web:"),
        ({"containerStatuses": [{"name": "a", "state": None}], "conditions": None}, ""),
    ],
)
def test_what_troubles_a_pod(status: dict[str, Any], trouble: str) -> None:
    assert detail("Pod", status=status) == Life(trouble)


def test_what_keeps_a_namespace_from_ending() -> None:
    conditions = [
        {"type": "NamespaceDeletionContentFailure", "status": "False", "message": "fine"},
        {"type": "NamespaceFinalizersRemaining", "status": "True", "message": "example.com/f in 1 resource instances"},
        {"type": "NamespaceContentRemaining", "status": "True"},
    ]
    assert detail("Namespace", status={"conditions": conditions}) == Home(
        (
            "NamespaceFinalizersRemaining: example.com/f in 1 resource instances",
            "NamespaceContentRemaining: ",
        )
    )


def test_the_size_that_a_claim_asks_for() -> None:
    assert detail("PersistentVolumeClaim", spec={"resources": {"requests": {"storage": "5Gi"}}}) == Claim("5Gi")


def test_what_is_no_object_is_told() -> None:
    with pytest.raises(KeyError):
        observed({"kind": "Status", "apiVersion": "v1", "metadata": {}})
