from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
import yaml

from agent import wiring
from agent.settings import Settings, load
from agent.settings.sources import KNOBS
from tests.unit.cli.commands import ENOUGH, Told, perigee

ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.timeout(30)  # whole commands: reading, importing, rendering, writing
SHIPPED = ROOT / "config" / "agent.yaml"
HELLO = ROOT / "config" / "examples" / "hello.yaml"


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Told:
    monkeypatch.setenv("COLUMNS", "200")
    return Told(capsys)


def test_the_version_says_what_runs(told: Told) -> None:
    assert told.by(perigee("version")).out.startswith("perigee: 0.")
    assert set(json.loads(told.by(perigee("version", "-o", "json")).out)) == {"perigee", "python", "platform"}


def test_without_a_command_the_help_is_shown(told: Told) -> None:
    shown = told.by(perigee())
    assert all(name in shown.out + shown.err for name in ("agent", "render", "config", "version"))


def test_a_command_line_that_makes_no_sense_is_2(told: Told) -> None:
    assert told.by(perigee("nonsense")).code == 2
    assert told.by(perigee("version", "--nonsense")).code == 2
    assert told.by(perigee("render")).code == 2


# --- config


def test_config_show_is_yaml_that_could_be_read_again_with_the_source_of_each_value(
    told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERIGEE_LOG__LEVEL", "debug")
    shown = told.by(perigee("config", "show", "--config", str(SHIPPED)))
    assert shown.code == 0
    assert '  level: "debug"  # PERIGEE_LOG__LEVEL' in shown.out.splitlines()
    assert f"    maxSeconds: 300  # {SHIPPED}" in shown.out.splitlines()
    again = tmp_path / "again.yaml"
    again.write_text(shown.out)
    assert load(again, {}) == load(SHIPPED, {"PERIGEE_LOG__LEVEL": "debug"})


def test_config_show_for_programs(told: Told) -> None:
    shown = json.loads(told.by(perigee("config", "show", "-o", "json", environ=ENOUGH)).out)
    assert list(shown) == list(KNOBS)
    assert shown["cluster.name"] == {"value": "north", "source": "PERIGEE_CLUSTER__NAME"}
    assert shown["probes.port"] == {"value": 8081, "source": "default"}


def test_the_file_may_be_named_by_a_variable(told: Told, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    assert "other.yaml" in told.by(perigee("config", "check", environ={"PERIGEE_CONFIG": str(other)})).err


def test_config_check_counts_and_notes(told: Told) -> None:
    shown = told.by(perigee("config", "check", environ=ENOUGH))
    assert shown.code == 0
    assert f"3 given, {len(KNOBS) - 3} defaults" in shown.out
    assert "note: no enrolment token" in shown.out
    assert "note: neither uplink.caFile nor uplink.rootFingerprint" in shown.out


def test_config_check_reads_the_files_that_are_named(told: Told, tmp_path: Path) -> None:
    ca, token = tmp_path / "ca.pem", tmp_path / "token"
    environ = ENOUGH | {"PERIGEE_UPLINK__CA_FILE": str(ca), "PERIGEE_UPLINK__TOKEN_FILE": str(token)}
    shown = told.by(perigee("config", "check", environ=environ))
    assert shown.code == 3
    assert (
        shown.err == f"perigee: uplink.caFile {ca} cannot be read: No such file or directory. name a readable file.\n"
    )
    ca.write_text("-")
    token.write_text("canary")
    shown = told.by(perigee("config", "check", environ=environ))
    assert shown.code == 0
    assert "note" not in shown.out
    assert "canary" not in shown.out + shown.err


@pytest.mark.parametrize("command", [("config", "show"), ("config", "check"), ("agent",)])
def test_settings_that_are_wrong_end_every_command_alike(told: Told, command: tuple[str, ...]) -> None:
    shown = told.by(perigee(*command, environ=ENOUGH | {"PERIGEE_LOG__LEVEL": "loud-canary"}))
    assert shown.code == 3
    assert shown.err == (
        "perigee: log.level in PERIGEE_LOG__LEVEL should be 'debug', 'info', 'warning' or 'error'. "
        "set it in the settings file or as PERIGEE_LOG__LEVEL.\n"
    )


# --- agent


@pytest.mark.parametrize("code", [0, 1, 5])
def test_the_agent_runs_with_the_settings_and_ends_with_its_code(
    told: Told, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    given: list[Settings] = []

    def run(settings: Settings) -> int:
        given.append(settings)
        return code

    monkeypatch.setattr(wiring, "run", run)
    assert told.by(perigee("agent", "--config", str(SHIPPED))).code == code
    assert given == [load(SHIPPED, {})]


# --- render


def test_render_shows_what_would_be_applied(told: Told) -> None:
    shown = told.by(perigee("render", str(HELLO)))
    assert (shown.code, shown.err) == (0, "")
    manifests = list(yaml.safe_load_all(shown.out))
    assert manifests[0]["kind"] == "Namespace"
    assert {"Deployment", "StatefulSet", "Job", "Service"} <= {manifest["kind"] for manifest in manifests}
    assert told.by(perigee("render", str(HELLO))).out == shown.out


def test_render_for_programs_is_one_list(told: Told) -> None:
    as_yaml = list(yaml.safe_load_all(told.by(perigee("render", str(HELLO), str(HELLO))).out))
    listed = json.loads(told.by(perigee("render", str(HELLO), str(HELLO), "-o", "json")).out)
    assert listed["kind"] == "List"
    assert listed["items"] == as_yaml


def test_render_reads_its_input(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    class Input:
        buffer = io.BytesIO(HELLO.read_bytes())

    monkeypatch.setattr("sys.stdin", Input())
    assert told.by(perigee("render", "-")).code == 0


def test_render_names_fields_that_have_no_effect(told: Told, tmp_path: Path) -> None:
    file = tmp_path / "hello.yaml"
    file.write_text(HELLO.read_text().replace("spec:\n", "spec:\n  nonsense: 1\n"))
    shown = told.by(perigee("render", str(file)))
    assert shown.code == 0
    assert shown.err == f"perigee: {file}: spec.nonsense is not known to this version and has no effect\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds no instance document"),
        ("- a\n", "holds no instance document"),
        ("a: [", "is not valid YAML at line"),
        ("kind: AirflowInstance\nkind: AirflowInstance\n", "kind is given twice"),
        ("apiVersion: perigee.dev/v9\nkind: AirflowInstance\n", "version"),
        ("apiVersion: perigee.dev/v1\nkind: AirflowInstance\nmetadata: {id: x, name: a}\nspec: {}\n", "metadata.id"),
    ],
)
def test_a_document_that_is_not_acceptable_is_6_and_named(told: Told, tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "instance.yaml"
    file.write_text(text)
    shown = told.by(perigee("render", str(file)))
    assert shown.code == 6
    assert shown.err.startswith(f"perigee: {file}")
    assert words in shown.err
    assert shown.err.count("\n") == 1
    assert shown.out == ""


def test_a_document_that_cannot_be_read_is_3(told: Told, tmp_path: Path) -> None:
    shown = told.by(perigee("render", str(tmp_path / "absent.yaml")))
    assert shown.code == 3
    assert "absent.yaml cannot be read: No such file or directory" in shown.err
