"""Which change follows from what is wanted, remembered and seen, and how it is told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.model.changes import Action
from agent.model.objects import Inventory, Manifest, Owned, Seen
from agent.planning.diff import diff, settled, superseded
from agent.planning.ownership import owned_as
from tests.support.builders import AN_ID, a_manifest, as_applied, rendered

WANTED = a_manifest(kind="Deployment", api_version="apps/v1", spec={"replicas": 2})


def inventory(*owned: Owned) -> Inventory:
    return Inventory(AN_ID, owned=owned)


def changed_by(seen: Seen, manager: str) -> Seen:
    """Somebody else took a field of ours over."""
    ours, *others = seen.manifest["metadata"]["managedFields"]
    theirs = {"manager": manager, "operation": "Update", "time": "2026-02-01T00:00:00Z", "fieldsV1": {"f:spec": {}}}
    fields = [{**ours, "fieldsV1": {}}, *others, theirs]
    return Seen({**seen.manifest, "metadata": {**seen.manifest["metadata"], "managedFields": fields}})


def the_change(owned: Owned | None, live: Seen | None, wanted: Manifest = WANTED) -> tuple[Action, str] | None:
    planned = diff(
        [rendered(wanted)],
        inventory=inventory(*([owned] if owned else [])),
        seen={live.ref: live} if live else {},
    )
    return (planned[0].change.action, planned[0].change.why) if planned else None


def test_what_is_as_applied_needs_nothing() -> None:
    live = as_applied(WANTED)
    assert the_change(owned_as(WANTED, live.manifest), live) is None


def test_what_is_missing_is_created() -> None:
    assert the_change(None, None) == (Action.CREATE, "it does not exist yet")


def test_what_was_announced_but_never_made_is_created() -> None:
    assert the_change(Owned(rendered(WANTED).ref), None) == (Action.CREATE, "it does not exist yet")


def test_what_somebody_deleted_is_repaired() -> None:
    live = as_applied(WANTED)
    assert the_change(owned_as(WANTED, live.manifest), None) == (Action.REPAIR, "it was deleted by somebody else")


def test_what_somebody_made_again_is_repaired() -> None:
    owned = owned_as(WANTED, as_applied(WANTED, uid="one").manifest)
    change = the_change(owned, as_applied(WANTED, uid="two"))
    assert change == (Action.REPAIR, "it was deleted and made again by somebody else")


def test_drift_names_the_manager_who_made_it() -> None:
    live = as_applied(WANTED)
    change = the_change(owned_as(WANTED, live.manifest), changed_by(live, "kubectl-edit"))
    assert change == (Action.REPAIR, "its fields were changed by kubectl-edit")


def test_a_new_wish_quotes_only_harmless_values() -> None:
    live = as_applied(WANTED)
    wish = a_manifest(kind="Deployment", api_version="apps/v1", spec={"replicas": 3, "token": "s3cret"})
    change = the_change(owned_as(WANTED, live.manifest), live, wish)
    assert change == (Action.UPDATE, "spec.replicas: 2 → 3, spec.token changed")


def test_what_is_being_deleted_is_left_until_it_is_gone() -> None:
    live = as_applied(WANTED)
    live.manifest["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert the_change(owned_as(WANTED, live.manifest), live) is None
    assert not settled(inventory(owned_as(WANTED, live.manifest)), {live.ref: live})


def test_an_object_of_ours_that_is_not_in_the_inventory_is_taken_in() -> None:
    change = the_change(None, as_applied(WANTED))
    assert change is not None
    assert change[0] is Action.UPDATE


@pytest.mark.parametrize("kind", ["Namespace", "PersistentVolumeClaim"])
def test_volumes_and_namespaces_are_never_superseded(kind: str) -> None:
    live = as_applied(a_manifest(kind=kind))
    assert superseded([], inventory=inventory(owned_as(live.manifest, live.manifest)), seen={live.ref: live}) == ()


def test_superseded_objects_are_only_those_that_we_applied_in_this_incarnation() -> None:
    ours, alien, remade = (as_applied(a_manifest(name), uid=name) for name in ("ours", "alien", "remade"))
    remembered = inventory(
        owned_as(ours.manifest, ours.manifest), replace(owned_as(remade.manifest, remade.manifest), uid="older")
    )
    seen = {one.ref: one for one in (ours, alien, remade)}
    assert superseded([], inventory=remembered, seen=seen) == (ours,)


def test_what_a_cut_short_apply_left_is_superseded_only_if_it_bears_our_fields() -> None:
    ours = as_applied(a_manifest("ours"))
    alien = Seen({**a_manifest("alien"), "metadata": {**a_manifest("alien")["metadata"], "managedFields": []}})
    remembered = inventory(Owned(ours.ref), Owned(alien.ref))
    assert superseded([], inventory=remembered, seen={one.ref: one for one in (ours, alien)}) == (ours,)
