from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any, get_args

import pytest

from agent.model.facts import Fact, PollAnswered, PollFailed
from agent.telemetry.records import EVENTS, JsonLines, Records, TextLines, configure
from tests.unit.telemetry.facts import EVERY_FACT


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger("agent")
    handlers, level, own = root.handlers[:], root.level, ours.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    ours.setLevel(own)
    logging.captureWarnings(capture=False)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_every_fact_has_an_event_and_the_examples_are_complete() -> None:
    kinds = set(get_args(Fact))
    assert set(EVENTS) == kinds
    assert {type(fact) for fact in EVERY_FACT} == kinds
    assert len({event for event, _ in EVENTS.values()}) == len(kinds)


def test_every_fact_makes_one_flat_json_line() -> None:
    stream = io.StringIO()
    configure(level="debug", form="json", stream=stream)
    for fact in EVERY_FACT:
        Records().emit(fact)
    written = lines(stream)
    assert [line["event"] for line in written] == [EVENTS[type(fact)][0] for fact in EVERY_FACT]
    for line in written:
        assert {"at", "level", "event"} <= set(line)
        assert not any(isinstance(value, dict | list) for value in line.values())
    assert written[0]["took_seconds"] == 0.123
    assert written[2] == written[2] | {"epoch": 1, "version": 2, "documents": 3, "level": "info"}
    assert written[4]["object"] == "Deployment canary/canary"
    assert written[4]["action"] == "update"


def test_below_the_level_nothing_is_written() -> None:
    stream = io.StringIO()
    configure(level="info", form="json", stream=stream)
    Records().emit(PollAnswered(changed=False, took_seconds=50))
    assert stream.getvalue() == ""
    Records().emit(PollFailed(reason="Unreachable", message="x"))
    assert [line["event"] for line in lines(stream)] == ["poll_failed"]


def test_libraries_speak_from_warning_up_and_in_the_same_shape() -> None:
    stream = io.StringIO()
    configure(level="info", form="json", stream=stream)
    logging.getLogger("aiohttp.client").info("chatter")
    logging.getLogger("aiohttp.client").warning("closing %s", "late")
    assert [(line["event"], line["logger"], line["message"]) for line in lines(stream)] == [
        ("log", "aiohttp.client", "closing late")
    ]


def test_text_for_people_quotes_what_would_mislead() -> None:
    record = logging.makeLogRecord({"msg": "poll_failed", "levelname": "WARNING", "created": 0.0})
    record.fields = {"reason": "Unreachable", "message": 'says "no"\nFAKE line', "empty": ""}
    assert TextLines().format(record) == (
        '00:00:00 WARNING  poll_failed reason=Unreachable message="says \\"no\\"\\nFAKE line" empty=""'
    )


@pytest.mark.parametrize("form", [JsonLines(), TextLines()])
def test_a_line_stays_one_line_and_bounded_whatever_the_message_is(form: logging.Formatter) -> None:
    record = logging.makeLogRecord({"msg": "x\n" * 100_000, "levelname": "INFO", "created": 0.0})
    line = form.format(record)
    assert "\n" not in line
    assert len(line) < 20_000
    assert "200000 characters" in line


@pytest.mark.parametrize("form", [JsonLines(), TextLines()])
def test_a_private_key_is_blanked_wherever_it_is_quoted(form: logging.Formatter) -> None:
    pem = "-----BEGIN EC PRIVATE KEY-----\ncanary\n-----END EC PRIVATE KEY-----"
    truncated = "-----BEGIN PRIVATE KEY-----\ncanary"
    try:
        raise ValueError(truncated)  # noqa: TRY301
    except ValueError as error:
        record = logging.makeLogRecord(
            {"msg": f"cannot load {pem}", "created": 0.0, "exc_info": (ValueError, error, error.__traceback__)}
        )
    line = form.format(record)
    assert "canary" not in line.replace("canary test", "")
    assert "private key" in line
    fielded = logging.makeLogRecord({"msg": "event", "created": 0.0, "fields": {"message": pem}})
    assert "canary" not in form.format(fielded)
