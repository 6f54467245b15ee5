"""Properties of apply that hold for any objects and managers."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.cluster.merge import ApplyConflict, Object, apply, schema_for, unchanged, update
from tests.support.objects import but, members, owned

# Thirty examples of each property take half a second on an idle machine.
pytestmark = pytest.mark.timeout(30)

SCHEMA = schema_for("apps/v1", "Deployment")
MANAGERS = ("ann", "bob", "clara")
VALUES = st.sampled_from(["1", "2"])

small_maps = st.dictionaries(st.sampled_from("xyz"), VALUES, min_size=1, max_size=2)
variables = st.lists(
    st.fixed_dictionaries({"name": st.sampled_from("ABCD"), "value": VALUES}),
    min_size=1,
    max_size=3,
    unique_by=lambda item: item["name"],
)
ports = st.lists(
    st.fixed_dictionaries(
        {"containerPort": st.sampled_from([80, 8080])}, optional={"protocol": st.sampled_from(["TCP", "UDP"])}
    ),
    min_size=1,
    max_size=2,
    unique_by=lambda item: (item["containerPort"], item.get("protocol", "TCP")),
)
containers = st.lists(
    st.fixed_dictionaries(
        {"name": st.sampled_from("ab"), "image": VALUES},
        optional={"env": variables, "ports": ports, "args": st.lists(VALUES, min_size=1, max_size=2)},
    ),
    min_size=1,
    max_size=2,
    unique_by=lambda item: item["name"],
)


@st.composite
def deployments(draw: st.DrawFn) -> Object:
    metadata = {"name": "web"} | draw(
        st.fixed_dictionaries(
            {},
            optional={
                "labels": small_maps,
                "finalizers": st.lists(st.sampled_from("pq"), min_size=1, max_size=2, unique=True),
            },
        )
    )
    spec = draw(st.fixed_dictionaries({}, optional={"replicas": st.integers(0, 2), "paused": st.just(True)}))
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": draw(containers)}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec | {"template": template}}


applies = st.lists(st.tuples(st.sampled_from(MANAGERS), deployments()), min_size=1, max_size=4)


def forced(live: Object | None, applied: Object, manager: str, *, now: str = "2030-01-01T00:00:00Z") -> Object:
    return apply(live, applied, manager=manager, force=True, now=now, schema=SCHEMA)


def history(steps: list[tuple[str, Object]]) -> Object:
    live: Object | None = None
    for manager, applied in steps:
        live = forced(live, applied, manager)
    assert live is not None
    return live


@settings(max_examples=30, deadline=None)
@given(applies)
def test_an_apply_repeated_changes_nothing(steps: list[tuple[str, Object]]) -> None:
    """Unless it sends a zero that does not stay: that moves its time, and with it perhaps the order of entries."""
    live = history(steps)
    manager, applied = steps[-1]
    again = apply(live, applied, manager=manager, force=False, now="2031-01-01T00:00:00Z", schema=SCHEMA)
    assert unchanged(live, again)


@settings(max_examples=30, deadline=None)
@given(applies, deployments())
def test_what_a_manager_owns_after_its_apply_is_what_it_sent(steps: list[tuple[str, Object]], applied: Object) -> None:
    """Whatever went before: the entry is that of the same apply to nothing at all."""
    alone = forced(None, applied, "ann")
    after = forced(history(steps), applied, "ann")
    assert owned(after, "ann") == owned(alone, "ann")


@settings(max_examples=30, deadline=None)
@given(applies, deployments())
def test_force_leaves_one_owner_of_each_leaf_that_it_changes(steps: list[tuple[str, Object]], applied: Object) -> None:
    before = history(steps)
    try:
        apply(before, applied, manager="dora", force=False, now="2031-01-01T00:00:00Z", schema=SCHEMA)
    except ApplyConflict as refused:
        taken = {(conflict.field) for conflict in refused.conflicts}
        after = forced(before, applied, "dora")
        with pytest.raises(ApplyConflict) as again:
            apply(
                after,
                changed_everywhere(applied),
                manager="eve",
                force=False,
                now="2032-01-01T00:00:00Z",
                schema=SCHEMA,
            )
        holders = [conflict.manager for conflict in again.value.conflicts if conflict.field in taken]
        assert set(holders) <= {'"dora"'}


def changed_everywhere(applied: Object) -> Object:
    """The same object with other scalars in place of those that no list is keyed by."""

    def change(value: Any, name: str = "") -> Any:
        if isinstance(value, dict):
            return {key: change(item, key) for key, item in value.items()}
        if isinstance(value, list):
            return [change(item, name) for item in value]
        return f"{value}!" if name in {"image", "value", "x", "y", "z", "args"} else value

    return {**applied, "metadata": change(applied["metadata"]), "spec": change(applied["spec"])}


@settings(max_examples=30, deadline=None)
@given(applies, deployments())
def test_nothing_that_goes_in_is_touched_or_shared(steps: list[tuple[str, Object]], applied: Object) -> None:
    live = history(steps)
    untouched = copy.deepcopy((live, applied))
    results = [
        forced(live, applied, "ann"),
        update(live, but(applied, "metadata", "annotations", value={"a": "1"}), manager="pete", now="", schema=SCHEMA),
    ]
    for result in results:
        spoil(result)
    assert (live, applied) == untouched


def spoil(value: Any) -> None:
    for item in list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []:
        spoil(item)
    if isinstance(value, dict | list):
        value.clear()


@settings(max_examples=30, deadline=None)
@given(applies, deployments())
def test_everything_that_is_owned_is_there_and_was_sent_by_somebody(
    steps: list[tuple[str, Object]], applied: Object
) -> None:
    after = forced(history(steps), applied, "ann")
    sent = set().union(
        *(owned(forced(None, document, manager), manager) for manager, document in [*steps, ("ann", applied)])
    )
    held = {path for entry in after["metadata"]["managedFields"] for path in members(entry["fieldsV1"])}
    assert held <= sent


@settings(max_examples=30, deadline=None)
@given(deployments(), deployments())
def test_dropping_everything_leaves_what_the_others_sent(first: Object, second: Object) -> None:
    """One applies and then applies nothing more: the object is as if only the other had ever been there."""
    nothing = {name: first[name] for name in ("apiVersion", "kind")} | {"metadata": {"name": "web"}}
    both = forced(forced(None, first, "ann"), second, "bob")
    left = forced(both, nothing, "ann")
    alone = forced(None, second, "bob")
    assert owned(left, "bob") == owned(alone, "bob")
    assert sorted_lists(but(left, "metadata", "managedFields")) == sorted_lists(but(alone, "metadata", "managedFields"))


def sorted_lists(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: sorted_lists(item) for name, item in value.items()}
    return (
        sorted((sorted_lists(item) for item in value), key=lambda item: json.dumps(item, sort_keys=True))
        if isinstance(value, list)
        else value
    )
