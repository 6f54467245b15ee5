"""What is told about an instance: every condition always there, and each obstacle under the name that it deserves."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from agent.model.conditions import Condition, Truth
from agent.model.desired import Refusal
from agent.model.errors import ImmutableField, ObjectRefused, TooMuchToPrune, Unreachable
from agent.model.objects import Ceded, Inventory, ObjectRef, Owned, Stage
from agent.planning.health import View, failure, pod_troubles, refused_status, status
from agent.planning.stages import Gate, Readiness
from tests.support.builders import AN_ID, a_document, a_manifest, as_applied

NOW = datetime(2026, 1, 1, tzinfo=UTC)
REF = ObjectRef("apps/v1", "Deployment", "af-hello", "web")
REPLICAS = ("f:spec", "f:replicas")
EVERY = {
    "Ready",
    "Progressing",
    "Stalled",
    "Accepted",
    "Paused",
    "Unlisted",
    "UnknownFields",
    "FieldConflict",
    "Frozen",
    "SecretsResolved",
}
NOTHING = View(a_document(), Inventory(AN_ID), {})
LEFTOVER = TooMuchToPrune("the document no longer wants 30 objects", hint="raise reconcile.pruneLimit")


def view(*ceded: Ceded, spec: dict[str, Any] | None = None, **fields: Any) -> View:
    inventory = Inventory(AN_ID, owned=(Owned(REF, "uid", ceded=tuple(ceded)),))
    return View(a_document(**(spec or {})), inventory, fields.pop("seen", {}), **fields)


def told(of: View, name: str) -> Condition:
    return next(one for one in status(of, NOW).conditions if one.type == name)


def waiting(readiness: Readiness = Readiness.WAITING, stage: Stage = Stage.COMPONENTS) -> tuple[Stage, Gate]:
    return stage, Gate(readiness, REF, "0 of 2 pods are ready")


@pytest.mark.parametrize(
    "of",
    [NOTHING, view(gone=True), view(error=Unreachable("no")), view(pending=waiting()), view(spec={"paused": True})],
)
def test_every_condition_is_always_there(of: View) -> None:
    assert {one.type for one in status(of, NOW).conditions} == EVERY


def test_an_instance_that_is_well_says_so() -> None:
    assert (told(NOTHING, "Ready").status, told(NOTHING, "Ready").reason) == (Truth.TRUE, "AllComponentsReady")
    assert told(NOTHING, "Progressing").reason == "Settled"
    assert told(NOTHING, "Stalled").status == Truth.FALSE


def test_no_field_held_by_others_is_no_conflict() -> None:
    assert (told(NOTHING, "FieldConflict").status, told(NOTHING, "FieldConflict").reason) == (
        Truth.FALSE,
        "NoneHeldByOthers",
    )


def test_a_field_that_others_hold_is_told_with_its_holder_and_is_no_failure() -> None:
    of = view(Ceded("kubectl/scale", REPLICAS))
    found = told(of, "FieldConflict")
    assert (found.status, found.reason) == (Truth.TRUE, "HeldByOthers")
    assert "Deployment af-hello/web .spec.replicas is held by kubectl/scale" in found.message
    assert "until their holders give them up" in found.message
    assert failure(of) is None
    assert told(of, "Ready").status == Truth.TRUE


def test_of_many_fields_that_others_hold_some_are_named_and_all_are_counted() -> None:
    of = view(*(Ceded("helm", ("f:data", f"f:key-{number}")) for number in range(5)))
    message = told(of, "FieldConflict").message
    assert [f".data.key-{number}" in message for number in range(5)] == [True, True, True, False, False]
    assert "and 2 more" in message


def test_a_roll_that_is_put_off_is_told_and_disturbs_nothing() -> None:
    of = view(deferred="a newer agent changes its pods; its maintenance window opens at 2026-01-03 02:00 UTC")
    found = told(of, "Progressing")
    assert (found.status, found.reason) == (Truth.FALSE, "RollDeferred")
    assert "opens at 2026-01-03 02:00 UTC" in found.message
    assert told(of, "Ready").status == Truth.TRUE
    assert failure(of) is None


def test_what_is_under_way_is_told_before_what_is_put_off() -> None:
    assert told(view(deferred="later", pending=waiting()), "Progressing").reason == "RollingOut"


def test_leftovers_stall_an_instance_that_is_otherwise_well() -> None:
    of = view(leftover=LEFTOVER)
    assert failure(of) == ("TooMuchToPrune", LEFTOVER.explain())
    assert (told(of, "Stalled").status, told(of, "Stalled").reason) == (Truth.TRUE, "TooMuchToPrune")
    assert "raise reconcile.pruneLimit" in told(of, "Stalled").message
    assert told(of, "Ready").status == Truth.TRUE


def test_what_keeps_the_pass_from_its_end_is_told_before_leftovers() -> None:
    refused, unreachable = ObjectRefused("quota"), Unreachable("nobody answers")
    assert failure(view(leftover=LEFTOVER, blocked=(refused,))) == ("ObjectRefused", "quota")
    assert failure(view(leftover=LEFTOVER, blocked=(refused,), error=unreachable)) == (
        "Unreachable",
        "nobody answers",
    )


def test_several_obstacles_are_told_together() -> None:
    obstacles = (ImmutableField("volume data cannot shrink", hint="make a new instance"), ObjectRefused("quota"))
    found = told(view(blocked=obstacles), "Stalled")
    assert (found.reason, found.message) == (
        "ImmutableField",
        "volume data cannot shrink. make a new instance.; quota",
    )
    assert told(view(blocked=obstacles), "Ready").reason == "ImmutableField"


def test_a_migration_that_failed_stalls_and_one_that_runs_does_not() -> None:
    assert failure(view(pending=waiting(Readiness.FAILED, Stage.MIGRATION))) == (
        "MigrationFailed",
        "0 of 2 pods are ready",
    )
    assert failure(view(pending=waiting(stage=Stage.MIGRATION))) is None


def test_what_is_not_known_is_not_called_broken() -> None:
    assert told(view(error=Unreachable("nobody answers")), "Ready").status == Truth.UNKNOWN


def test_why_pods_do_not_run_stands_beside_what_is_waited_for() -> None:
    statuses = [{"name": "a", "state": {"waiting": {"reason": "ErrImagePull"}}}]
    pod = as_applied(a_manifest("web-0", kind="Pod", status={"containerStatuses": statuses}))
    of = view(pending=waiting(), seen={pod.ref: pod})
    assert pod_troubles(of.seen) == ("web-0/a: ErrImagePull",)
    assert told(of, "Ready").message == "0 of 2 pods are ready (web-0/a: ErrImagePull)"


def test_a_refusal_stands_beside_what_goes_on() -> None:
    refusal = Refusal(a_document(revision=7).entry, "UnknownMajor", "perigee.dev/v2 is not known")
    found = told(view(refusal=refusal), "Accepted")
    assert (found.status, found.reason) == (Truth.FALSE, "UnknownMajor")
    assert "revision 7 is refused, the one before stays" in found.message
    assert told(view(refusal=refusal), "Ready").status == Truth.TRUE


def test_an_instance_of_which_nothing_was_ever_accepted_is_told_too() -> None:
    refusal = Refusal(a_document(revision=1).entry, "Malformed", "spec is missing")
    found = refused_status(refusal, NOW)
    assert (found.state, {one.type: one.reason for one in found.conditions}) == (
        "refused",
        {"Ready": "Malformed", "Accepted": "Malformed"},
    )


@pytest.mark.parametrize(
    ("spec", "ready", "progressing"),
    [
        ({"state": "hibernated"}, "Hibernated", "Settled"),
        ({"paused": True}, "AllComponentsReady", "Paused"),
    ],
)
def test_what_the_document_says_is_no_failure(spec: dict[str, Any], ready: str, progressing: str) -> None:
    of = view(spec=spec)
    assert (told(of, "Ready").reason, told(of, "Progressing").reason) == (ready, progressing)
    assert failure(of) is None


def test_a_tombstone_tells_what_it_waits_for_and_when_it_is_done() -> None:
    grave = {"state": "deleted"}
    under_way = told(view(spec=grave, waits_for="volumes to go"), "Progressing")
    assert (under_way.status, under_way.reason, under_way.message) == (
        Truth.TRUE,
        "Deleting",
        "waiting for volumes to go",
    )
    done = view(spec=grave, gone=True)
    assert told(done, "Progressing").reason == "Deleted"
    assert status(done, NOW).state == "deleted"
