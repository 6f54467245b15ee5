"""How the guard compares: images part by part, windows over a year; and what its refusal tells."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from agent.model.guard import Ceilings, Feature, Guard, Images, Protection, Violation
from agent.model.instance import State, Window
from agent.planning.guarding import Case, Known, Violated, judge, protected
from agent.planning.guarding.images import segments
from agent.planning.windows import outside
from tests.support.builders import a_document
from tests.support.hostile_objects import INSTANCE, container

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        ("postgres", ("docker.io", "library", "postgres")),
        ("postgres:16.10", ("docker.io", "library", "postgres")),
        ("apache/airflow:3.3.2", ("docker.io", "apache", "airflow")),
        ("index.docker.io/apache/airflow", ("docker.io", "apache", "airflow")),
        ("Registry.Example.com/a/b@sha256:00", ("registry.example.com", "a", "b")),
        ("registry:5000/a:1", ("registry:5000", "a")),
        ("localhost/a", ("localhost", "a")),
        ("docker.io", ("docker.io",)),
        ("registry.example.com/a/../b", ()),
        ("registry.example.com//a", ()),
        ("", ()),
    ],
)
def test_an_image_is_read_as_registries_read_it(reference: str, parts: tuple[str, ...]) -> None:
    assert segments(reference) == parts


@pytest.mark.parametrize(
    ("image", "passes"),
    [
        ("registry.example.com/airflow:1", True),
        ("registry.example.com/airflow/base@sha256:" + "0" * 64, True),
        ("registry.example.com/airflow-x:1", False),
        ("registry.example.com.evil.net/airflow:1", False),
        ("registry.example.com:8443/airflow:1", False),
        ("evil.net/registry.example.com/airflow:1", False),
        ("airflow:1", False),
    ],
)
def test_a_prefix_is_compared_part_by_part(image: str, passes: bool) -> None:
    guard = Guard(images=Images(("registry.example.com/airflow",)))
    made = container("Job", image=image)
    del made["spec"]["template"]["spec"]["containers"][0]
    found = judge(Case(guard, INSTANCE, (made,)))
    assert ("images.repositories" not in {one.rule for one in found}) is passes


def a_window(schedule: str, hours: float, zone: ZoneInfo = BERLIN) -> Window:
    return Window(schedule, timedelta(hours=hours), zone)


@pytest.mark.parametrize(
    ("window", "allowed", "told"),
    [
        (a_window("0 2 * * 6", 2), (a_window("0 2 * * 6", 2),), ""),
        (a_window("0 2 * * 6", 2), (a_window("0 20 * * *", 10),), ""),
        (a_window("0 2 * * 6", 2), (a_window("0 2 * * 6", 1), a_window("0 3 * * 6", 1)), ""),
        (a_window("0 0 * * *", 24), (a_window("0 0 * * *", 25),), ""),
        (a_window("0 2 * * 6", 3), (a_window("0 2 * * 6", 2),), "is open at 2026-01-03 03:00 UTC"),
        (a_window("0 2 * * 0", 2), (a_window("0 2 * * 6", 2),), "is open at 2026-01-04 01:00 UTC"),
        (a_window("0 2 * * 6", 2, ZoneInfo("UTC")), (a_window("0 3 * * 6", 2),), "is open at 2026-04-04 03:00 UTC"),
        (a_window("0 * * * *", 0.1), (a_window("0 0 * * *", 24),), "opens more than four times a day"),
    ],
)
def test_a_window_lies_within_others_on_every_day_of_a_year(
    window: Window, allowed: tuple[Window, ...], told: str
) -> None:
    found = outside(window, allowed)
    assert found.startswith(told)
    assert bool(found) is bool(told)


def test_a_tombstone_does_not_hide_what_it_buries_by_another_name() -> None:
    guard = Guard(protection=Protection(instances=("sales",), namespaces=("airflow-*",), labels={"tier": "gold"}))
    grave = replace(INSTANCE, state=State.DELETED, name="other", namespace="", labels={})
    assert protected(Case(guard, grave), Known()) == ()
    for known in (
        Known(names=frozenset({"sales"})),
        Known(namespaces=frozenset({"airflow-sales"})),
        Known(labels=({"tier": "gold", "a": "b"},)),
    ):
        assert [one.path for one in protected(Case(guard, grave), known)] == ["spec.state"]
    assert protected(Case(guard, INSTANCE), Known()) == ()


def test_a_tombstone_is_not_held_to_what_it_no_longer_asks_for() -> None:
    grave = replace(a_document(state="deleted").instance, maintenance=())
    strict = Guard(
        images=Images(("registry.example.com",), digests_only=True),
        namespaces=("team-*",),
        ceilings=Ceilings({"pods": "1"}, 0, "1Gi", {"cpu": "1m"}, {"cpu": "1m"}),
        forbidden=frozenset(Feature),
        windows=(a_window("0 2 * * 6", 2),),
    )
    assert judge(Case(strict, grave)) == ()


def test_a_refusal_names_every_violation_within_the_bounds_of_a_report() -> None:
    one = Violation("hostNetwork", "Deployment there/it", "spec.template.spec.hostNetwork", "is not for it")
    assert str(Violated([one, one])) == f"{one}; {one}"
    many = Violated([one] * 1000)
    assert len(many.violations) == 1000
    assert len(many.explain()) < 4000
    assert str(many).endswith(" more")
