"""Sealed values: they open in the one place that they were sealed for, and tell nothing to anybody else."""

from __future__ import annotations

import traceback

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from agent.model.errors import Refused
from agent.wire.sealing import MAX_VALUE_BYTES, SealedFor, keyid, open_sealed, seal

KEY = X25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw()
HERE = SealedFor("eu-1", "5f0c3a52-7d54-4a1e-9b0e-0c8f6f5d2a11", "spec.airflow.secretEnv.TOKEN")
VALUE = b"a canary \xe2\x9c\x93"


def refused(text: str, *, key: X25519PrivateKey = KEY, place: SealedFor = HERE) -> Refused:
    with pytest.raises(Refused) as caught:
        open_sealed(text, key, place)
    assert caught.value.path == HERE.path or place is not HERE
    told = "".join(traceback.format_exception(caught.value))
    assert VALUE.decode() not in told
    return caught.value


def test_a_value_opens_where_it_was_sealed_for() -> None:
    text = seal(VALUE, PUBLIC, HERE)
    version, named, _ = text.split(".")
    assert (version, named) == ("v1", keyid(PUBLIC))
    assert open_sealed(text, KEY, HERE) == VALUE


def test_each_sealing_gives_another_text() -> None:
    assert seal(VALUE, PUBLIC, HERE) != seal(VALUE, PUBLIC, HERE)


@pytest.mark.parametrize(
    "place",
    [
        SealedFor("eu-2", HERE.instance, HERE.path),
        SealedFor(HERE.cluster, "6f0c3a52-7d54-4a1e-9b0e-0c8f6f5d2a11", HERE.path),
        SealedFor(HERE.cluster, HERE.instance, "spec.airflow.secretEnv.OTHER"),
    ],
    ids=["cluster", "instance", "field"],
)
def test_it_opens_nowhere_else(place: SealedFor) -> None:
    error = refused(seal(VALUE, PUBLIC, HERE), place=place)
    assert error.reason == "SealedForAnotherPlace"
    assert error.path == place.path


def test_another_key_is_named_with_ours() -> None:
    error = refused(seal(VALUE, X25519PrivateKey.generate().public_key().public_bytes_raw(), HERE))
    assert error.reason == "SealedForAnotherKey"
    assert f"sha256:{keyid(PUBLIC)}" in str(error)


def test_a_text_that_names_our_key_and_was_sealed_to_another_does_not_open() -> None:
    _, _, body = seal(VALUE, X25519PrivateKey.generate().public_key().public_bytes_raw(), HERE).split(".")
    assert refused(f"v1.{keyid(PUBLIC)}.{body}").reason == "SealedForAnotherPlace"


@pytest.mark.parametrize("body", ["", "AAAA", "A" * 64])
def test_what_is_too_short_to_be_sealed_does_not_open(body: str) -> None:
    assert refused(f"v1.{keyid(PUBLIC)}.{body}").reason == "SealedForAnotherPlace"


@pytest.mark.parametrize("text", ["", "v1", "v1.a", f"v1.{keyid(PUBLIC)}.!", f"v1.{keyid(PUBLIC)}.A", "a.b.c.d"])
def test_another_form_is_malformed(text: str) -> None:
    assert refused(text).reason == "Malformed"


def test_a_later_form_is_told_as_such() -> None:
    assert refused(f"v2.{keyid(PUBLIC)}.AAAA").reason == "UnknownMajor"


@pytest.mark.parametrize("value", [b"a\0b", b"\xff", b"x" * (MAX_VALUE_BYTES + 1)], ids=["nul", "bytes", "long"])
def test_what_no_environment_can_hold_is_not_sealed(value: bytes) -> None:
    with pytest.raises(Refused) as caught:
        seal(value, PUBLIC, HERE)
    assert caught.value.reason == "SecretUnusable"


@pytest.mark.parametrize("public", [b"", bytes(31), bytes(32)], ids=["empty", "short", "of low order"])
def test_what_is_no_key_is_not_sealed_to(public: bytes) -> None:
    with pytest.raises(Refused) as caught:
        seal(VALUE, public, HERE)
    assert caught.value.reason == "Malformed"


def test_a_text_that_was_sealed_by_an_earlier_version_opens() -> None:
    """The form is a promise: this one was sealed when it was made."""
    assert open_sealed(SEALED_ONCE, KEY, HERE) == b"sealed once"


SEALED_ONCE = (
    "v1.eedd883da0a9451593dc0a38e583fb770fa27dbbed209c20404e075e68c4f0c9."
    "rdzWqSNSdee8xVwHJuSJBu2UOlo96Jk32L/F7M36/H4i0/m5ZBT2420CW3yiley5kxo0bfKjj/K3Rco="
)
