"""Repeatable chance: choices, parts and orders out of one seeded stream, for documents that no person would write."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from tests.support.kube import Json


class Dice:
    """Choices out of one stream of chance."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def one(self, *choices: Any) -> Any:
        """One of the choices."""
        return self._random.choice(choices)

    def some(self, **choices: Any) -> Json:
        """Some of the fields; a function is called for its value, a tuple stands for one of its members."""
        result = {}
        for name, choice in choices.items():
            if self._random.random() < 0.55:
                result[name] = (
                    choice() if callable(choice) else self.one(*choice) if isinstance(choice, tuple) else choice
                )
        return result

    def several(self, names: Sequence[Any], make: Callable[[Any], Any], *, least: int = 0) -> list[Any]:
        """Items for some of the names, in any order."""
        count = self._random.randint(least, len(names))
        return [make(name) for name in self._random.sample(list(names), count)]


def metadata(dice: Dice) -> Json:
    """Some labels, annotations and finalizers; the name is given later."""
    return dice.some(
        labels=lambda: dice.some(app="web", x=("1", "2"), y=("1", "2")),
        annotations=lambda: dice.some(a=("1", "2"), b=("1", "2")),
        finalizers=lambda: dice.several(["test.invalid/a", "test.invalid/b", "test.invalid/c"], str),
    )
