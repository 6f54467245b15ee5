"""What a loop makes of an error that nobody foresaw: one that can be told, named by its type and its place alone."""

from __future__ import annotations

import traceback
from pathlib import PurePath

from agent.model.errors import Unforeseen


def unforeseen(error: BaseException) -> Unforeseen:
    """The error as one that says where it arose. Its own text stays away: it may quote what it stumbled over."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    frames = traceback.extract_tb(error.__traceback__)
    where = f"{PurePath(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "an unknown place"
    return Unforeseen(
        f"{type(error).__name__} at {where}", hint="this is a fault of the agent: report it with this line"
    )
