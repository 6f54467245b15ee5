"""Watches: the changes of a kind as a stream of events, from a version on.

Here: which events a watcher sees, bookmarks, the end of a watch. Not here: HTTP. A watch that asks for history that is
no longer kept gets one ERROR event with a Status 410, as the real server does once a watch is accepted.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

from sandbox.cluster.api import Api
from sandbox.cluster.asks import Ask
from sandbox.cluster.calls import Call
from sandbox.cluster.errors import ApiError
from sandbox.cluster.kinds import Json
from sandbox.cluster.reads import select
from sandbox.cluster.store import Change, Stored, encoded, held_by

_LONGEST_SECONDS = 3600
_LAST_BOOKMARK_SECONDS = 2.0
_INITIAL_EVENTS_END: Json = {"annotations": {"k8s.io/initial-events-end": "true"}}


@dataclass(frozen=True, slots=True)
class Stopped:
    """Put into a feed when the cluster stops."""


class Feed:
    """The changes of the store from the moment of its construction on, as one watcher takes them."""

    def __init__(self, api: Api) -> None:
        self._queue: asyncio.Queue[Change | Stopped] = asyncio.Queue()
        self._store = api.store
        self._store.listen(self._queue.put_nowait)

    def stop(self) -> None:
        """End the feed after what was already put into it."""
        self._queue.put_nowait(Stopped())

    def close(self) -> None:
        """Take no more changes."""
        self._store.forget(self._queue.put_nowait)

    async def take(self) -> list[Change | Stopped]:
        """Wait for a change and return it with all that came meanwhile."""
        taken = [await self._queue.get()]
        while not self._queue.empty():
            taken.append(self._queue.get_nowait())
        return taken


class Watch:
    """One watcher's view of a kind. What it begins with is taken at once, so that no change falls between."""

    def __init__(self, api: Api, call: Call, ask: Ask, *, feed: Feed, bookmark_seconds: float) -> None:
        self._api = api
        self._target = call.target
        self._form = call.form
        self._feed = feed
        self._ask = ask
        self._bookmark_seconds = bookmark_seconds
        self._began = ask.version or api.store.version
        self._first = self._beginning()

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Yield encoded events until the watch's time is over, the history is lost or the cluster stops."""
        yield b"".join(self._first)
        clock = asyncio.get_running_loop().time
        end = clock() + (self._ask.timeout_seconds or _LONGEST_SECONDS)
        while clock() < end:
            # The real server sends a bookmark now and then, and one shortly before the end.
            due = min(clock() + self._bookmark_seconds, end - _LAST_BOOKMARK_SECONDS)
            taken = await self._take(until=due if due > clock() else end)
            changes = [change for change in taken if isinstance(change, Change)]
            yield b"".join(self._event(change) for change in changes)
            if len(changes) < len(taken):
                return
            if not taken and self._ask.bookmarks and clock() < end:
                yield self._progress()

    async def _take(self, until: float) -> Sequence[Change | Stopped]:
        try:
            async with asyncio.timeout_at(until):
                return await self._feed.take()
        except TimeoutError:
            return ()

    def _beginning(self) -> list[bytes]:
        if self._ask.initial:
            events = [self._encoded("ADDED", stored) for stored in select(self._api, self._target, self._ask)]
            if self._ask.marked and self._ask.bookmarks:
                events.append(self._bookmark(self._api.store.version, _INITIAL_EVENTS_END))
            return events
        try:
            past = self._api.store.since(self._target.kind, self._ask.version or self._api.store.version)
        except ApiError as lost:
            self._feed.stop()
            return [_line("ERROR", encoded(lost.status()))]
        return [self._event(change) for change in past]

    def _event(self, change: Change) -> bytes:
        after = change.after
        if after.kind != self._target.kind or self._target.namespace not in {"", after.namespace}:
            return b""
        seen, seeing = self._sees(change.before), self._sees(None if change.gone else after)
        if seeing:
            return self._encoded("MODIFIED" if seen else "ADDED", after)
        if seen:
            return self._encoded("DELETED", after if change.gone else _as_of(change))
        return b""

    def _sees(self, stored: Stored | None) -> bool:
        lets_through = self._ask.lets_through
        return stored is not None and (lets_through is None or lets_through(stored.document))

    def _encoded(self, event: str, stored: Stored) -> bytes:
        try:
            return _line(event, self._form(self._api.pace.now()).one(stored))
        except ApiError:
            # An object cannot be shown in the form of a list: the real server says so in its own log and hangs up.
            self._feed.stop()
            return b""

    def _progress(self) -> bytes:
        """Return a bookmark, or nothing: a kind of which nothing was written since the watch began has no news."""
        version = self._api.store.changed(self._target.kind)
        return self._bookmark(version, {}) if version > self._began else b""

    def _bookmark(self, version: int, metadata: Json) -> bytes:
        document = {"metadata": metadata | {"resourceVersion": str(version)}}
        mark = Stored(self._target.kind, "", "", version, document, encoded(document))
        return _line("BOOKMARK", self._form(self._api.pace.now()).mark(mark))


def _as_of(change: Change) -> Stored:
    """Return the last state that a selector matched, under the version at which it stopped matching."""
    assert change.before is not None
    before = change.before
    metadata = before.document["metadata"] | {"resourceVersion": str(change.version)}
    return held_by(before.kind, before.document | {"metadata": metadata}, change.version)


def _line(event: str, body: bytes) -> bytes:
    return b'{"type":"' + event.encode() + b'","object":' + body + b"}\n"
