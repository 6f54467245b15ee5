"""Watches: the changes of a kind as a stream of events, from a version on.

Here: which events a watcher sees, bookmarks, the end of a watch. Not here: HTTP. A watch that asks for history that is
no longer kept gets one ERROR event with a Status 410, as the real server does once a watch is accepted.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from sandbox.cluster.api import Api
from sandbox.cluster.calls import Call
from sandbox.cluster.errors import ApiError
from sandbox.cluster.reads import select, shown
from sandbox.cluster.selectors import Predicate, predicate
from sandbox.cluster.store import Change, Stored, encoded, held_by

_LONGEST_SECONDS = 3600
_INITIAL_EVENTS_END = {"k8s.io/initial-events-end": "true"}


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
    """One watcher's view of a kind."""

    def __init__(self, api: Api, call: Call, feed: Feed, *, bookmark_seconds: float) -> None:
        self._api = api
        self._call = call
        self._feed = feed
        self._lets_through: Predicate | None = predicate(
            call.target.kind, labels=call.query.get("labelSelector", ""), fields=call.query.get("fieldSelector", "")
        )
        self._bookmarks = call.flag("allowWatchBookmarks")
        self._bookmark_seconds = bookmark_seconds
        self._first = b"".join(self._beginning())

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield encoded events until the watch's time is over, the history is lost or the cluster stops."""
        if self._first:
            yield self._first
        clock = asyncio.get_running_loop().time
        end = clock() + float(self._call.query.get("timeoutSeconds") or _LONGEST_SECONDS)
        while clock() < end:
            try:
                async with asyncio.timeout_at(min(end, clock() + self._bookmark_seconds)):
                    taken = await self._feed.take()
            except TimeoutError:
                if self._bookmarks:
                    yield self._bookmark()
                continue
            changes = [change for change in taken if isinstance(change, Change)]
            if events := b"".join(self._event(change) for change in changes):
                yield events
            if len(changes) < len(taken):
                return

    def _beginning(self) -> list[bytes]:
        asked = self._call.query.get("resourceVersion", "")
        initial = self._call.query.get("sendInitialEvents")
        if initial == "true" or (initial is None and asked in {"", "0"}):
            events = [self._encoded("ADDED", stored) for stored in select(self._api, self._call)]
            return [*events, self._bookmark(_INITIAL_EVENTS_END)] if initial else events
        try:
            past = self._api.store.since(self._call.target.kind, int(asked))
        except ApiError as lost:
            self._feed.stop()
            return [_line("ERROR", encoded(lost.status()))]
        return [self._event(change) for change in past]

    def _event(self, change: Change) -> bytes:
        target, after = self._call.target, change.after
        if after.kind != target.kind or target.namespace not in {"", after.namespace}:
            return b""
        seen, seeing = self._sees(change.before), self._sees(None if change.gone else after)
        if seeing:
            return self._encoded("MODIFIED" if seen else "ADDED", after)
        if seen:
            last = after if change.gone else _as_of(change)
            return self._encoded("DELETED", last)
        return b""

    def _sees(self, stored: Stored | None) -> bool:
        return stored is not None and (self._lets_through is None or self._lets_through(stored.document))

    def _encoded(self, event: str, stored: Stored) -> bytes:
        return _line(event, shown(stored, metadata_only=self._call.metadata_only))

    def _bookmark(self, annotations: dict[str, str] | None = None) -> bytes:
        kind = self._call.target.kind
        metadata = {"resourceVersion": str(self._api.store.version)} | (
            {"annotations": annotations} if annotations else {}
        )
        mark = held_by(kind, {"metadata": metadata | {"name": ""}}, self._api.store.version)
        return self._encoded("BOOKMARK", mark)


def _as_of(change: Change) -> Stored:
    """Return the last state that a selector matched, under the version at which it stopped matching."""
    assert change.before is not None
    before = change.before
    metadata = before.document["metadata"] | {"resourceVersion": str(change.version)}
    return held_by(before.kind, before.document | {"metadata": metadata}, change.version)


def _line(event: str, body: bytes) -> bytes:
    return b'{"type":"' + event.encode() + b'","object":' + body + b"}\n"
