"""Quantities such as ``500m`` and ``1Gi``: the numbers that they stand for.

Here: reading one, as k8s.io/apimachinery/pkg/api/resource does. Not here: the form in which one is stored (``merge``).
"""

from __future__ import annotations

import re
from fractions import Fraction

_FORM = re.compile(r"^(?P<number>[+-]?[0-9.]+)(?P<suffix>|[numkMGTPE]|[KMGTPE]i)$")
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}


def value_of(quantity: str) -> Fraction:
    """Return the number that a stored quantity stands for."""
    found = _FORM.fullmatch(quantity)
    assert found, quantity
    number, suffix = Fraction(found["number"]), found["suffix"]
    return number * 2 ** _BINARY[suffix] if suffix in _BINARY else number * Fraction(10) ** _DECIMAL[suffix]
