"""JSON as it is taken from the wire, and its canonical form."""

from __future__ import annotations

import pytest

from agent.model.errors import Refused
from agent.wire.limits import MAX_DEPTH
from agent.wire.refusals import Reason
from agent.wire.strict import canonical, digest, parse, parse_object


def refused(raw: bytes, *, limit: int = 1000) -> Refused:
    with pytest.raises(Refused) as caught:
        parse(raw, limit=limit, what="thing")
    assert caught.value.path == "thing"
    return caught.value


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "is not JSON"),
        (b"{", "is not JSON"),
        (b'{"a": 1} {"a": 1}', "is not JSON"),
        (b"\xef\xbb\xbf{}", "is not JSON"),
        (b'"tab\tinside"', "is not JSON"),
        (b"'single'", "is not JSON"),
        (b"[1,]", "is not JSON"),
        (b"]]]]", "is not JSON"),
        (b'{"a": "unterminated', "is not JSON"),
        (b"NaN", "NaN is not a number"),
        (b'{"a": [Infinity]}', "Infinity is not a number"),
        (b"-Infinity", "-Infinity is not a number"),
        (b"1e999", "a number is too large"),
        (b"1" * 900 * 5, "is not acceptable JSON"),
        (b'{"a": {"b": 1, "b": 2}, garbage', "occurs twice in one object"),
        (b'[{"b": 1, "b": 2}, ' + b"1" * 4500 + b"]", "occurs twice in one object"),
        (b'{"[key]": 1, "[key]": 2}', "occurs twice in one object"),
        (b'"\xff"', "is not UTF-8"),
        ('"\u00e4"'.encode("latin-1"), "is not UTF-8"),
        ('{"a": 1}'.encode("utf-16"), "is not UTF-8"),
        (b'"\\ud800"', "is not UTF-8"),
        (b'{"\\udc00": 1}', "is not UTF-8"),
    ],
)
def test_what_two_parsers_could_read_differently_is_refused(raw: bytes, says: str) -> None:
    error = refused(raw, limit=10_000)
    assert error.reason == Reason.MALFORMED
    assert says in str(error)


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (b'{"a": 1, "b": 2, "a": 1}', "a"),
        (b'{"outer": {"a": 1, "\\u0061": 2}}', "outer.a"),
        (b'[{"b": [{"c": 1, "c": 2}]}]', "[0].b[0].c"),
        (b'{"": 1, "": 2}', '[""]'),
    ],
)
def test_a_key_that_stands_twice_is_refused_with_its_path(raw: bytes, path: str) -> None:
    with pytest.raises(Refused, match="occurs twice in one object") as caught:
        parse(raw, limit=1000, what="thing")
    assert (caught.value.reason, caught.value.path) == (Reason.MALFORMED, path)


def test_size_is_judged_before_anything_else() -> None:
    error = refused(b"{" * 11, limit=10)
    assert error.reason == Reason.TOO_LARGE
    assert "11 bytes, more than the 10 allowed" in str(error)
    assert parse(b"[1,2,3,4,]"[:8] + b"]", limit=9, what="thing") == [1, 2, 3, 4]


def test_depth_is_judged_before_parsing_and_brackets_in_texts_do_not_count() -> None:
    assert refused(b"[" * (MAX_DEPTH + 1)).reason == Reason.TOO_LARGE
    assert refused(b'{"a":' * (MAX_DEPTH + 1)).reason == Reason.TOO_LARGE
    deepest = b"[" * MAX_DEPTH + b"]" * MAX_DEPTH
    parse(deepest, limit=1000, what="thing")
    assert parse(b'["' + b"[" * 500 + b'"]', limit=1000, what="thing") == ["[" * 500]
    assert parse(b'["\\"' + b"[" * 500 + b'"]', limit=1000, what="thing") == ['"' + "[" * 500]
    wide = b"[" + b",".join([b"[]"] * 200) + b"]"
    assert len(parse(wide, limit=1000, what="thing")) == 200


def test_a_depth_far_beyond_the_recursion_limit_is_refused_like_any_other() -> None:
    assert refused(b"[" * 500_000, limit=1_000_000).reason == Reason.TOO_LARGE


def test_a_pair_of_surrogates_is_a_letter() -> None:
    assert parse(b'"\\ud83d\\ude00"', limit=100, what="thing") == "\U0001f600"


@pytest.mark.parametrize("raw", [b"[]", b'"text"', b"1", b"null", b"true"])
def test_only_an_object_passes_where_one_is_expected(raw: bytes) -> None:
    with pytest.raises(Refused, match="thing: must be a JSON object"):
        parse_object(raw, limit=100, what="thing")


def test_canonical_bytes_have_sorted_keys_no_spaces_and_no_needless_escapes() -> None:
    data = {"b": [1, 2.5, None], "a": {"é": True, "e": "\n"}}
    assert canonical(data).decode() == '{"a":{"e":"\\n","é":true},"b":[1,2.5,null]}'


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800"])
def test_what_json_cannot_say_has_no_canonical_form(value: object) -> None:
    with pytest.raises(ValueError, match=r"JSON compliant|surrogates not allowed"):
        canonical({"a": value})


def test_a_digest_is_the_hexadecimal_sha256() -> None:
    assert digest(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
