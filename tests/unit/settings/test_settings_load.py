from __future__ import annotations

from pathlib import Path

import pytest

from agent.model.errors import Misconfigured
from agent.settings import Settings, effective, load, resolve
from agent.settings.sources import KNOBS, variable

ENOUGH = {
    "PERIGEE_CLUSTER__NAME": "north",
    "PERIGEE_UPLINK__AGENTS_URL": "https://plane.test:8443",
    "PERIGEE_UPLINK__ENROL_URL": "https://plane.test:8445/",
}


def written(folder: Path, text: str) -> Path:
    file = folder / "agent.yaml"
    file.write_text(text)
    return file


def test_variables_alone_are_enough() -> None:
    settings = load(None, ENOUGH)
    assert settings.cluster.name == "north"
    assert settings.uplink.enrol_url == "https://plane.test:8445"
    assert settings.uplink.poll_wait_seconds == 50


def test_a_variable_overrides_the_file_and_every_value_knows_its_source(tmp_path: Path) -> None:
    file = written(tmp_path, "cluster: {name: south, labels: {region: eu}}\nreconcile: {backoff: {maxSeconds: 60}}\n")
    resolved = resolve(file, ENOUGH)
    assert resolved.settings.cluster.name == "north"
    assert resolved.settings.reconcile.backoff.max_seconds == 60
    sources = {setting.path: setting.source for setting in resolved.values}
    assert sources["cluster.name"] == "PERIGEE_CLUSTER__NAME"
    assert sources["cluster.labels"] == str(file)
    assert sources["reconcile.backoff.minSeconds"] == "default"
    assert set(sources) == set(KNOBS)


def test_a_list_comes_as_json_in_a_variable() -> None:
    assert load(None, ENOUGH | {"PERIGEE_ORDERS__ALLOW": '["restart"]'}).orders.allow == ("restart",)
    assert load(None, ENOUGH | {"PERIGEE_ORDERS__ALLOW": "[]"}).orders.allow == ()
    assert load(None, ENOUGH).orders.allow is None


def test_labels_come_as_json_in_a_variable() -> None:
    settings = load(None, ENOUGH | {"PERIGEE_CLUSTER__LABELS": '{"perigee.dev/region": "eu"}'})
    assert settings.cluster.labels == {"perigee.dev/region": "eu"}


def test_namespaces_come_as_json_in_a_variable() -> None:
    assert load(None, ENOUGH | {"PERIGEE_SECRETS__NAMESPACES": '["shared"]'}).secrets.namespaces == ("shared",)
    settings = load(None, ENOUGH | {"PERIGEE_CLUSTER__NAMESPACES": '["one", "two"]'})
    assert settings.cluster.namespaces == ("one", "two")


def test_an_empty_variable_counts_as_not_set() -> None:
    assert load(None, ENOUGH | {"PERIGEE_UPLINK__CA_FILE": ""}).uplink.ca_file is None


def test_a_value_that_another_variable_overrides_does_not_leak_into_the_tree_of_the_next_load(tmp_path: Path) -> None:
    file = written(tmp_path, "log: {level: debug}\n")
    assert load(file, ENOUGH).log.level == "debug"
    assert load(None, ENOUGH).log.level == "info"


def test_settings_are_frozen() -> None:
    settings = load(None, ENOUGH)
    with pytest.raises(ValueError, match="frozen"):
        settings.log.level = "debug"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("clutser: {name: a}", "clutser in {file} is no setting", "did you mean cluster"),
        ("uplink: {agentUrl: x}", "uplink.agentUrl in {file} is no setting", "did you mean uplink.agentsUrl"),
        ("uplink: {agents_url: x}", "uplink.agents_url in {file} is no setting", "did you mean uplink.agentsUrl"),
        ("log: {level: loud}", "log.level in {file} should be 'debug', 'info'", "PERIGEE_LOG__LEVEL"),
        ("uplink: {pollWaitSeconds: -1}", "uplink.pollWaitSeconds in {file} should be greater", "PERIGEE_UPLINK__POLL"),
        ("log: loud", "log in {file} holds several settings", "config/agent.yaml"),
        ("[1]", "does not hold settings but a list", ""),
        ("log: {level: info, level: debug}", "line 1: level is given twice", "correct the file"),
        ("log: {level: [", "is not valid YAML at line 1", "correct the file"),
        ("reconcile: {backoff: {minSeconds: 9, maxSeconds: 3}}", "maxSeconds must not be smaller", ""),
        ("lease: {durationSeconds: 9}", "more than 3.5 s longer than renewDeadlineSeconds", ""),
        ("lease: {retrySeconds: 4}", "renewDeadlineSeconds must be at least twice retrySeconds", ""),
        ("lease: {durationSeconds: 10.5}", "lease.durationSeconds in {file} should be a valid integer", ""),
        ("cluster: {labels: {a: 'b c'}}", "cluster.labels in {file} must be a Kubernetes", "PERIGEE_CLUSTER__LABELS"),
        ("cluster: {namespaces: [a, b, a]}", "namespaces names one of them twice", ""),
        ("cluster: {namespaces: [perigee-system]}", "namespaces must not hold perigee-system", ""),
        ("cluster: {namespaces: [a], serviceAccount: b}", "serviceAccount has no use with namespaces", ""),
        ("cluster: {namespaces: [A_b]}", "cluster.namespaces in {file} must be 1 to 63", "PERIGEE_CLUSTER__NAMESPACES"),
        ("probes: {port: 70000}", "probes.port in {file} should be less than", "PERIGEE_PROBES__PORT"),
        (
            "uplink: {rootFingerprint: abcd}",
            "uplink.rootFingerprint in {file} must be sha256:",
            "PERIGEE_UPLINK__ROOT_FINGERPRINT",
        ),
    ],
)
def test_what_is_wrong_in_the_file_is_named(tmp_path: Path, text: str, message: str, hint: str) -> None:
    file = written(tmp_path, text)
    with pytest.raises(Misconfigured) as raised:
        load(file, ENOUGH)
    assert message.replace("{file}", str(file)) in str(raised.value)
    assert hint in raised.value.hint
    assert "\n" not in raised.value.explain()


@pytest.mark.parametrize(
    ("name", "value", "hint"),
    [
        ("PERIGEE_UPLINK__AGENT_URL", "https://x", "did you mean PERIGEE_UPLINK__AGENTS_URL"),
        ("PERIGEE_UPLINK__TOKEN", "s3cret-canary", "PERIGEE_UPLINK__TOKEN_FILE"),
        ("PERIGEE_LOG_LEVEL", "debug", "did you mean PERIGEE_LOG__LEVEL"),
        ("PERIGEE_QQQ__ZZZ", "1", ""),
    ],
)
def test_an_unknown_variable_is_refused(name: str, value: str, hint: str) -> None:
    with pytest.raises(Misconfigured) as raised:
        load(None, ENOUGH | {name: value})
    assert name in str(raised.value)
    assert hint in raised.value.hint
    assert value not in raised.value.explain().split()


def test_variables_that_kubernetes_adds_for_services_are_left_alone() -> None:
    links = {
        "PERIGEE_AGENT_SERVICE_HOST": "10.0.0.1",
        "PERIGEE_AGENT_PORT_8080_TCP_ADDR": "10.0.0.1",
        "PERIGEE_METRICS_PORT": "tcp://10.0.0.1:8080",
    }
    assert load(None, ENOUGH | links) == load(None, ENOUGH)


def test_everything_that_is_missing_is_named_at_once() -> None:
    with pytest.raises(Misconfigured) as raised:
        load(None, {})
    assert str(raised.value) == "cluster.name is not set; uplink.agentsUrl is not set; uplink.enrolUrl is not set"
    assert raised.value.hint == "set it in the settings file or as PERIGEE_CLUSTER__NAME"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://plane.test", "must be an https address"),
        ("https://me:s3cret@plane.test", "must not carry a user or a password"),
        ("https://plane.test/api", "must end after the port"),
        ("https://", "must be an https address"),
        ("https://plane.test:port", "Port could not be cast"),
    ],
)
def test_an_address_is_checked_and_never_echoed(url: str, message: str) -> None:
    with pytest.raises(Misconfigured, match=message) as raised:
        load(None, ENOUGH | {"PERIGEE_UPLINK__AGENTS_URL": url})
    assert "s3cret" not in raised.value.explain()
    assert "PERIGEE_UPLINK__AGENTS_URL" in str(raised.value)


def test_an_ipv6_address_keeps_its_brackets() -> None:
    settings = load(None, ENOUGH | {"PERIGEE_UPLINK__AGENTS_URL": "https://[::1]:8443"})
    assert settings.uplink.agents_url == "https://[::1]:8443"


@pytest.mark.parametrize("written_as", ["sha256:" + "ab" * 32, "AB" * 32, ":".join(["Ab"] * 32), "SHA256:" + "AB" * 32])
def test_a_fingerprint_is_taken_in_the_forms_that_people_copy(written_as: str) -> None:
    settings = load(None, ENOUGH | {"PERIGEE_UPLINK__ROOT_FINGERPRINT": written_as})
    assert settings.uplink.root_fingerprint == "sha256:" + "ab" * 32


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"absent\.yaml: No such file"):
        load(tmp_path / "absent.yaml", ENOUGH)
    with pytest.raises(Misconfigured, match="Is a directory"):
        load(tmp_path, ENOUGH)


def test_a_file_that_is_no_settings_file_is_not_read_to_its_end(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="is larger than"):
        load(written(tmp_path, "#" * 1024 * 1024 + "\n"), ENOUGH)


def test_a_variable_that_is_not_json_is_refused_without_echo() -> None:
    with pytest.raises(Misconfigured, match="PERIGEE_CLUSTER__LABELS is not valid JSON") as raised:
        load(None, ENOUGH | {"PERIGEE_CLUSTER__LABELS": "{canary: ["})
    assert "canary" not in raised.value.explain()


@pytest.mark.parametrize("path", KNOBS)
def test_every_knob_has_a_variable_of_its_own(path: str) -> None:
    assert variable(path).isupper()
    assert [variable(other) for other in KNOBS].count(variable(path)) == 1


def test_variables_of_other_commands_are_left_alone() -> None:
    theirs = dict.fromkeys(("PERIGEE_CONTROL_PLANE", "PERIGEE_ADMIN_TOKEN", "PERIGEE_CA_FILE", "PERIGEE_CONFIG"), "x")
    assert load(None, ENOUGH | theirs) == load(None, ENOUGH)


def test_the_process_reads_the_default_file_if_there_is_one_and_its_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in ENOUGH.items():
        monkeypatch.setenv(name, value)
    absent = tmp_path / "absent.yaml"
    assert effective(None, default=absent).settings == load(None, ENOUGH)
    file = written(tmp_path, "log: {level: debug}\n")
    assert effective(None, default=file).settings == load(file, ENOUGH)
    assert effective(file, default=absent).settings == load(file, ENOUGH)


def test_a_tree_can_be_built_by_hand() -> None:
    settings = Settings.model_validate(
        {"cluster": {"name": "a"}, "uplink": {"agents_url": "https://a", "enrol_url": "https://b"}}
    )
    assert settings.uplink.enrol_url == "https://b"
