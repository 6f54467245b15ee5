"""Answers that are errors, and answers with many documents."""

from __future__ import annotations

import json

import pytest

from agent.model.errors import Refused
from agent.wire.documents import DocumentsRequestV1, decode_answer, decode_request, encode_answer
from agent.wire.limits import MAX_DOCUMENTS_ANSWER_BYTES, MAX_DOCUMENTS_PER_REQUEST, MAX_PROBLEM_BYTES
from agent.wire.problems import STATUS, Code, ErrorV1, problem, read_problem
from agent.wire.strict import canonical, digest


def test_every_code_has_a_status_that_is_an_error() -> None:
    assert set(STATUS) == set(Code)
    assert all(400 <= status < 600 for status in STATUS.values())


def test_a_problem_has_one_shape() -> None:
    raw = problem(Code.TOKEN_SPENT, "the token was used before", hint="make a new one")
    assert json.loads(raw) == {
        "error": {"code": "TokenSpent", "message": "the token was used before", "hint": "make a new one"}
    }
    assert read_problem(raw) == ErrorV1(code="TokenSpent", message="the token was used before", hint="make a new one")


def test_a_code_of_a_newer_server_is_read() -> None:
    found = read_problem(b'{"error": {"code": "LicenceExpired", "message": "m", "docs": "x"}, "trace": 1}')
    assert found is not None
    assert (found.code, found.hint) == ("LicenceExpired", "")


@pytest.mark.parametrize(
    "raw", [b"", b"<html>", b"{}", b"[]", b'{"error": "x"}', b'{"error": {}}', b" " * (MAX_PROBLEM_BYTES + 1)]
)
def test_the_page_of_a_proxy_is_no_problem(raw: bytes) -> None:
    assert read_problem(raw) is None


def test_a_problem_is_cut_rather_than_refused() -> None:
    found = read_problem(problem(Code.INTERNAL, "x" * 3000, hint="y" * 3000))
    assert found is not None
    assert (len(found.message), len(found.hint)) == (2000, 2000)


def test_documents_are_asked_for_and_answered_by_digest() -> None:
    documents = {digest(raw): raw for raw in (b"one", b"\x00\xff")}
    asked = DocumentsRequestV1(digests=tuple(documents)).to_bytes()
    assert decode_request(asked) == tuple(documents)
    assert decode_answer(encode_answer(documents)) == documents
    assert decode_answer(encode_answer({})) == {}


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (b'{"digests": []}', "digests"),
        (b'{"digests": ["../../etc/passwd"]}', "digests[0]"),
        (canonical({"digests": ["a" * 64] * (MAX_DOCUMENTS_PER_REQUEST + 1)}), "digests"),
        (b"{}", "digests"),
    ],
)
def test_a_malformed_request_for_documents_is_refused(raw: bytes, path: str) -> None:
    with pytest.raises(Refused) as caught:
        decode_request(raw)
    assert caught.value.path == path


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (canonical({"documents": {"a" * 64: "?"}}), "documents." + "a" * 64),
        (canonical({"documents": {"short": "YQ=="}}), "documents.short"),
        (b" " * (MAX_DOCUMENTS_ANSWER_BYTES + 1), "answer"),
    ],
)
def test_a_malformed_answer_with_documents_is_refused(raw: bytes, path: str) -> None:
    with pytest.raises(Refused) as caught:
        decode_answer(raw)
    assert caught.value.path == path
