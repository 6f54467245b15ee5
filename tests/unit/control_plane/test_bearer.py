"""Secrets are recognised by kind, matched by hash, and never shown by accident."""

from __future__ import annotations

import hashlib
import re

import pytest

from control_plane.bearer import Bearer, Kind


@pytest.mark.parametrize("kind", list(Kind))
def test_a_secret_reads_back_as_itself(kind: Kind) -> None:
    made = Bearer.new(kind)
    assert Bearer.parse(kind, made.reveal()) == made
    assert re.fullmatch(r"pg[a-z]{6}_[0-9a-f]{12}_[A-Za-z0-9_-]{43}", made.reveal())


def test_one_kind_is_never_taken_for_another() -> None:
    made = Bearer.new(Kind.ENROL)
    assert Bearer.parse(Kind.ADMIN, made.reveal()) is None


@pytest.mark.parametrize("text", ["", "pgenroll", "pgenroll_abc_def", "x" * 5000, "pgenroll_0123456789ab_" + "é" * 43])
def test_what_is_no_secret_is_none(text: str) -> None:
    assert Bearer.parse(Kind.ENROL, text) is None


def test_only_the_right_secret_matches_its_hash() -> None:
    made, other = Bearer.new(Kind.ADMIN), Bearer.new(Kind.ADMIN)
    assert made.matches(hashlib.sha256(made.secret.encode()).hexdigest())
    assert not made.matches(other.hash)
    assert not made.matches(None)


def test_nobody_can_be_matched_by_the_stand_in_for_no_row() -> None:
    nobody = Bearer(Kind.ADMIN, "0" * 12, "nobody")
    assert not nobody.matches(None)


def test_a_secret_is_not_in_its_representation() -> None:
    made = Bearer.new(Kind.ADMIN)
    assert made.secret not in repr(made)
    assert made.id in repr(made)


def test_secrets_do_not_repeat() -> None:
    assert len({Bearer.new(Kind.ENROL).secret for _ in range(1000)}) == 1000
