"""Kubernetes quantities as exact numbers.

The grammar is that of ``k8s.io/apimachinery/pkg/api/resource``: a decimal, then a binary, decimal or exponent suffix.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction

from agent.model.errors import Refused

QUANTITY = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:([KMGTPE]i|[numkMGTPE])|[eE]([+-]?\d{1,3}))?")
SCALES: Mapping[str | None, Fraction] = {
    None: Fraction(1),
    **{
        suffix: Fraction(1000) ** power
        for power, suffix in enumerate(("n", "u", "m", "", "k", "M", "G", "T", "P", "E"), -3)
    },
    **{f"{suffix}i": Fraction(1024) ** power for power, suffix in enumerate("KMGTPE", 1)},
}


def amount(quantity: str) -> Fraction:
    """The exact value of a quantity such as ``1.5Gi``, ``250m`` or ``2e3``; raises Refused if it is none."""
    match = QUANTITY.fullmatch(quantity.strip())
    if match is None:
        raise Refused(
            f"{quantity!r} is not a quantity",
            reason="BadQuantity",
            hint="write a number with a suffix that Kubernetes knows, such as 500m, 2 or 1.5Gi",
        )
    digits, suffix, exponent = match.groups()
    return Fraction(digits) * (Fraction(10) ** int(exponent) if exponent else SCALES[suffix])
