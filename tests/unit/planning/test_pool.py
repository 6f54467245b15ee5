"""What is refused of an agent that was given a fixed pool of namespaces."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.model.errors import Refused
from agent.model.objects import Inventory
from agent.planning.observing import observed
from agent.planning.pool import judge, judge_holder, judge_namespace
from tests.support.builders import AN_ID, a_document, a_manifest

OTHER_ID = "5b1c1f5e-2f8e-4f0c-8a8e-0d5f2f1c9b22"
INSTANCE = a_document().instance
HOME = {**a_manifest("af-hello", kind="Namespace"), "metadata": {"name": "af-hello"}}
NEW = Inventory(AN_ID)


def test_a_namespace_outside_the_pool_is_refused_with_those_inside() -> None:
    with pytest.raises(Refused, match=r"^spec\.namespace: af-hello is none of .*: one, two$") as refused:
        judge(INSTANCE, {"two", "one"}, inventory=NEW)
    assert refused.value.reason == "NamespaceNotInPool"
    assert "cluster.namespaces" in refused.value.hint


def test_a_large_pool_is_not_listed_in_full() -> None:
    with pytest.raises(Refused, match=r"n4 …$"):
        judge(INSTANCE, {f"n{number}" for number in range(9)}, inventory=NEW)


def test_a_namespace_inside_is_not_refused() -> None:
    judge(INSTANCE, {"af-hello"}, inventory=NEW)


def test_a_tombstone_is_judged_by_where_the_instance_lives() -> None:
    tombstone = a_document(state="deleted").instance
    judge(tombstone, {"other"}, inventory=NEW)
    with pytest.raises(Refused, match="af-hello is none of"):
        judge(tombstone, {"other"}, inventory=replace(NEW, namespace="af-hello"))


@pytest.mark.parametrize("holder", ["", AN_ID])
def test_a_namespace_of_its_own_or_of_nobody_may_be_had(holder: str) -> None:
    judge_holder(INSTANCE, holder)


def test_a_namespace_of_another_instance_is_refused() -> None:
    with pytest.raises(Refused, match=f"belongs to instance {OTHER_ID}") as refused:
        judge_holder(INSTANCE, OTHER_ID)
    assert refused.value.reason == "NamespaceTaken"


def test_a_namespace_that_carries_no_label_is_handed_over_by_the_pool() -> None:
    judge_namespace(INSTANCE, observed(HOME))


def test_a_namespace_that_is_labelled_for_another_instance_is_refused() -> None:
    labelled = {"name": "af-hello", "labels": {"perigee.dev/instance": OTHER_ID}}
    with pytest.raises(Refused, match=f"belongs to instance {OTHER_ID}"):
        judge_namespace(INSTANCE, observed({**HOME, "metadata": labelled}))


def test_a_namespace_that_is_not_there_is_not_made() -> None:
    with pytest.raises(Refused, match="af-hello does not exist") as refused:
        judge_namespace(INSTANCE, None)
    assert refused.value.reason == "NamespaceMissing"


def test_a_namespace_that_ends_takes_nobody_in() -> None:
    with pytest.raises(Refused, match="af-hello is being deleted"):
        judge_namespace(INSTANCE, replace(observed(HOME), terminating=True))
