"""What the guard refuses to work on: namespaces of others, and moves from one to another."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.model.errors import Refused
from agent.model.objects import Inventory, Owned
from agent.planning.guard import judge, judge_namespace
from agent.planning.observing import observed
from agent.planning.ownership import owned_as
from tests.support.builders import AN_ID, a_document, a_manifest, as_applied, as_live

OTHER_ID = "5b1c1f5e-2f8e-4f0c-8a8e-0d5f2f1c9b22"


def test_the_agents_own_namespace_is_refused() -> None:
    instance = a_document(namespace="perigee-system").instance
    with pytest.raises(Refused, match=r"^spec\.namespace: perigee-system is the agent's own") as refused:
        judge(instance, inventory=Inventory(AN_ID), agent_namespace="perigee-system")
    assert refused.value.reason == "NamespaceProtected"


def test_an_instance_does_not_move_to_another_namespace() -> None:
    with pytest.raises(Refused) as refused:
        judge(
            a_document(namespace="there").instance,
            inventory=Inventory(AN_ID, namespace="here"),
            agent_namespace="perigee-system",
        )
    assert refused.value.reason == "NamespaceImmutable"


@pytest.mark.parametrize(
    ("labels", "reason"),
    [({}, "NamespaceNotOurs"), ({"perigee.dev/instance": OTHER_ID}, "NamespaceTaken")],
)
def test_a_namespace_of_others_is_not_taken(labels: dict[str, str], reason: str) -> None:
    live = observed({**a_manifest("af-hello", kind="Namespace"), "metadata": {"name": "af-hello", "labels": labels}})
    with pytest.raises(Refused) as refused:
        judge_namespace(a_document().instance, live, inventory=Inventory(AN_ID))
    assert refused.value.reason == reason


HOME = a_manifest("af-hello", kind="Namespace")


def test_a_namespace_that_is_not_there_will_be_of_our_making() -> None:
    assert judge_namespace(a_document().instance, None, inventory=Inventory(AN_ID))


def test_a_namespace_that_was_handed_over_is_taken_and_not_of_our_making() -> None:
    assert not judge_namespace(a_document().instance, observed(HOME), inventory=Inventory(AN_ID))


def test_a_namespace_that_the_document_hands_over_is_taken_and_not_of_our_making() -> None:
    live = observed({**HOME, "metadata": {"name": "af-hello"}})
    handing = a_document(adopt=["Namespace/af-hello"]).instance
    assert not judge_namespace(handing, live, inventory=Inventory(AN_ID))


def test_a_namespace_of_our_making_stays_ours_when_somebody_takes_its_label_off() -> None:
    live = as_live(HOME)
    bare = replace(observed(live), labels={})
    known = Inventory(AN_ID, owned=(owned_as(live, live),), namespace_created=True)
    assert judge_namespace(a_document().instance, bare, inventory=known)


def test_a_namespace_whose_making_was_cut_short_is_known_by_our_fields() -> None:
    intended = Inventory(AN_ID, owned=(Owned(observed(HOME).ref),), namespace_created=True)
    assert judge_namespace(a_document().instance, as_applied(HOME), inventory=intended)


def test_a_namespace_that_somebody_made_in_place_of_ours_is_theirs() -> None:
    before = Inventory(AN_ID, owned=(Owned(observed(HOME).ref, uid="ours"),), namespace_created=True)
    assert not judge_namespace(a_document().instance, observed(HOME), inventory=before)
