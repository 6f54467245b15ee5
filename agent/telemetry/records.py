"""Log lines, made from facts: constant snake_case event names with key-values, as JSON or as text.

Here: how a line looks, which facts make one, and the set-up of ``logging`` (the libraries' lines take the same shape).
Not here: secrets. Facts carry none; a PEM private key that a library might quote is blanked all the same.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from typing import Any, Literal, TextIO

from agent.model.changes import Change
from agent.model.desired import Entry, Standing
from agent.model.facts import (
    AuditNotKept,
    CacheFilled,
    CertificateRenewed,
    ChangeApplied,
    Enrolled,
    Fact,
    IndexAccepted,
    LeadershipLost,
    LeadershipTaken,
    LeaseFailed,
    OrderBegun,
    OrderEnded,
    PollAnswered,
    PollFailed,
    ReconcileFailed,
    ReconcileFinished,
    RenewalFailed,
    ReportDelayed,
    ReportDelivered,
    RevisionAccepted,
    SpoolDegraded,
    StateRefused,
    StoodBy,
    TrustFailed,
    TrustFollowed,
)
from agent.ports import Telemetry

EVENTS: Mapping[type[Fact], tuple[str, int]] = {
    PollAnswered: ("poll_answered", logging.DEBUG),
    PollFailed: ("poll_failed", logging.WARNING),
    IndexAccepted: ("index_accepted", logging.INFO),
    RevisionAccepted: ("revision_accepted", logging.DEBUG),
    Enrolled: ("enrolled", logging.INFO),
    AuditNotKept: ("audit_not_kept", logging.WARNING),
    SpoolDegraded: ("spool_degraded", logging.WARNING),
    StateRefused: ("state_refused", logging.ERROR),
    ChangeApplied: ("change_applied", logging.INFO),
    ReconcileFinished: ("reconcile_finished", logging.DEBUG),
    ReconcileFailed: ("reconcile_failed", logging.WARNING),
    OrderBegun: ("order_begun", logging.INFO),
    OrderEnded: ("order_ended", logging.INFO),
    ReportDelivered: ("report_delivered", logging.DEBUG),
    ReportDelayed: ("report_delayed", logging.WARNING),
    LeadershipTaken: ("leadership_taken", logging.INFO),
    LeadershipLost: ("leadership_lost", logging.WARNING),
    StoodBy: ("stood_by", logging.INFO),
    LeaseFailed: ("lease_failed", logging.WARNING),
    CacheFilled: ("cache_filled", logging.INFO),
    CertificateRenewed: ("certificate_renewed", logging.INFO),
    RenewalFailed: ("renewal_failed", logging.ERROR),
    TrustFollowed: ("trust_followed", logging.INFO),
    TrustFailed: ("trust_failed", logging.WARNING),
}
"""Each fact's event name and level."""

_LONGEST_TEXT = 4096
_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)
_OUR_LOGGERS = "agent"

_events = logging.getLogger("agent.events")


class Records(Telemetry):
    """The sink that writes one line per fact."""

    def emit(self, fact: Fact) -> None:
        """Write a fact, if its level is wanted."""
        event, level = EVENTS[type(fact)]
        if _events.isEnabledFor(level):
            _events.log(level, event, extra={"fields": _flat(fact)})


def configure(*, level: str, form: Literal["json", "text"], stream: TextIO) -> None:
    """Send every log line of the process to ``stream``; the libraries speak from ``warning`` up unless we debug."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines() if form == "json" else TextLines())
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    wanted = logging.getLevelNamesMapping()[level.upper()]
    root.setLevel(wanted if wanted == logging.DEBUG else max(wanted, logging.WARNING))
    logging.getLogger(_OUR_LOGGERS).setLevel(wanted)
    logging.captureWarnings(capture=True)


class JsonLines(logging.Formatter):
    """One JSON object per line: ``at``, ``level``, ``event``, then the event's own key-values."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        return json.dumps(_line(record), ensure_ascii=False, default=str)


class TextLines(logging.Formatter):
    """``12:00:00 WARNING poll_failed reason=Unreachable message="…"``, for people at a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        line = _line(record)
        at, level, event = line.pop("at"), line.pop("level"), line.pop("event")
        pairs = " ".join(f"{key}={_shown(value)}" for key, value in line.items())
        return f"{at[11:19]} {level.upper():<8} {event} {pairs}".rstrip()


def _line(record: logging.LogRecord) -> dict[str, Any]:
    at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
    line: dict[str, Any] = {"at": at, "level": record.levelname.lower()}
    own: Mapping[str, Any] | None = getattr(record, "fields", None)
    if own is None:  # a library's line, or a plain one of ours: its text is no constant
        line |= {"event": "log", "logger": record.name, "message": _clean(record.getMessage())}
    else:
        line["event"] = record.getMessage()
        line |= {key: _clean(value) if isinstance(value, str) else value for key, value in own.items()}
    if record.exc_info:
        line["traceback"] = _clean(logging.Formatter().formatException(record.exc_info))
    return line


def _clean(text: str) -> str:
    """Bounded, and without a private key; JSON escapes the control characters."""
    blank = _PRIVATE_KEY.sub("[private key]", text)
    return blank if len(blank) <= _LONGEST_TEXT else f"{blank[:_LONGEST_TEXT]}… ({len(blank)} characters)"


def _shown(value: Any) -> str:
    text = str(value)
    return text if text and text.isprintable() and not set(text) & set(' "=') else json.dumps(text, ensure_ascii=False)


def _flat(fact: Fact) -> dict[str, Any]:
    """The fact's fields as key-values that a log store can index: no nesting, seconds rounded to milliseconds."""
    flat: dict[str, Any] = {}
    for field in fields(fact):
        value = getattr(fact, field.name)
        if isinstance(value, Change):
            flat |= {"object": str(value.ref), "action": value.action.value, "why": value.why}
        elif isinstance(value, Standing):
            flat |= {"epoch": value.epoch, "version": value.version}
        elif isinstance(value, Entry):
            flat |= {"instance_id": value.id, "revision": value.revision, "digest": value.digest}
        elif isinstance(value, datetime):
            flat[field.name] = value.isoformat(timespec="seconds")
        elif isinstance(value, float):
            flat[field.name] = round(value, 3)
        else:
            flat[field.name] = str(value) if is_dataclass(value) else value
    return flat
