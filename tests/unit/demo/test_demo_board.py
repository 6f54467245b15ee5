"""The board of the demo shows whatever the agent does."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from agent.model.changes import Action, Change
from agent.model.facts import ChangeApplied
from agent.model.objects import ObjectRef
from sandbox.demo.board import Board


@pytest.mark.parametrize("action", Action)
def test_a_change_of_every_sort_is_shown_with_its_reason(action: Action) -> None:
    board, console = Board(), Console(file=io.StringIO(), record=True, width=150)
    ref = ObjectRef("apps/v1", "StatefulSet", "af-hello", "airflow-worker")
    board.emit(ChangeApplied("hello", Change(ref, action, "the document says so"), 0.1))
    console.print(board)
    shown = console.export_text()
    assert "airflow-worker" in shown
    assert "the document says so" in shown
