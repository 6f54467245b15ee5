"""Whatever the agent tells goes through sinks that the search for canaries looks at."""

from __future__ import annotations

import ast
import re

from tests.architecture.tree import modules
from tests.support.canaries import SEARCHED


def test_every_sink_is_searched_for_canaries() -> None:
    sinks = {
        node.name
        for module in modules("agent")
        if module.name.startswith("agent/telemetry/")
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ClassDef) and "Telemetry" in {ast.unparse(base) for base in node.bases}
    }
    assert sinks - {"Sinks"} <= set(SEARCHED)
    assert len(sinks) >= 3


def test_reports_have_one_codec_and_it_is_searched() -> None:
    codecs = [
        node.name
        for module in modules("agent")
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ClassDef) and "port ``ReportCodec``" in (ast.get_docstring(node) or "")
    ]
    assert len(codecs) == 1
    assert set(codecs) <= set(SEARCHED)


def test_nobody_but_the_records_writes_a_log() -> None:
    handlers = {module.name for module in modules("agent") if re.search(r"\w*Handler\(|addHandler", module.text)}
    assert handlers == {"agent/telemetry/records.py"}
