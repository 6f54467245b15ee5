"""Who is reached without the proxy: one rule for each way in which people write it."""

from __future__ import annotations

import pytest

from agent.settings.noproxy import exempt, reached_directly


@pytest.mark.parametrize(
    ("entry", "reached", "not_reached"),
    [
        ("*", [("plane.test", 443), ("10.0.0.1", 1), ("::1", 1)], []),
        ("*:8443", [("plane.test", 8443)], [("plane.test", 443)]),
        (
            "example.com",
            [("example.com", 443), ("a.b.example.com", 1), ("EXAMPLE.com.", 443)],
            [("badexample.com", 443), ("example.com.evil.test", 443), ("com", 443)],
        ),
        (".example.com", [("example.com", 443), ("a.example.com", 443)], [("badexample.com", 443)]),
        ("*.example.com", [("example.com", 443), ("a.example.com", 443)], [("badexample.com", 443)]),
        ("Example.COM.", [("example.com", 443), ("a.example.com.", 443)], [("example.org", 443)]),
        ("localhost", [("localhost", 443)], [("127.0.0.1", 443)]),
        ("example.com:8443", [("example.com", 8443), ("a.example.com", 8443)], [("example.com", 443)]),
        (".example.com:8443", [("a.example.com", 8443)], [("a.example.com", 443)]),
        ("10.1.2.3", [("10.1.2.3", 443)], [("10.1.2.30", 443), ("110.1.2.3", 443), ("a.10.1.2.3", 443)]),
        ("10.1.2.3:8443", [("10.1.2.3", 8443)], [("10.1.2.3", 443)]),
        ("10.0.0.0/8", [("10.255.0.1", 443)], [("11.0.0.1", 443), ("ten.test", 443), ("fd00::1", 443)]),
        ("10.1.2.3/8", [("10.9.9.9", 443)], [("11.0.0.1", 443)]),
        ("fd00::/8", [("fd12::1", 443), ("[fd12::1]", 443)], [("fe80::1", 443), ("10.0.0.1", 443)]),
        ("[fd00::]/8", [("fd12::1", 443)], [("fe80::1", 443)]),
        ("fd00::1", [("fd00::1", 443), ("FD00:0:0::1", 443)], [("fd00::2", 443)]),
        ("[fd00::1]", [("fd00::1", 443)], [("fd00::2", 443)]),
        ("[fd00::1]:8443", [("fd00::1", 8443)], [("fd00::1", 443)]),
        ("10.0.0.0/8", [("::ffff:10.0.0.1", 443)], []),
    ],
)
def test_an_entry_exempts_whom_it_names_and_nobody_else(
    entry: str, reached: list[tuple[str, int]], not_reached: list[tuple[str, int]]
) -> None:
    for host, port in reached:
        assert reached_directly(host, port, [entry]), f"{host}:{port}"
    for host, port in not_reached:
        assert not reached_directly(host, port, [entry]), f"{host}:{port}"


def test_one_entry_of_several_is_enough_and_none_exempts_nobody() -> None:
    assert reached_directly("b.test", 443, ["a.test", "b.test"])
    assert not reached_directly("b.test", 443, [])


@pytest.mark.parametrize(
    "entry",
    [
        *("", " ", ".", "-a", "a b", "a..*", "*a.*", "http://a.test", "user:pw@a.test"),
        *("10.0.0.0/33", "example.com/8", "fd00::1:x", "[fd00::1", "[fd00::1]x"),
        *("a.test:0", "a.test:x", "a.test:65536", "a.test:0080000000"),
    ],
)
def test_an_entry_that_means_nothing_is_refused_without_being_quoted(entry: str) -> None:
    with pytest.raises(ValueError, match=r"^must ") as raised:
        exempt(entry)
    assert not entry.strip() or len(entry) < 3 or entry not in str(raised.value)
