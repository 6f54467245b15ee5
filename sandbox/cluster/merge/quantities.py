"""Quantities (`500m`, `1.5Gi`) in the one form in which the server writes them back.

Here: the form without fraction and with the largest suffix that loses nothing. Not here: whether it makes sense.
Source: k8s.io/apimachinery pkg/api/resource.
"""

import re
from fractions import Fraction
from functools import lru_cache
from typing import Final

_WRITTEN: Final = re.compile(r"([+-]?)([0-9]*)(?:\.([0-9]*))?([eEinumkKMGTP]*)([-+]?[0-9]*)")
_RULE: Final = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
_DECIMAL: Final = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY: Final = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
_BINARY_STEP: Final = 1024
_DECIMAL_STEP: Final = 1000
_SMALLEST: Final = 10**9
_LARGEST_EXPONENT: Final = 18


@lru_cache(maxsize=4096)
def canonical(written: str) -> str:
    """The quantity as the server writes it.

    Raises:
        ValueError: it is none; in the words of the server.
    """
    match = _WRITTEN.fullmatch(written)
    if match is None or not written:
        raise ValueError(_RULE)
    sign, whole, fraction, suffix, power = match.groups()
    number = Fraction(f"{sign}{whole or 0}.{fraction or 0}")
    if power and suffix in ("e", "E"):
        return _decimal(number * Fraction(10) ** int(power), exponential=True)
    if power or suffix not in _DECIMAL.keys() | _BINARY.keys():
        raise ValueError("unable to parse quantity's suffix")
    if suffix in _BINARY:
        return _binary(number * _BINARY_STEP ** _BINARY[suffix])
    return _decimal(number * Fraction(10) ** _DECIMAL[suffix], exponential=False)


def _binary(number: Fraction) -> str:
    if abs(number) < _BINARY_STEP or number.denominator != 1:
        return _decimal(number, exponential=False)
    value, step = int(number), 0
    while value % _BINARY_STEP == 0 and step < len(_BINARY):
        value //= _BINARY_STEP
        step += 1
    return f"{value}{['', *_BINARY][step]}"


def _decimal(number: Fraction, *, exponential: bool) -> str:
    # Whoever asks for less than the smallest amount gets the smallest amount, not nothing.
    value, exponent = -(-number.numerator * _SMALLEST // number.denominator), -9
    if value == 0:
        return "0"
    while value % _DECIMAL_STEP == 0 and exponent < _LARGEST_EXPONENT:
        value //= _DECIMAL_STEP
        exponent += 3
    suffixes = {number: suffix for suffix, number in _DECIMAL.items()}
    return f"{value}e{exponent}" if exponential and exponent else f"{value}{suffixes[exponent]}"
