"""Replicas that belong to somebody outside: left alone, put to sleep whoever scales them, woken with what they had."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.model.changes import Action
from agent.model.instance import State
from agent.model.objects import Ceded, ObjectRef, Owned, Stage
from agent.model.observed import Detail, Seen, Work, Workload
from agent.planning.scaling import REPLICAS, Scaling, awaited, due
from agent.planning.stages import Expected

REF = ObjectRef("apps/v1", "Deployment", "af-hello", "web")
OURS = Owned(REF, "uid")
CEDED = replace(OURS, ceded=(Ceded("hpa/scale", REPLICAS),))
IMAGE_CEDED = replace(OURS, ceded=(Ceded("kubectl", ("f:spec", "f:template")),))


def asked(
    state: State, owned: Owned, wanted: int, *, starts: dict[ObjectRef, int] | None = None
) -> tuple[Scaling, ...]:
    live = Seen(REF, "uid", 1, detail=Workload(wanted, current=True))
    return due(state, [owned], starts=starts or {}, seen={REF: live})


@pytest.mark.parametrize("owned", [OURS, CEDED])
@pytest.mark.parametrize("wanted", [0, 1, 7])
def test_awake_the_number_is_the_scaler_s_alone(owned: Owned, wanted: int) -> None:
    assert asked(State.RUNNING, owned, wanted, starts={REF: 2}) == ()


@pytest.mark.parametrize("owned", [OURS, CEDED])
def test_what_is_a_scaler_s_sleeps_and_its_number_is_kept(owned: Owned) -> None:
    (scaling,) = asked(State.HIBERNATED, owned, 3, starts={REF: 0})
    assert (scaling.replicas, scaling.parked) == (0, 3)
    assert (scaling.change.action, scaling.change.why) == (Action.SCALE, "it sleeps: 3 → 0, whoever scales it")


def test_what_a_scaler_took_sleeps_and_its_number_is_the_document_s_again() -> None:
    (scaling,) = asked(State.HIBERNATED, CEDED, 3)
    assert (scaling.replicas, scaling.parked) == (0, None)


def test_a_number_that_is_kept_is_not_replaced_by_one_from_its_sleep() -> None:
    (scaling,) = asked(State.HIBERNATED, replace(OURS, parked=4), 1, starts={REF: 0})
    assert (scaling.replicas, scaling.parked) == (0, 4)


@pytest.mark.parametrize("owned", [OURS, IMAGE_CEDED])
def test_what_the_document_scales_is_put_to_sleep_by_its_manifest(owned: Owned) -> None:
    assert asked(State.HIBERNATED, owned, 3) == ()


def test_what_sleeps_already_is_left_asleep() -> None:
    assert asked(State.HIBERNATED, replace(CEDED, parked=3), 0) == ()


def test_it_wakes_with_the_number_that_it_had() -> None:
    (scaling,) = asked(State.RUNNING, replace(CEDED, parked=3), 0)
    assert (scaling.replicas, scaling.parked, scaling.change.why) == (3, None, "it is awake again: 0 → 3")


def test_what_somebody_woke_before_keeps_the_new_number() -> None:
    (scaling,) = asked(State.RUNNING, replace(CEDED, parked=3), 5)
    assert (scaling.replicas, scaling.parked) == (5, None)


@pytest.mark.parametrize("detail", [None, Work()])
def test_what_has_no_replicas_is_not_scaled(detail: Detail) -> None:
    seen = {REF: Seen(REF, "uid", 1, detail=detail)}
    for state in (State.RUNNING, State.HIBERNATED):
        assert due(state, [replace(CEDED, parked=2)], starts={REF: 1}, seen=seen) == ()
        assert due(state, [replace(CEDED, parked=2)], starts={REF: 1}, seen={}) == ()


def test_what_others_scale_is_waited_for_in_their_numbers_while_it_is_awake() -> None:
    wanted = Expected(Stage.COMPONENTS, REF, replicas=1)
    for lines in ({REF: OURS}, {REF: IMAGE_CEDED}, {}):
        assert awaited(State.RUNNING, [wanted], lines) == (wanted,)
    assert awaited(State.RUNNING, [wanted], {REF: CEDED}) == (replace(wanted, replicas=None),)
    asleep = replace(wanted, replicas=0)
    assert awaited(State.HIBERNATED, [asleep], {REF: CEDED}) == (asleep,)
