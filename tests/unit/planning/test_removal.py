"""What a tombstone removes, in which order, and what outlives it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from agent.model.instance import Retain
from agent.model.objects import Inventory, Owned
from agent.model.observed import Home, Seen
from agent.planning.removal import Step, admitted, next_step, searchable, unseen
from tests.support.builders import AN_ID, a_manifest, as_applied

EVERYTHING = frozenset(Retain)


def labelled(seen: Seen, **labels: str) -> Seen:
    ours = {f"perigee.dev/{name}": value for name, value in labels.items()}
    return replace(seen, labels={**seen.labels, **ours})


NAMESPACE = as_applied(a_manifest("af-hello", kind="Namespace", namespace=""))
CONFIG = as_applied(a_manifest("config"))
DATABASE = labelled(as_applied(a_manifest("database", kind="StatefulSet", api_version="apps/v1")), component="database")
WEB = labelled(as_applied(a_manifest("web", kind="Deployment", api_version="apps/v1")), component="api-server")
WEB_POD = labelled(as_applied(a_manifest("web-1", kind="Pod")), component="api-server")
DATABASE_POD = labelled(as_applied(a_manifest("database-0", kind="Pod")), component="database")
DATABASE_CLAIM = labelled(as_applied(a_manifest("data-0", kind="PersistentVolumeClaim")), retain="database")
LOGS_CLAIM = labelled(as_applied(a_manifest("logs-0", kind="PersistentVolumeClaim")), retain="logs")
RIGHTS = as_applied(a_manifest("perigee-agent", kind="RoleBinding", api_version="rbac.authorization.k8s.io/v1"))
SECRET = Owned(replace(CONFIG.ref, kind="Secret", name="keys"))
UNMARKED_CLAIM = as_applied(a_manifest("alien-0", kind="PersistentVolumeClaim"))

INVENTORY = Inventory(
    AN_ID,
    namespace="af-hello",
    namespace_created=True,
    owned=tuple(Owned(one.ref, one.uid, "rendered", one.ownership) for one in (NAMESPACE, CONFIG, DATABASE, WEB)),
)


def step(there: Iterable[Seen], retain: frozenset[Retain] = frozenset(), inventory: Inventory = INVENTORY) -> list[str]:
    found = next_step(inventory, seen={one.ref: one for one in there}, retain=retain)
    return ["done"] if found.done else [one.ref.name for one in found.deletions] or [found.waits_for]


def test_airflow_goes_first_and_its_database_only_after_its_pods() -> None:
    assert step([NAMESPACE, CONFIG, DATABASE, WEB, WEB_POD, DATABASE_POD]) == ["web"]
    assert step([NAMESPACE, CONFIG, DATABASE, WEB_POD, DATABASE_POD]) == ["Airflow's pods to end"]
    assert step([NAMESPACE, CONFIG, DATABASE, DATABASE_POD]) == ["database", "config"]


def test_volumes_go_after_every_pod() -> None:
    assert step([NAMESPACE, DATABASE_POD, DATABASE_CLAIM]) == ["the database's and the broker's pods to end"]
    assert step([NAMESPACE, DATABASE_CLAIM, LOGS_CLAIM]) == ["data-0", "logs-0"]


def test_a_namespace_that_we_made_goes_last() -> None:
    assert step([NAMESPACE]) == ["af-hello"]


def test_a_namespace_that_we_did_not_make_stays() -> None:
    given = Inventory(AN_ID, owned=INVENTORY.owned, namespace_created=False)
    assert step([NAMESPACE], inventory=given) == ["done"]


def test_a_plain_tombstone_keeps_every_volume_and_the_namespace_around_them() -> None:
    assert step([NAMESPACE, DATABASE_CLAIM, LOGS_CLAIM], EVERYTHING) == ["done"]


def test_a_partial_tombstone_removes_what_it_does_not_name() -> None:
    retain = frozenset({Retain.DATABASE})
    assert step([NAMESPACE, DATABASE_CLAIM, LOGS_CLAIM], retain) == ["logs-0"]
    assert step([NAMESPACE, DATABASE_CLAIM], retain) == ["done"]


def test_a_volume_without_our_mark_counts_as_a_volume() -> None:
    assert step([NAMESPACE, UNMARKED_CLAIM], frozenset({Retain.VOLUMES})) == ["done"]


def test_nothing_is_deleted_twice() -> None:
    assert step([NAMESPACE, replace(WEB, terminating=True)]) == ["Airflow's processes to go"]


def test_what_keeps_a_namespace_from_ending_is_told() -> None:
    """kubernetes/kubernetes#60807: a namespace that is stuck says by what, and no finalizer is swept aside."""
    stuck = Home(("NamespaceFinalizersRemaining: example.com/guard in 1 resource instances",))
    waits = step([replace(NAMESPACE, terminating=True, detail=stuck)])
    assert waits == [
        "namespace af-hello to go (NamespaceFinalizersRemaining: example.com/guard in 1 resource instances)"
    ]


def test_a_tombstone_of_an_instance_that_was_never_here_is_done_at_once() -> None:
    assert step([], inventory=Inventory(AN_ID)) == ["done"]


def test_what_we_applied_goes_even_where_the_record_was_lost() -> None:
    lost = Inventory(AN_ID)
    assert step([NAMESPACE, CONFIG, WEB], inventory=lost) == ["web"]
    assert step([NAMESPACE, CONFIG], inventory=lost) == ["config"]
    assert step([NAMESPACE], inventory=lost) == ["done"]


def test_what_somebody_else_labelled_for_the_instance_stays() -> None:
    alien = replace(WEB, ownership="")
    assert step([NAMESPACE, alien], inventory=Inventory(AN_ID)) == ["done"]


def test_our_rights_in_a_namespace_outlive_everything_that_needs_them() -> None:
    assert step([NAMESPACE, RIGHTS, CONFIG, DATABASE_CLAIM]) == ["config"]
    assert step([NAMESPACE, RIGHTS, DATABASE_CLAIM]) == ["data-0"]
    assert step([NAMESPACE, RIGHTS]) == ["af-hello"]
    assert step([NAMESPACE, RIGHTS, DATABASE_CLAIM], EVERYTHING) == ["done"]


def test_our_rights_go_last_where_the_namespace_stays() -> None:
    given = replace(INVENTORY, namespace_created=False)
    assert step([NAMESPACE, RIGHTS, DATABASE_CLAIM], inventory=given) == ["data-0"]
    last = next_step(given, seen={one.ref: one for one in (NAMESPACE, RIGHTS)}, retain=frozenset())
    assert last == Step((RIGHTS,), done=True)
    theirs = replace(RIGHTS, ownership="")
    assert next_step(given, seen={one.ref: one for one in (NAMESPACE, theirs)}, retain=frozenset()) == Step(done=True)


def test_nobody_looks_for_hidden_objects_where_there_are_no_rights_to() -> None:
    hiding = replace(INVENTORY, owned=(*INVENTORY.owned, SECRET))
    assert searchable(hiding, {NAMESPACE.ref: NAMESPACE})
    assert not searchable(hiding, {})
    assert not searchable(hiding, {NAMESPACE.ref: replace(NAMESPACE, terminating=True)})
    watched = replace(INVENTORY, owned=(Owned(WEB.ref),))
    assert not searchable(watched, {NAMESPACE.ref: NAMESPACE})


def test_rights_count_where_we_bound_them() -> None:
    assert admitted({RIGHTS.ref: RIGHTS})
    assert not admitted({RIGHTS.ref: replace(RIGHTS, ownership="")})
    assert not admitted({NAMESPACE.ref: NAMESPACE})


def test_what_no_watch_covers_went_with_the_namespace() -> None:
    assert step([CONFIG]) == ["done"]


def test_what_may_hide_from_the_cache_is_looked_for_when_its_turn_has_come() -> None:
    """Somebody took the label off: first of what has pods, at the end of everything, never of what was not applied."""
    seen = {NAMESPACE.ref: NAMESPACE}
    lines = (*INVENTORY.owned, Owned(replace(WEB.ref, name="intended")))
    inventory = replace(INVENTORY, owned=lines)

    def hidden(step: Step) -> set[str]:
        return {owned.ref.name for owned in unseen(inventory, step, seen=seen)}

    assert hidden(Step(waits_for="Airflow's pods to end")) == {"web", "database"}
    assert hidden(Step(done=True)) == {"web", "database", "config"}
    assert hidden(Step((RIGHTS,), done=True)) == {"web", "database", "config"}
    assert hidden(Step((CONFIG,))) == set(), "there is something to do already"
    ending = {NAMESPACE.ref: replace(NAMESPACE, terminating=True)}
    assert unseen(inventory, Step(done=True), seen=ending) == (), "it goes with the namespace"
