from __future__ import annotations

import json

import pytest

from agent.model.errors import Refused
from agent.uplink.trust import first_bundle
from agent.wire.envelope import TRUST_TYPE, EnvelopeV1
from agent.wire.scalars import encode_base64
from tests.integration.uplink.plane import Enroller


def test_a_bundle_from_a_trusted_source_is_its_own_root() -> None:
    plane = Enroller()
    bundle = first_bundle(plane.trust, root_fingerprint=None)
    assert bundle.root.keys.keys() == {plane.root.keyid}
    assert bundle.raw == plane.trust
    assert first_bundle(plane.trust, root_fingerprint=plane.fingerprint) == bundle


def test_it_must_be_signed_by_that_root_all_the_same() -> None:
    plane = Enroller()
    envelope = json.loads(plane.trust)
    envelope["signatures"] = json.loads(Enroller().trust)["signatures"]
    with pytest.raises(Refused) as raised:
        first_bundle(json.dumps(envelope).encode(), root_fingerprint=None)
    assert raised.value.reason == "BadSignature"


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"roles": []},
        {"roles": {"root": {"keyids": []}}, "keys": {}},
        {"roles": {"root": {"keyids": ["a"]}}, "keys": {"a": {"public": 7}}},
        {"roles": {"root": {"keyids": ["a"]}}, "keys": {"a": {"public": "%"}}},
        {"roles": {"root": {"keyids": [{}]}}, "keys": {}},
    ],
)
def test_a_bundle_without_a_root_is_refused_whatever_it_holds(payload: object) -> None:
    envelope = EnvelopeV1.model_validate(
        {
            "payload": encode_base64(json.dumps(payload).encode()),
            "payloadType": TRUST_TYPE,
            "signatures": [{"keyid": "0" * 64, "sig": encode_base64(b"x" * 64)}],
        }
    )
    with pytest.raises(Refused) as raised:
        first_bundle(envelope.to_bytes(), root_fingerprint=None)
    assert raised.value.reason == "Malformed"
