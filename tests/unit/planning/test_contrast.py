from __future__ import annotations

from typing import Any

import pytest

from agent.planning.contrast import FieldChange, Sign, birth, contrast

CANARY = "canary-4711"


def deployment(**spec: Any) -> dict[str, Any]:
    return {"kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}


def pods(*containers: dict[str, Any]) -> dict[str, Any]:
    return deployment(template={"spec": {"containers": list(containers)}})


def test_equal_states_have_no_contrast_whatever_the_server_keeps_beside_them() -> None:
    live = deployment(replicas=1)
    metadata = {**live["metadata"], "uid": "1", "resourceVersion": "7", "managedFields": [{}], "generation": 3}
    assert contrast(live, {**live, "apiVersion": "apps/v1", "metadata": metadata, "status": {"replicas": 1}}) == ()


def test_numbers_and_images_are_quoted_and_nothing_else_is() -> None:
    before = pods({"name": "a", "image": "x:1", "command": [CANARY], "env": [{"name": "TOKEN", "value": CANARY}]})
    after = pods({"name": "a", "image": "x:2", "command": ["other"], "env": [{"name": "TOKEN", "value": "other"}]})
    place = "spec.template.spec.containers[a]"
    assert contrast(before, after) == (
        FieldChange(f"{place}.image", Sign.CHANGED, "x:1", "x:2"),
        FieldChange(f"{place}.command[0]", Sign.CHANGED),
        FieldChange(f"{place}.env[TOKEN].value", Sign.CHANGED),
    )


@pytest.mark.parametrize("free", ["annotations", "labels"])
def test_a_name_that_people_choose_makes_no_value_harmless(free: str) -> None:
    before = deployment(template={"metadata": {free: {"image": CANARY}}})
    after = deployment(template={"metadata": {free: {"image": "other", "replicas": CANARY}}})
    assert CANARY not in repr(contrast(before, after))
    data = [{"kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"image": value}} for value in (CANARY, "other")]
    assert contrast(*data) == (FieldChange("data.image", Sign.CHANGED),)


def test_what_comes_and_goes_is_told_once_with_what_may_be_quoted_of_it() -> None:
    alone, both = pods({"name": "a"}), pods({"name": "a"}, {"name": "b", "image": "y:1", "args": [CANARY]})
    place = "spec.template.spec.containers[b]"
    assert contrast(alone, both) == (
        FieldChange(place, Sign.ADDED),
        FieldChange(f"{place}.image", Sign.ADDED, None, "y:1"),
    )
    assert contrast(both, alone) == (
        FieldChange(place, Sign.REMOVED),
        FieldChange(f"{place}.image", Sign.REMOVED, "y:1", None),
    )
    assert contrast(deployment(), deployment(replicas=2)) == (FieldChange("spec.replicas", Sign.ADDED, None, "2"),)


def test_what_a_partial_state_does_not_name_stays() -> None:
    live = deployment(replicas=2, paused=True, template={"spec": {"containers": [{"name": "a"}, {"name": "theirs"}]}})
    wanted = deployment(replicas=1, template={"spec": {"containers": [{"name": "a"}]}})
    assert contrast(live, wanted, partial=True) == (FieldChange("spec.replicas", Sign.CHANGED, "2", "1"),)


def test_lists_whose_items_have_no_names_are_compared_by_place_or_as_a_whole() -> None:
    assert contrast(deployment(args=["a", "b"]), deployment(args=["a", "c"])) == (
        FieldChange("spec.args[1]", Sign.CHANGED),
    )
    assert contrast(deployment(args=["a"]), deployment(args=["a", "c"])) == (FieldChange("spec.args", Sign.CHANGED),)


def test_a_claims_template_is_named_by_its_metadata() -> None:
    sizes = [
        deployment(volumeClaimTemplates=[{"metadata": {"name": "data"}, "spec": {"storage": size}}])
        for size in ("1Gi", "2Gi")
    ]
    assert contrast(*sizes) == (
        FieldChange("spec.volumeClaimTemplates[data].spec.storage", Sign.CHANGED, "1Gi", "2Gi"),
    )


def test_of_what_is_not_there_yet_only_the_quoted_is_told() -> None:
    wanted = deployment(
        replicas=2, template={"spec": {"containers": [{"name": "a", "image": "x:1", "args": [CANARY]}]}}
    )
    assert birth(wanted) == (
        FieldChange("spec.replicas", Sign.ADDED, None, "2"),
        FieldChange("spec.template.spec.containers[a].image", Sign.ADDED, None, "x:1"),
    )
