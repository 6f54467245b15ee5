"""One fact in, every sink told. A sink that fails is named in the log once and never stops a loop.

Here: handing facts out. Not here: what a sink makes of them (``metrics``, ``records``, ``probes``).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from agent.model.facts import Fact
from agent.ports import Telemetry

_log = logging.getLogger(__name__)


class Sinks(Telemetry):
    """Every sink behind the one telemetry port."""

    def __init__(self, sinks: Sequence[Telemetry]) -> None:
        self._sinks = tuple(sinks)
        self._failed: set[str] = set()

    def emit(self, fact: Fact) -> None:
        """State a fact to each sink in turn; never raises."""
        for sink in self._sinks:
            try:
                sink.emit(fact)
            except Exception as error:  # noqa: BLE001  # telling must never stop doing
                self._complain(type(sink).__name__, error)

    def _complain(self, sink: str, error: Exception) -> None:
        # Once per sink: a fact may come many times a second. The error's text may quote the fact, so only its type.
        if sink not in self._failed:
            self._failed.add(sink)
            _log.error("telemetry_failed", extra={"fields": {"sink": sink, "error": type(error).__name__}})
