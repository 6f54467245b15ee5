"""The guard's file: strict, since a misspelt rule must not be silently off; and its example tells every rule."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from agent.cluster.guard import guard_in, read_guard
from agent.model.errors import Refused
from agent.model.guard import Feature, Freeze, Guard, Rule
from agent.wire.guard import GuardV1, guard_of
from agent.wire.schemas import schemas

EXAMPLE = Path(__file__).parents[3] / "config" / "guard.yaml"
HEAD: dict[str, Any] = {"apiVersion": "perigee.dev/v1", "kind": "Guard"}


def test_a_file_that_says_nothing_is_what_holds_without_one() -> None:
    assert guard_of(HEAD) == Guard()


def test_the_example_has_every_field_and_tells_every_rule_and_feature() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    assert read_guard(text.encode()) != Guard()
    assert set(yaml.safe_load(text)) == {field.alias for field in GuardV1.model_fields.values()}
    assert [name for name in (*Rule, *Feature) if name not in text] == []


@pytest.mark.parametrize(
    ("said", "path"),
    [
        ({"freez": True}, "freez"),
        ({"images": {"repository": []}}, "images.repository"),
        ({"images": {"repositories": ["registry.example.com/a:latest"]}}, "images.repositories[0]"),
        ({"images": {"repositories": ["registry.example.com/../a"]}}, "images.repositories[0]"),
        ({"images": {"digestsOnly": "yes"}}, "images.digestsOnly"),
        ({"namespaces": ["Airflow"]}, "namespaces[0]"),
        ({"ceilings": {"replica": 1}}, "ceilings.replica"),
        ({"ceilings": {"storage": "much"}}, "ceilings.storage"),
        ({"ceilings": {"limits": {"cpus": "1"}}}, "ceilings.limits.cpus"),
        ({"forbid": ["adoption"]}, "forbid[0]"),
        ({"allow": ["hostnetwork"]}, "allow[0]"),
        ({"windows": [{"schedule": "never", "duration": "1h"}]}, "windows[0].schedule"),
        ({"freeze": "yes"}, "freeze"),
        ({"freeze": {"until": "tomorrow"}}, "freeze.until"),
        ({"freeze": {"till": "2026-01-01T00:00:00Z"}}, "freeze.till"),
        ({"protect": {"names": []}}, "protect.names"),
        ({"kind": "Gard"}, "kind"),
        ({"apiVersion": "perigee.dev/v2"}, "apiVersion"),
    ],
)
def test_what_is_not_known_or_wrong_is_refused_with_its_path(said: dict[str, Any], path: str) -> None:
    with pytest.raises(Refused) as refused:
        guard_of({**HEAD, **said})
    assert refused.value.path == path
    assert refused.value.reason == "Malformed"


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (b"", "guard.yaml"),
        (b"a: 1\na: 2\n", "guard.yaml"),
        (b"kind: Guard\n---\nkind: Guard\n", "guard.yaml"),
        (b"- kind: Guard\n", "guard.yaml"),
        (b"\xff", "guard.yaml"),
    ],
)
def test_what_is_no_such_file_is_refused(text: bytes, path: str) -> None:
    with pytest.raises(Refused) as refused:
        read_guard(text)
    assert refused.value.path == path


@pytest.mark.parametrize("content", [{}, {"data": None}, {"data": {"guard.yml": "kind: Guard"}}])
def test_a_config_map_without_the_file_is_not_taken_for_one_without_rules(content: dict[str, Any]) -> None:
    with pytest.raises(Refused, match=r"^data\.guard\.yaml: is missing"):
        guard_in(content)


@pytest.mark.parametrize(
    ("said", "freeze"),
    [
        ("false", None),
        ("true", Freeze()),
        ("{}", Freeze()),
        ("{until: 2026-12-27T06:00:00Z}", Freeze(datetime(2026, 12, 27, 6, tzinfo=UTC))),
        ('{until: "2026-12-27T06:00:00Z"}', Freeze(datetime(2026, 12, 27, 6, tzinfo=UTC))),
    ],
)
def test_a_freeze_is_a_switch_or_has_an_end(said: str, freeze: Freeze | None) -> None:
    assert read_guard(f"apiVersion: perigee.dev/v1\nkind: Guard\nfreeze: {said}\n".encode()).freeze == freeze


def test_the_schema_takes_the_example_and_no_unknown_field() -> None:
    schema = Draft202012Validator(yaml.safe_load(schemas()["guard.v1.schema.json"]))
    example = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
    assert schema.is_valid(example)
    assert schema.is_valid({**example, "freeze": {"until": "2026-12-27T06:00:00Z"}})
    assert not schema.is_valid({**example, "freez": True})
