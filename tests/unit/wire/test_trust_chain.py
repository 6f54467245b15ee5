"""Each later step of trust: the very next bundle, vouched for by the root role of the one before and by its own."""

from __future__ import annotations

from typing import Any

import pytest

from agent.model.errors import Refused
from agent.wire.envelope import SigningKey
from agent.wire.index import IndexVerifier, signers
from agent.wire.refusals import Reason
from agent.wire.scalars import encode_base64
from agent.wire.trust import KeyV1, TrustBundle, verify_next, verify_own
from tests.support.wire import (
    CLUSTER,
    INDEX,
    NOW,
    ROOT,
    SECOND_ROOT,
    STRANGER,
    a_role,
    a_signing_key,
    a_trust_bundle,
    a_trust_envelope,
    an_index_envelope,
    some_trust_data,
)

NEW_INDEX = a_signing_key(5)
FIRST = a_trust_bundle()


def a_bundle(
    version: int, *, root: tuple[SigningKey, ...] = (ROOT,), index: tuple[SigningKey, ...] = (INDEX,), **more: Any
) -> dict[str, Any]:
    keys = {key.keyid: KeyV1(type="ed25519", public=encode_base64(key.public)).to_data() for key in (*root, *index)}
    roles = {"root": a_role(*root).to_data(), "index": a_role(*index).to_data()}
    return some_trust_data(version=version, keys=keys, roles=roles, **more)


def stepped(before: TrustBundle, data: dict[str, Any], *keys: SigningKey) -> TrustBundle:
    return verify_next(before, a_trust_envelope(data, keys=keys))


def refused(data: dict[str, Any], *keys: SigningKey) -> tuple[str, str]:
    with pytest.raises(Refused) as caught:
        stepped(FIRST, data, *keys)
    return caught.value.reason, caught.value.path


def test_the_next_bundle_of_the_same_root_is_taken() -> None:
    after = stepped(FIRST, a_bundle(2, index=(NEW_INDEX,), epoch=4), ROOT)
    assert (after.version, after.epoch, set(after.index.keys)) == (2, 4, {NEW_INDEX.keyid})


def test_a_root_key_is_replaced_by_one_that_the_old_one_vouches_for() -> None:
    both = stepped(FIRST, a_bundle(2, root=(ROOT, SECOND_ROOT)), ROOT, SECOND_ROOT)
    alone = stepped(both, a_bundle(3, root=(SECOND_ROOT,)), SECOND_ROOT)
    assert set(alone.root.keys) == {SECOND_ROOT.keyid}
    with pytest.raises(Refused):
        stepped(alone, a_bundle(4), ROOT)


@pytest.mark.parametrize("keys", [(STRANGER,), (SECOND_ROOT,)])
def test_a_bundle_that_only_its_own_root_signed_is_forged(keys: tuple[SigningKey, ...]) -> None:
    assert refused(a_bundle(2, root=keys), *keys) == (Reason.BAD_SIGNATURE, "signatures")


def test_a_new_root_must_have_signed_as_well() -> None:
    assert refused(a_bundle(2, root=(SECOND_ROOT,)), ROOT) == (Reason.BAD_SIGNATURE, "signatures")


def test_the_index_key_cannot_make_bundles() -> None:
    assert refused(a_bundle(2), INDEX) == (Reason.BAD_SIGNATURE, "signatures")


@pytest.mark.parametrize(("version", "reason"), [(1, Reason.ROLLED_BACK), (3, Reason.TRUST_SKIPPED)])
def test_no_version_is_left_out_or_comes_again(version: int, reason: Reason) -> None:
    assert refused(a_bundle(version), ROOT) == (reason, "version")


def test_an_epoch_never_goes_back() -> None:
    assert refused(a_bundle(2, epoch=2), ROOT) == (Reason.ROLLED_BACK, "epoch")


def test_an_authority_must_be_a_certificate() -> None:
    assert refused(a_bundle(2, ca=["no PEM"]), ROOT) == (Reason.MALFORMED, "ca[0]")


def test_an_index_that_was_accepted_stays_so_when_its_key_is_replaced_and_nothing_new_is_by_that_key() -> None:
    after = stepped(FIRST, a_bundle(2, index=(NEW_INDEX,)), ROOT)
    verifier, kept = IndexVerifier(after, CLUSTER, former=[FIRST]), an_index_envelope()
    assert verifier.index(kept, now=None, newest=None).raw == kept
    with pytest.raises(Refused) as caught:
        verifier.index(kept, now=NOW, newest=None)
    assert caught.value.reason == Reason.BAD_SIGNATURE
    with pytest.raises(Refused):
        IndexVerifier(after, CLUSTER).index(kept, now=None, newest=None)


def test_an_index_that_both_keys_signed_is_taken_before_and_after() -> None:
    after = verify_own(a_trust_envelope(a_bundle(2, index=(NEW_INDEX,))))
    index = an_index_envelope(keys=(INDEX, NEW_INDEX))
    for bundle in (FIRST, after):
        assert IndexVerifier(bundle, CLUSTER).index(index, now=NOW, newest=None).raw == index
    assert signers(index) == {INDEX.keyid, NEW_INDEX.keyid}
    assert signers(b"nonsense") == frozenset()
