"""Every call of protocol v1 that an enrolled agent makes, over mutual TLS. Implements the port ``ControlPlane``.

Here: paths, headers, limits. Not here: judging what came (``agent.wire``), and when to ask (``agent.loops``). Nothing
is repeated here but reading documents, which changes nothing anywhere; polls and reports have loops that come back.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from itertools import islice
from typing import Final, Protocol, Self

from agent.model.desired import Entry
from agent.model.errors import AgentError, NotAuthorised, Refused, Retryable
from agent.ports import Clock, ControlPlane, IndexAnswer
from agent.settings import UplinkSettings
from agent.uplink.exchange import Call, Exchange, repeated
from agent.uplink.faults import Answer, ConnectionCut, EncodingNotTaken, from_status
from agent.uplink.patience import Patience
from agent.wire.documents import DocumentsRequestV1, decode_answer
from agent.wire.encodings import GZIP, ZSTD, pack
from agent.wire.limits import MAX_DOCUMENTS_ANSWER_BYTES, MAX_DOCUMENTS_PER_REQUEST, MAX_INDEX_BYTES, MAX_PROBLEM_BYTES
from agent.wire.reports import SEQUENCE_HEADER, STREAM_HEADER

SKEW_WORTH_A_WORD_SECONDS: Final = 60.0
_JSON: Final = {"Content-Type": "application/json"}
_FRAME_BYTES: Final = 100
"""What JSON adds to a document in an answer with many: digest, quotes, commas."""


class Presented(Protocol):
    """What we show of ourselves: an identity, or the credentials of which it is the present one."""

    @property
    def not_after(self) -> datetime:
        """Until when our certificate holds."""
        ...

    def ssl_context(self) -> ssl.SSLContext:
        """TLS as ourselves, towards whom we trust."""
        ...


class HttpUplink(ControlPlane):
    """The control plane, as this identity is served. Connects when first asked; ``aclose`` when done."""

    def __init__(self, settings: UplinkSettings, identity: Presented, *, clock: Clock) -> None:
        self._base = settings.agents_url
        self._clock = clock
        self._identity = identity
        self._exchange = Exchange(settings, clock=clock, context=identity.ssl_context)
        self._patience = Patience()
        self._encoding = ZSTD

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._exchange.aclose()

    def reconnect(self) -> None:
        """Make new connections from now on, as the identity is by then; calls in flight finish on theirs."""
        self._exchange.reconnect()

    @property
    def skew_seconds(self) -> float | None:
        """How far our clock is ahead of the control plane's; None before its first answer."""
        return self._exchange.skew_seconds

    async def poll(self, *, etag: str, wait_seconds: float) -> IndexAnswer | None:
        """The signed index, or None if it is still the one of ``etag`` after the wait (an empty tag: no wait).

        Raises Retryable, NotAuthorised, or Refused (TooLarge).
        """
        wait = int(self._patience.seconds(wait_seconds))
        url = f"{self._base}/v1/desired?wait={wait}"
        headers = {"If-None-Match": etag} if etag else {}
        try:
            answer = await self._ask(Call("GET", url, MAX_INDEX_BYTES, headers=headers, wait_seconds=wait))
        except ConnectionCut:
            self._patience.cut()
            raise
        self._patience.whole()
        if answer.status == HTTPStatus.NOT_MODIFIED:
            return None
        return IndexAnswer(envelope=answer.body, etag=answer.headers.get("etag", ""))

    async def documents(self, entries: Sequence[Entry]) -> Mapping[str, bytes]:
        """The documents' bytes by digest; what the control plane does not have is absent.

        A document that is longer than its entry says comes cut off at that size, so that its digest cannot match and
        only its own instance suffers. Raises Retryable, NotAuthorised, or Refused where an answer makes no sense.
        """
        wanted = {entry.digest: entry.size for entry in entries}
        fetch = self._one if len(wanted) == 1 else self._many
        found: dict[str, bytes] = {}
        while wanted:
            batch = dict(_fitting(wanted))
            came = await fetch(batch)
            useful = {digest: raw[: batch[digest]] for digest, raw in came.items() if digest in batch}
            found |= useful
            # An answer may be partial, then the rest is asked for again; one without anything of use is the last word.
            settled = useful.keys() or batch.keys()
            wanted = {digest: size for digest, size in wanted.items() if digest not in settled}
        return found

    async def report(self, *, stream: str, sequence: int, body: bytes) -> None:
        """Deliver one batch, compressed; sent again under the same stream and sequence it counts once.

        Raises Retryable, NotAuthorised, or Terminal if the control plane will never take this batch.
        """
        place = {STREAM_HEADER: stream, SEQUENCE_HEADER: str(sequence)}
        try:
            await self._deliver(body, place)
        except EncodingNotTaken:
            if self._encoding == GZIP:
                raise
            self._encoding = GZIP  # for as long as this connection is used: it will not learn another one meanwhile
            await self._deliver(body, place)

    async def _deliver(self, body: bytes, place: Mapping[str, str]) -> None:
        packed = await asyncio.to_thread(pack, body, self._encoding)
        headers = {**place, **_JSON, "Content-Encoding": self._encoding}
        await self._ask(Call("POST", f"{self._base}/v1/reports", MAX_PROBLEM_BYTES, body=packed, headers=headers))

    async def _one(self, wanted: Mapping[str, int]) -> Mapping[str, bytes]:
        [(digest, size)] = wanted.items()
        call = Call("GET", f"{self._base}/v1/documents/{digest}", size, cut_at_limit=True)
        answer = await self._read(call)
        return {} if answer.status == HTTPStatus.NOT_FOUND else {digest: answer.body}

    async def _many(self, wanted: Mapping[str, int]) -> Mapping[str, bytes]:
        body = DocumentsRequestV1(digests=tuple(wanted)).to_bytes()
        limit = min(sum(map(_encoded, wanted.values())) + _FRAME_BYTES, MAX_DOCUMENTS_ANSWER_BYTES)
        try:
            answer = await self._read(Call("POST", f"{self._base}/v1/documents", limit, body, _JSON))
            return decode_answer(answer.body)
        except Refused:  # one of them is too long or worse: each for itself, so that the others get through
            alone = [await self._one({digest: size}) for digest, size in wanted.items()]
            return {digest: raw for found in alone for digest, raw in found.items()}

    async def _read(self, call: Call) -> Answer:
        return await repeated(lambda: self._ask(call), if_=_may_pass, clock=self._clock)

    async def _ask(self, call: Call) -> Answer:
        """An answer that is a success, 304, or 404 for a document; raises what anything else means."""
        try:
            answer = await self._exchange.ask(call)
        except ConnectionCut as cut:
            raise self._explained(cut) from cut
        absent = answer.status == HTTPStatus.NOT_FOUND and call.cut_at_limit
        if answer.status < HTTPStatus.MULTIPLE_CHOICES or answer.status == HTTPStatus.NOT_MODIFIED or absent:
            return answer
        raise self._explained(from_status(answer))

    def _explained(self, error: AgentError) -> AgentError:
        """The error with what we know ourselves: that our certificate is over, or that the clocks differ.

        Our own clock may be the one that is wrong, so neither keeps a call from being made, and neither is a reason to
        enrol again.
        """
        if isinstance(error, ConnectionCut) and self._clock.now() >= self._identity.not_after:
            until = self._identity.not_after.isoformat(timespec="seconds")
            hint = "the agent renews it as soon as it can; see the condition CertificateValid, and this machine's clock"
            error = NotAuthorised(f"{error}, and by our clock our certificate ended at {until}", hint=hint)
        skew = self.skew_seconds
        if isinstance(error, NotAuthorised) and skew is not None and abs(skew) > SKEW_WORTH_A_WORD_SECONDS:
            side = "ahead of" if skew > 0 else "behind"
            error.hint = f"our clock is {abs(skew):.0f} s {side} the control plane's: correct that first"
        return error


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, Retryable) and error.after_seconds is None


def _encoded(size: int) -> int:
    """How many bytes a document takes in an answer with many: base64 and its frame."""
    return (size + 2) // 3 * 4 + _FRAME_BYTES


def _fitting(sizes: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    """As many as one request may ask for and one answer may hold, at least one."""
    room = MAX_DOCUMENTS_ANSWER_BYTES - _FRAME_BYTES
    for number, (digest, size) in enumerate(islice(sizes.items(), MAX_DOCUMENTS_PER_REQUEST)):
        room -= _encoded(size)
        if room < 0 and number > 0:
            return
        yield digest, size
