from __future__ import annotations

from pathlib import Path

import yaml
from pydantic import BaseModel

from agent.settings import Settings, resolve
from agent.settings.branch import Branch
from agent.settings.sources import KNOBS

SHIPPED = Path(__file__).parents[3] / "config" / "agent.yaml"
REQUIRED = {"cluster.name", "uplink.agentsUrl", "uplink.enrolUrl"}


def test_the_shipped_file_holds_every_knob_with_its_default() -> None:
    shipped = {setting.path: setting for setting in resolve(SHIPPED, {}).values}
    variables = {
        "PERIGEE_CLUSTER__NAME": "example",
        "PERIGEE_UPLINK__AGENTS_URL": "https://perigee.example.com:8443",
        "PERIGEE_UPLINK__ENROL_URL": "https://perigee.example.com:8445",
    }
    defaults = {setting.path: setting for setting in resolve(None, variables).values}
    assert {path: setting.value for path, setting in shipped.items()} == {
        path: setting.value for path, setting in defaults.items()
    }
    assert {path for path, setting in shipped.items() if setting.source == "default"} == set()
    assert {path for path, setting in defaults.items() if setting.source != "default"} == REQUIRED


def test_the_shipped_file_explains_every_knob_in_the_line_above() -> None:
    lines = SHIPPED.read_text().splitlines()
    for path in KNOBS:
        leaf = path.rpartition(".")[2]
        places = [number for number, line in enumerate(lines) if line.strip().startswith(f"{leaf}:")]
        assert places, f"{path} is missing"
        assert all(lines[number - 1].strip().startswith("#") for number in places), f"{path} has no comment"


def test_the_shipped_file_is_in_the_order_of_the_tree() -> None:
    def leaves(node: dict[str, object], prefix: str = "") -> list[str]:
        return [
            leaf
            for key, value in node.items()
            for leaf in (
                [f"{prefix}{key}"]
                if f"{prefix}{key}" in KNOBS or not isinstance(value, dict)
                else leaves(value, f"{prefix}{key}.")
            )
        ]

    assert leaves(yaml.safe_load(SHIPPED.read_text())) == list(KNOBS)


def test_every_knob_is_documented() -> None:
    def undocumented(model: type[BaseModel]) -> list[str]:
        found = []
        for name, field in model.model_fields.items():
            if not field.description:
                found.append(f"{model.__name__}.{name}")
            if isinstance(field.annotation, type) and issubclass(field.annotation, Branch):
                found += undocumented(field.annotation)
        return found

    assert undocumented(Settings) == []
