"""Unpacking gives what was packed, within its bound, and anything else is refused in words."""

from __future__ import annotations

import zlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.model.errors import Refused
from agent.wire.encodings import ENCODINGS, pack, unpack
from agent.wire.refusals import Reason


def packed(body: bytes, encoding: str) -> bytes:
    if encoding == "identity":
        return body
    return zlib.compress(body) if encoding == "deflate" else pack(body, encoding)


@given(st.binary(max_size=5000), st.sampled_from(ENCODINGS))
def test_what_was_packed_comes_out(body: bytes, encoding: str) -> None:
    assert unpack(packed(body, encoding), encoding, limit=len(body), what="report") == body


@given(st.binary(min_size=1, max_size=5000), st.sampled_from(ENCODINGS))
def test_one_byte_above_the_bound_is_too_much(body: bytes, encoding: str) -> None:
    with pytest.raises(Refused) as caught:
        unpack(packed(body, encoding), encoding, limit=len(body) - 1, what="report")
    assert caught.value.reason == Reason.TOO_LARGE


@given(st.binary(max_size=300), st.sampled_from(ENCODINGS[1:]))
def test_any_bytes_are_unpacked_within_the_bound_or_refused(raw: bytes, encoding: str) -> None:
    with suppress(Refused):
        assert len(unpack(raw, encoding, limit=1000, what="report")) <= 1000


@pytest.mark.parametrize("encoding", ENCODINGS[1:])
@pytest.mark.parametrize("left", [0, 1, 20, -1])
def test_what_was_cut_is_not_taken_for_the_whole(encoding: str, left: int) -> None:
    cut = packed(bytes(range(256)) * 10, encoding)[:left]
    with pytest.raises(Refused) as caught:
        unpack(cut, encoding, limit=10_000, what="report")
    assert caught.value.reason == Reason.MALFORMED
