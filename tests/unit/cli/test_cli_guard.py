"""``perigee guard test``: what the rules would refuse, told without a cluster."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests.unit.cli.commands import Told, perigee

EXAMPLES = Path(__file__).parents[3] / "config" / "examples"
HELLO = str(EXAMPLES / "hello.yaml")
pytestmark = pytest.mark.timeout(30)


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Told:
    monkeypatch.setenv("COLUMNS", "200")
    return Told(capsys)


def rules(folder: Path, **said: object) -> str:
    file = folder / "guard.yaml"
    file.write_text(yaml.safe_dump({"apiVersion": "perigee.dev/v1", "kind": "Guard", **said}))
    return str(file)


@pytest.mark.parametrize("example", ["hello.yaml", "sales-analytics.yaml"])
def test_without_rules_what_holds_always_lets_the_examples_through(told: Told, example: str) -> None:
    ended = told.by(perigee("guard", "test", "-f", str(EXAMPLES / example)))
    assert ended.code == 0
    assert ended.out.endswith(": nothing is refused\n")


def test_every_violation_is_a_line_with_rule_object_field_and_reason(told: Told, tmp_path: Path) -> None:
    guard = rules(tmp_path, namespaces=["team-*"], ceilings={"storage": "2Gi"})
    ended = told.by(perigee("guard", "test", "--file", HELLO, "--guard", guard))
    assert ended.code == 6
    lines = [line.split(maxsplit=2) for line in ended.out.splitlines()]
    assert ended.out.startswith("hello: 2 violations\n")
    assert ["namespaces", "document"] in [line[:2] for line in lines]
    assert "spec.volumeClaimTemplates[0].spec.resources.requests.storage" in ended.out


def test_for_programs(told: Told, tmp_path: Path) -> None:
    guard = rules(tmp_path, namespaces=["team-*"], freeze=True)
    ended = told.by(perigee("guard", "test", "-f", HELLO, "--guard", guard, "--output", "json"))
    assert ended.code == 6
    shown = json.loads(ended.out)
    assert shown["frozen"] is True
    [instance] = shown["instances"]
    assert instance["violations"] == [
        {
            "rule": "namespaces",
            "object": "document",
            "path": "spec.namespace",
            "message": "must match one of team-*",
        }
    ]


def test_a_tombstone_of_what_is_protected_is_refused(told: Told, tmp_path: Path) -> None:
    document = yaml.safe_load(Path(HELLO).read_text())
    document["spec"] = {"state": "deleted"}
    grave = tmp_path / "grave.yaml"
    grave.write_text(yaml.safe_dump(document))
    guard = rules(tmp_path, protect={"instances": ["hello"]})
    ended = told.by(perigee("guard", "test", "-f", str(grave), "--guard", guard))
    assert ended.code == 6
    assert "protect.instances" in ended.out


def test_the_rules_may_come_in_their_config_map(told: Told, tmp_path: Path) -> None:
    content = Path(rules(tmp_path, namespaces=["team-*"])).read_text()
    wrapped = tmp_path / "map.yaml"
    wrapped.write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "ConfigMap", "data": {"guard.yaml": content}}))
    assert told.by(perigee("guard", "test", "-f", HELLO, "--guard", str(wrapped))).code == 6


def test_broken_rules_are_a_fault_of_the_configuration(told: Told, tmp_path: Path) -> None:
    ended = told.by(perigee("guard", "test", "-f", HELLO, "--guard", rules(tmp_path, freez=True)))
    assert ended.code == 3
    assert "freez: " in ended.err
    assert told.by(perigee("guard", "test", "-f", HELLO, "--guard", str(tmp_path / "none"))).code == 3


def test_a_document_that_is_none_is_refused_and_a_missing_option_is_a_wrong_command_line(
    told: Told, tmp_path: Path
) -> None:
    strange = tmp_path / "strange.yaml"
    strange.write_text("kind: Pod\n")
    assert told.by(perigee("guard", "test", "-f", str(strange))).code == 6
    assert told.by(perigee("guard", "test")).code == 2
