"""Faults that nobody thought of: a strategy for suites that throw everything at a client and ask for one end.

Here: faults that end by themselves or when they are switched off. Not here: the versions for stale reads, which only
the test knows.
"""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from sandbox.faults import (
    WRITES,
    Broken,
    Conflicting,
    Cut,
    End,
    Fault,
    Gone,
    Halved,
    Mute,
    Slow,
    Stale,
    Unanswered,
    Where,
    failing,
    throttled,
    unavailable,
)

_MOST_EVENTS = 5
_MOST_TIMES = 4


def chance_faults(where: Where, *, versions: Sequence[str] = ()) -> st.SearchStrategy[Fault]:
    """Faults of some requests out of ``where``; reads may go back to one of ``versions``."""
    events = st.integers(0, _MOST_EVENTS)
    whats = [
        st.sampled_from([throttled(), throttled(retry_after=2), failing(), unavailable()]),
        st.builds(Slow, st.sampled_from([0.01, 0.05])),
        st.builds(Unanswered, effect=st.booleans()),
        st.builds(Broken, effect=st.booleans()),
        st.builds(Halved, share=st.sampled_from([0.0, 0.5, 0.9]), hangs=st.booleans()),
        st.builds(Cut, end=st.sampled_from(End), events=events),
        st.builds(Mute, events=events),
        st.builds(Gone, as_status=st.booleans(), events=events),
        st.just(Conflicting()),
    ]
    if versions:
        whats.append(st.builds(Stale, st.sampled_from(versions)))
    return st.builds(
        Fault,
        what=st.one_of(whats),
        where=st.sampled_from([where, _writes_of(where)]),
        times=st.integers(1, _MOST_TIMES),
        skip=st.integers(0, _MOST_TIMES),
        share=st.sampled_from([0.3, 1.0]),
        seed=st.integers(0, 2**16),
    )


def _writes_of(where: Where) -> Where:
    return Where(WRITES, where.resource, where.namespace, where.name, where.agent, where.dry_run)
