"""Ways into documents: every place that a path names.

Here: finding. Not here: what is done there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sandbox.cluster.kinds import Json


def walk(holders: list[Json], ways: Sequence[str]) -> Iterator[Json]:
    """Yield what lies at the end of a way from each holder: through every element of a list at ``[]``."""
    for way in ways:
        name = way.removesuffix("[]")
        found = [holder[name] for holder in holders if holder.get(name) is not None]
        holders = [element for elements in found for element in elements] if name != way else found
    yield from holders
