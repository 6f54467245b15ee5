"""Content encodings of reports: packing, and unpacking with a bound that holds while the bytes come out.

A few bytes can unpack to gigabytes; the bound is on the plain ones, and nothing beyond it is ever made.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Mapping
from typing import Final

import zstandard

from agent.model.errors import Refused
from agent.wire.refusals import Reason

ZSTD: Final = "zstd"
GZIP: Final = "gzip"
_PACKERS: Final[Mapping[str, Callable[[bytes], bytes]]] = {
    ZSTD: lambda body: zstandard.ZstdCompressor(level=3).compress(body),
    GZIP: lambda body: gzip.compress(body, mtime=0),
}
ENCODINGS: Final = ("identity", ZSTD, GZIP, "deflate")
"""What a receiver takes."""
_PIECE: Final = 16 * 1024
_WINDOW: Final = 8 * 1024 * 1024
"""The most memory that a zstd frame may ask for; RFC 9659 has the same bound for the web."""


def pack(body: bytes, encoding: str) -> bytes:
    """The body in this encoding."""
    return _PACKERS[encoding](body)


def unpack(body: bytes, encoding: str, *, limit: int, what: str) -> bytes:
    """The plain bytes, at most ``limit`` of them. Raises Refused (TooLarge, Malformed).

    ``encoding`` is one of ``ENCODINGS``.
    """
    try:
        if encoding == ZSTD:
            plain, whole = _from_zstd(body, limit)
        elif encoding == "identity":
            plain, whole = body, True
        else:
            plain, whole = _from_zlib(body, limit, gzipped=encoding == GZIP)
    except (zlib.error, zstandard.ZstdError):
        raise Refused(f"is not {encoding}, as its header says", path=what, reason=Reason.MALFORMED) from None
    if len(plain) > limit:
        raise Refused(f"has more than the {limit} plain bytes allowed", path=what, reason=Reason.TOO_LARGE)
    if not whole:
        raise Refused(f"ends in the middle of its {encoding}", path=what, reason=Reason.MALFORMED)
    return plain


def _from_zlib(body: bytes, limit: int, *, gzipped: bool) -> tuple[bytes, bool]:
    # 16 + 15: a gzip header is wanted; else zlib's own, which HTTP calls deflate.
    unpacking = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS if gzipped else zlib.MAX_WBITS)
    plain = unpacking.decompress(body, limit + 1)
    return plain, unpacking.eof and not unpacking.unused_data


def _from_zstd(body: bytes, limit: int) -> tuple[bytes, bool]:
    unpacking = zstandard.ZstdDecompressor(max_window_size=_WINDOW)
    plain = bytearray()
    with unpacking.stream_reader(body, read_size=_PIECE) as reader:
        while len(plain) <= limit and (piece := reader.read(_PIECE)):
            plain += piece
    if len(plain) > limit:
        return bytes(plain), True
    # A frame that is cut gives what it has, and no error: its own end says whether it was whole.
    ending = zstandard.ZstdDecompressor(max_window_size=_WINDOW).decompressobj()
    ending.decompress(body)
    return bytes(plain), ending.eof
