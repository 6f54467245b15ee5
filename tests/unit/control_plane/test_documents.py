"""Documents out of files: plain data, nothing twice, and messages that name the place."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from agent.model.errors import Misconfigured, Refused
from agent.wire.codec import instance_of
from control_plane.commands.documents import read_documents

EXAMPLES = Path(__file__).parents[3] / "config" / "examples"


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "document.yaml"
    file.write_text(text)
    return file


@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.name)
def test_every_example_is_a_document(example: Path) -> None:
    for document in read_documents(example):
        assert instance_of(document)[0].name


def test_several_documents_in_one_file(tmp_path: Path) -> None:
    assert read_documents(written(tmp_path, "a: 1\n---\n---\nb: 2\n")) == [{"a": 1}, {"b": 2}]


def test_what_looks_like_a_date_stays_text(tmp_path: Path) -> None:
    assert read_documents(written(tmp_path, "day: 2026-01-01\n")) == [{"day": "2026-01-01"}]


def test_a_key_that_stands_there_twice_is_refused_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="line 2: team stands there twice"):
        read_documents(written(tmp_path, "spec:\n  team: a\n  team: b\n"))


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "just text", "a: [1", "!!python/object/apply:os.getcwd []"])
def test_what_holds_no_document_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(Refused, match=r"document\.yaml"):
        read_documents(written(tmp_path, text))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"absent\.yaml cannot be read"):
        read_documents(tmp_path / "absent.yaml")


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("a: 1\n"))
    assert read_documents(Path("-")) == [{"a": 1}]
