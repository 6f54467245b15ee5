"""The accepted desired state in memory: the poll loop writes it, the others read it and are woken by its changes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping

from agent.model.desired import Desired, Document, Standing


class Accepted:
    """Holds what was accepted last. ``ready`` is set once anything was, from the cluster or from the control plane."""

    def __init__(self) -> None:
        self.desired = Desired(Standing(0, 0))
        self.ready = asyncio.Event()
        self.published = asyncio.Event()
        """Set with every state that is taken, also one that changes nothing: for the one loop that clears it."""
        self._changed: set[str] = set()
        self._finished: set[str] = set()
        self._news = asyncio.Event()

    def publish(self, desired: Desired) -> None:
        """Take a new state; what differs for an instance wakes its work."""
        before, self.desired = self.desired, desired
        self._changed.update(_differing(before.documents, desired.documents))
        self._changed.update(_differing(before.refusals, desired.refusals))
        self._changed.update(before.unlisted ^ desired.unlisted)
        documents = desired.documents
        self._finished = {one for one in self._finished if documents.get(one) is before.documents.get(one)}
        self.ready.set()
        self.published.set()
        self._news.set()

    async def changed(self) -> frozenset[str]:
        """Wait for ids of which the document, the refusal or the listing changed."""
        while not self._changed:
            self._news.clear()
            await self._news.wait()
        changed, self._changed = frozenset(self._changed), set()
        return changed

    def carried_out(self, document: Document) -> None:
        """This tombstone has done all that it may: once no index lists it, it need not be kept in force."""
        instance_id = document.entry.id
        if self.desired.documents.get(instance_id) is document:
            self._finished.add(instance_id)

    def finished(self) -> frozenset[str]:
        """Instances of which the document in force was carried out for good."""
        return frozenset(self._finished)


def _differing(before: Mapping[str, object], after: Mapping[str, object]) -> Iterator[str]:
    """Keys whose values differ. Most values are the very same object: only the others are compared."""
    for key, new in after.items():
        old = before.get(key)
        if old is not new and old != new:
            yield key
    for key in before.keys() - after.keys():
        yield key
