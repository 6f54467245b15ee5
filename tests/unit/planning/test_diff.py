"""Which change follows from what is wanted, remembered and seen, and how it is told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.model.changes import Action
from agent.model.objects import Ceded, Inventory, Manifest, Owned
from agent.model.observed import Seen
from agent.planning.diff import diff, explained, renewed, settled, superseded
from agent.planning.observing import observed
from agent.planning.ownership import owned_as
from tests.support.builders import AN_ID, a_manifest, as_applied, as_live, rendered

WANTED = a_manifest(kind="Deployment", api_version="apps/v1", spec={"replicas": 2})


def inventory(*owned: Owned) -> Inventory:
    return Inventory(AN_ID, owned=owned)


def changed_by(live: Manifest, manager: str) -> Seen:
    """Somebody else took a field of ours over."""
    ours, *others = live["metadata"]["managedFields"]
    theirs = {"manager": manager, "operation": "Update", "time": "2026-02-01T00:00:00Z", "fieldsV1": {"f:spec": {}}}
    fields = [{**ours, "fieldsV1": {}}, *others, theirs]
    return observed({**live, "metadata": {**live["metadata"], "managedFields": fields}})


def the_change(owned: Owned | None, live: Seen | None, wanted: Manifest = WANTED) -> tuple[Action, str] | None:
    planned = diff(
        [rendered(wanted)],
        remembered={owned.ref: owned} if owned else {},
        seen={live.ref: live} if live else {},
    )
    return (planned[0].change.action, planned[0].change.why) if planned else None


LIVE = as_live(WANTED, uid="one")
OWNED = owned_as(WANTED, LIVE)


def test_what_is_as_applied_needs_nothing() -> None:
    assert the_change(OWNED, observed(LIVE)) is None


def test_what_is_missing_is_created() -> None:
    assert the_change(None, None) == (Action.CREATE, "it does not exist yet")


def test_what_was_announced_but_never_made_is_created() -> None:
    assert the_change(Owned(rendered(WANTED).ref), None) == (Action.CREATE, "it does not exist yet")


def test_what_somebody_deleted_is_repaired() -> None:
    assert the_change(OWNED, None) == (Action.REPAIR, "it was deleted by somebody else")


def test_what_somebody_made_again_is_repaired() -> None:
    change = the_change(OWNED, as_applied(WANTED, uid="two"))
    assert change == (Action.REPAIR, "it was deleted and made again by somebody else")


def test_drift_names_the_manager_who_made_it() -> None:
    change = the_change(OWNED, changed_by(LIVE, "kubectl-edit"))
    assert change == (Action.REPAIR, "its fields were changed by kubectl-edit")


def test_a_new_wish_is_told_field_by_field_and_quotes_only_harmless_values() -> None:
    wish = a_manifest(kind="Deployment", api_version="apps/v1", spec={"replicas": 3, "token": "s3cret"})
    planned = diff([rendered(wish)], remembered={OWNED.ref: OWNED}, seen={OWNED.ref: observed(LIVE)})
    told = explained(planned[0].change, wish, LIVE)
    assert (told.action, told.why) == (Action.UPDATE, "spec.replicas: 2 → 3, spec.token changed")


def test_a_repair_tells_who_and_what() -> None:
    live = {**LIVE, "spec": {"replicas": 5}}
    planned = diff([rendered(WANTED)], remembered={OWNED.ref: OWNED}, seen={OWNED.ref: changed_by(LIVE, "kubectl")})
    assert explained(planned[0].change, WANTED, live).why == "its fields were changed by kubectl: spec.replicas: 5 → 2"


def test_what_is_being_deleted_is_left_until_it_is_gone() -> None:
    ending = {**LIVE, "metadata": {**LIVE["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}}
    live = observed(ending)
    assert the_change(OWNED, live) is None
    assert not settled(inventory(OWNED), {live.ref: live}, surveyed=True)


def test_an_object_of_ours_that_is_not_in_the_inventory_is_taken_in() -> None:
    change = the_change(None, as_applied(WANTED))
    assert change is not None
    assert change[0] is Action.UPDATE


def test_fields_that_somebody_kept_are_asked_for_again_once_he_gives_them_up() -> None:
    ceded = (Ceded("kubectl/scale", ("f:spec", "f:replicas")),)
    held = observed(LIVE)
    kept = replace(OWNED, ceded=ceded)
    assert the_change(kept, replace(held, holders=("kubectl/scale",))) is None
    assert the_change(kept, held) == (Action.UPDATE, "who held fields of it has given them up")


@pytest.mark.parametrize(("surveyed", "expected"), [(False, True), (True, False)])
def test_what_no_watch_covers_counts_as_missing_only_after_a_survey(surveyed: bool, expected: bool) -> None:
    secret = a_manifest(kind="Secret")
    remembered = inventory(owned_as(secret, as_live(secret)))
    assert settled(remembered, {}, surveyed=surveyed) is expected


def test_what_another_renderer_made_is_known_by_its_form() -> None:
    other = a_manifest(kind="Deployment", api_version="apps/v1", spec={"replicas": 3})
    assert renewed([rendered(other)], inventory(OWNED)) == {OWNED.ref}
    assert renewed([rendered(WANTED)], inventory(OWNED)) == frozenset()
    assert renewed([rendered(other)], inventory()) == frozenset()


@pytest.mark.parametrize("kind", ["Namespace", "PersistentVolumeClaim"])
def test_volumes_and_namespaces_are_never_superseded(kind: str) -> None:
    live = as_live(a_manifest(kind=kind))
    assert superseded([], owned=[owned_as(live, live)], seen={observed(live).ref: observed(live)}) == ()


def test_superseded_objects_are_only_those_that_we_applied_in_this_incarnation() -> None:
    ours, alien, remade = (as_live(a_manifest(name), uid=name) for name in ("ours", "alien", "remade"))
    remembered = [owned_as(ours, ours), replace(owned_as(remade, remade), uid="older")]
    seen = {one.ref: one for one in map(observed, (ours, alien, remade))}
    assert superseded([], owned=remembered, seen=seen) == (observed(ours),)


def test_what_a_cut_short_apply_left_is_superseded_only_if_it_bears_our_fields() -> None:
    ours, alien = as_applied(a_manifest("ours")), observed(a_manifest("alien"))
    remembered = [Owned(ours.ref), Owned(alien.ref)]
    assert superseded([], owned=remembered, seen={one.ref: one for one in (ours, alien)}) == (ours,)
