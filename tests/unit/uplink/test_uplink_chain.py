"""What the agent keeps of its chain of trust, so that a restart goes on from it."""

from __future__ import annotations

import pytest

from agent.model.errors import Misconfigured, Refused
from agent.uplink.trust import Trusted
from agent.wire.envelope import SigningKey
from agent.wire.trust import fingerprint
from tests.support.wire import ROOT, SECOND_ROOT, STRANGER, a_signing_key, a_trust_bundle, a_trust_envelope
from tests.unit.wire.test_trust_chain import a_bundle

PIN = fingerprint(ROOT.public)
MANY = 12


def first() -> Trusted:
    return Trusted.first(a_trust_bundle())


def replaced(trusted: Trusted, index: SigningKey) -> Trusted:
    return trusted.step(a_trust_envelope(a_bundle(trusted.bundle.version + 1, index=(index,), epoch=4)))


def test_what_was_kept_is_what_comes_back() -> None:
    trusted = replaced(first(), a_signing_key(9))
    assert Trusted.from_secret(trusted.to_secret(), root_fingerprint=PIN) == trusted


def test_what_an_older_agent_kept_is_read() -> None:
    assert Trusted.from_secret({"bundle": a_trust_envelope()}, root_fingerprint=PIN) == first()


def test_a_pin_holds_for_the_whole_chain_and_a_strangers_for_none_of_it() -> None:
    both = first().step(a_trust_envelope(a_bundle(2, root=(ROOT, SECOND_ROOT)), keys=(ROOT, SECOND_ROOT)))
    alone = both.step(a_trust_envelope(a_bundle(3, root=(SECOND_ROOT,)), keys=(SECOND_ROOT,)))
    for public in (ROOT.public, SECOND_ROOT.public):
        assert Trusted.from_secret(alone.to_secret(), root_fingerprint=fingerprint(public)) == alone
    with pytest.raises(Refused) as caught:
        Trusted.from_secret(alone.to_secret(), root_fingerprint=fingerprint(STRANGER.public))
    assert caught.value.reason == "WrongRoot"


def test_bundles_of_before_are_kept_where_the_index_key_changed_and_within_a_bound() -> None:
    trusted = first().step(a_trust_envelope(a_bundle(2, epoch=4)))
    assert trusted.former == ()
    for number in range(MANY):
        trusted = replaced(trusted, a_signing_key(20 + number))
    assert [one.version for one in trusted.former] == list(range(MANY + 1, MANY - 7, -1))


def test_a_secret_without_a_bundle_is_named() -> None:
    with pytest.raises(Misconfigured, match="no bundle"):
        Trusted.from_secret({}, root_fingerprint=None)
