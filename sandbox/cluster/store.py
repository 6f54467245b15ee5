"""What etcd and the watch cache are to a real server: objects, one counter of versions, a window of past changes.

Here: storing, removing, listing as of a version, telling listeners. Not here: whether a write is allowed. Everything is
synchronous, so what happens between two awaits is a transaction. Stored objects are shared, never copied: nobody may
change one after it was put.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from sandbox.cluster.errors import expired
from sandbox.cluster.kinds import Json, Kind

Key = tuple[str, str]
_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


def encoded(document: Json) -> bytes:
    """Return a document as the bytes that go over the wire."""
    return _encode(document).encode()


@dataclass(frozen=True, slots=True)
class Stored:
    """One version of one object, with its encoding made once: ``item`` is the object as lists carry it."""

    kind: Kind
    namespace: str
    name: str
    version: int
    document: Json
    item: bytes

    @property
    def key(self) -> Key:
        """The object's place among its kind."""
        return (self.namespace, self.name)

    @property
    def body(self) -> bytes:
        """The object as it is answered alone: lists of built-in kinds leave out what each item would repeat."""
        head = f'{{"kind":"{self.kind.name}","apiVersion":"{self.kind.api_version}",'
        return head.encode() + self.item[1:]

    @property
    def uid(self) -> str:
        """The object's identity, which no later object of the same name shares."""
        return str(self.document["metadata"]["uid"])

    @property
    def deleting(self) -> bool:
        """Whether the object waits for finalizers or for its grace period."""
        return "deletionTimestamp" in self.document["metadata"]


def held_by(kind: Kind, document: Json, version: int) -> Stored:
    """Return a document of a kind together with its key and its encoding."""
    metadata = document["metadata"]
    content = {key: value for key, value in document.items() if key not in {"kind", "apiVersion"}}
    return Stored(kind, metadata.get("namespace", ""), metadata["name"], version, document, encoded(content))


@dataclass(frozen=True, slots=True)
class Change:
    """One step of one object: ``before`` is None when it appeared, ``gone`` says that ``after`` is its last state."""

    version: int
    before: Stored | None
    after: Stored
    gone: bool = False


class _Shelf:
    """The objects of one kind and the window of their changes.

    The window opens with a change that was already seen when the kind came into being, so the oldest entry is always
    the newest thing that can no longer be replayed.
    """

    def __init__(self, kind: Kind, opened: int, window: int) -> None:
        self.objects: dict[Key, Stored] = {}
        mark = Stored(kind, "", "", opened, {}, b"")
        self.changes: deque[Change] = deque([Change(opened, None, mark)], maxlen=window)


class Store:
    """Every object of the cluster. ``window`` is how many changes of a kind can be replayed."""

    def __init__(self, *, window: int) -> None:
        self.version = 1
        self._window = window
        self._shelves: dict[Kind, _Shelf] = {}
        self._listeners: list[Callable[[Change], None]] = []

    def listen(self, listener: Callable[[Change], None]) -> None:
        """Call ``listener`` on every change from now on, within the write that makes it."""
        self._listeners.append(listener)

    def forget(self, listener: Callable[[Change], None]) -> None:
        """Stop calling ``listener``."""
        self._listeners.remove(listener)

    def get(self, kind: Kind, namespace: str, name: str) -> Stored | None:
        """Return the present version of an object, or None."""
        return self._shelf(kind).objects.get((namespace, name))

    def of(self, kind: Kind, namespace: str = "") -> list[Stored]:
        """Return the present objects of a kind, in one namespace or, with "", in all; in the order of their keys."""
        objects = self._shelf(kind).objects
        found = [stored for key, stored in objects.items() if not namespace or key[0] == namespace]
        return sorted(found, key=lambda stored: stored.key)

    def at(self, kind: Kind, version: int) -> list[Stored]:
        """Return the objects of a kind as they were at ``version``, in the order of their keys.

        Raises:
            ApiError: 410, when that version is no longer within the window.
        """
        objects = dict(self._shelf(kind).objects)
        for change in reversed(self.since(kind, version)):
            if change.before is None:
                del objects[change.after.key]
            else:
                objects[change.after.key] = change.before
        return sorted(objects.values(), key=lambda stored: stored.key)

    def since(self, kind: Kind, version: int) -> list[Change]:
        """Return the changes of a kind after ``version``, oldest first.

        Raises:
            ApiError: 410, when changes after that version are no longer kept.
        """
        changes = self._shelf(kind).changes
        if version < changes[0].version:
            raise expired(version, changes[0].version)
        return [change for change in changes if change.version > version]

    def changed(self, kind: Kind) -> int:
        """Return the version of the last change of a kind."""
        return self._shelf(kind).changes[-1].version

    def put(self, kind: Kind, document: Json) -> Stored:
        """Store ``document`` under the next version, which is written into it, and tell the listeners."""
        stored = self._stamped(kind, document)
        objects = self._shelf(kind).objects
        before = objects.get(stored.key)
        objects[stored.key] = stored
        self._tell(Change(stored.version, before, stored))
        return stored

    def remove(self, stored: Stored, last: Json) -> Stored:
        """Remove an object; ``last`` is its final state, which watchers see under the next version."""
        final = self._stamped(stored.kind, last)
        before = self._shelf(stored.kind).objects.pop(stored.key)
        self._tell(Change(final.version, before, final, gone=True))
        return final

    def _stamped(self, kind: Kind, document: Json) -> Stored:
        self.version += 1
        document["metadata"]["resourceVersion"] = str(self.version)
        return held_by(kind, document, self.version)

    def _tell(self, change: Change) -> None:
        self._shelf(change.after.kind).changes.append(change)
        for listener in tuple(self._listeners):
            listener(change)

    def _shelf(self, kind: Kind) -> _Shelf:
        if kind not in self._shelves:
            self._shelves[kind] = _Shelf(kind, self.version, self._window)
        return self._shelves[kind]
