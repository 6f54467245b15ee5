"""The proxy's settings: from a file, from variables, and from the environment only where somebody says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.model.errors import Misconfigured
from agent.settings import load, resolve
from tests.unit.settings.test_settings_file import SHIPPED
from tests.unit.settings.test_settings_load import ENOUGH, written

WANTED = ENOUGH | {"PERIGEE_UPLINK__PROXY__FROM_ENVIRONMENT": "true"}
ENVIRONMENT = {"HTTPS_PROXY": "http://proxy.test:3128", "NO_PROXY": "10.0.0.0/8, .svc,localhost"}


def test_the_environments_proxy_is_not_followed_unasked() -> None:
    assert load(None, ENOUGH | ENVIRONMENT).uplink.proxy.url is None


def test_the_environments_proxy_is_followed_where_that_is_wanted_and_its_variables_are_told_as_the_source() -> None:
    resolved = resolve(None, WANTED | ENVIRONMENT)
    proxy = resolved.settings.uplink.proxy
    assert (proxy.url, proxy.no_proxy) == ("http://proxy.test:3128", ("10.0.0.0/8", ".svc", "localhost"))
    sources = {setting.path: setting.source for setting in resolved.values}
    assert (sources["uplink.proxy.url"], sources["uplink.proxy.noProxy"]) == ("HTTPS_PROXY", "NO_PROXY")


def test_lower_case_variables_come_first_and_an_address_may_lack_its_scheme() -> None:
    assert (
        load(None, WANTED | ENVIRONMENT | {"https_proxy": "other.test:80"}).uplink.proxy.url == "http://other.test:80"
    )


def test_what_is_set_counts_before_the_environment_and_what_is_empty_does_not(tmp_path: Path) -> None:
    file = written(tmp_path, "uplink: {proxy: {url: 'http://mine.test:1', noProxy: [], fromEnvironment: true}}\n")
    proxy = load(file, ENOUGH | ENVIRONMENT).uplink.proxy
    assert proxy.url == "http://mine.test:1"
    assert proxy.no_proxy == ("10.0.0.0/8", ".svc", "localhost")


def test_wanting_the_environments_proxy_where_there_is_none_is_no_error() -> None:
    assert load(None, WANTED).uplink.proxy.url is None


def test_the_shipped_file_with_a_proxy_in_the_environment_uses_none() -> None:
    assert load(SHIPPED, ENVIRONMENT).uplink.proxy.url is None


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"HTTPS_PROXY": "http://u:canary@proxy.test:1"}, "uplink.proxy.url in HTTPS_PROXY must not carry a user"),
        ({"HTTPS_PROXY": "socks5://proxy.test:1"}, "must be an http or https address"),
        ({"PERIGEE_UPLINK__PROXY__URL": "http://proxy.test/path"}, "must end after the port"),
        ({"NO_PROXY": "a.test,10.0.0.0/99"}, "uplink.proxy.noProxy in NO_PROXY must be address ranges"),
        ({"PERIGEE_UPLINK__PROXY__CA_FILE": "/ca", "HTTPS_PROXY": "http://a.test:1"}, "uplink.extraCaFile"),
    ],
)
def test_a_proxy_that_cannot_be_is_refused_by_the_name_of_its_source(variables: dict[str, str], words: str) -> None:
    with pytest.raises(Misconfigured, match=words) as raised:
        load(None, WANTED | variables)
    assert "canary" not in raised.value.explain()


def test_credentials_without_a_proxy_are_refused_since_they_would_do_nothing() -> None:
    with pytest.raises(Misconfigured, match=r"uplink\.proxy.* no url"):
        load(None, ENOUGH | {"PERIGEE_UPLINK__PROXY__CREDENTIALS_FILE": "/login"})
