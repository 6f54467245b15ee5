"""``perigee seal``: a value in, a sealed one out, and no other key than the one that was meant."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from agent.uplink.identity import Identity, Keys
from agent.wire.enrolment import sealing_key_signature
from agent.wire.scalars import encode_base64
from agent.wire.sealing import SealedFor, keyid, open_sealed
from agent.wire.sealing_key import SealingKeyV1
from tests.support.pki import LASTING, Authority, pem
from tests.unit.cli.commands import Ended, Told, perigee

CA = Authority()
ID = "5f0c3a52-7d54-4a1e-9b0e-0c8f6f5d2a11"
PATH = "spec.airflow.secretEnv.TOKEN"
CANARY = "s3cr3t-c4n4ry"


def an_identity() -> Identity:
    keys = Keys.generate()
    certificate = CA.client(keys.identity.public_key(), name="north", validity=LASTING)
    return Identity.of(keys, chain=pem(certificate), authorities=CA.pem)


@dataclass(frozen=True)
class Desk:
    """A person at the command line, with a card of the cluster's key."""

    identity: Identity
    directory: Path
    told: Told

    def card(self, **changes: str) -> Path:
        keys = self.identity.keys
        card = SealingKeyV1(
            cluster="north",
            sealing_key=encode_base64(keys.sealing_public),
            sealing_key_signature=sealing_key_signature(keys.identity, keys.sealing_public),
            certificate=pem(self.identity.chain[0]).decode(),
        )
        file = self.directory / "card.json"
        file.write_text(json.dumps({**card.to_data(), **changes}))
        return file

    @property
    def fingerprint(self) -> str:
        return f"sha256:{keyid(self.identity.keys.sealing_public)}"

    def seal(self, *more: str, typed: bytes = f"{CANARY}\n".encode(), card: Path | None = None) -> Ended:
        options = ("--cluster", "north", "--instance", ID, "--path", PATH, "--key", str(card or self.card()))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(typed)))
            ended = self.told.by(perigee("seal", *options, *more))
        assert CANARY not in ended.out + ended.err
        return ended

    def opened(self, text: str) -> bytes:
        return open_sealed(text, self.identity.keys.sealing, SealedFor("north", ID, PATH))


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Desk:
    return Desk(an_identity(), tmp_path, Told(capsys))


def test_a_snippet_for_the_document_comes_out(desk: Desk) -> None:
    ended = desk.seal()
    assert ended.code == 0
    sealed = yaml.safe_load(ended.out)["spec"]["airflow"]["secretEnv"]["TOKEN"]["sealed"]
    assert desk.opened(sealed) == CANARY.encode()
    assert ended.err == f"sealing to the key {desk.fingerprint} of cluster north\n"


def test_programs_get_json(desk: Desk) -> None:
    said = json.loads(desk.seal("--output", "json").out)
    assert said["path"] == PATH
    assert desk.opened(said["sealed"]) == CANARY.encode()


def test_a_file_is_taken_byte_for_byte(desk: Desk) -> None:
    file = desk.directory / "value"
    file.write_bytes(b"two\nlines\n")
    said = json.loads(desk.seal("--output", "json", "--from-file", str(file)).out)
    assert desk.opened(said["sealed"]) == b"two\nlines\n"


@pytest.mark.parametrize("form", [str, str.upper, lambda text: text.removeprefix("sha256:")])
def test_the_key_that_was_meant_is_taken(desk: Desk, form: object) -> None:
    assert callable(form)
    assert desk.seal("--fingerprint", form(desk.fingerprint)).code == 0


def test_a_substituted_key_is_refused(desk: Desk) -> None:
    """Somebody with the control plane's authority can make a card that proves itself: the fingerprint tells it."""
    stranger = Desk(an_identity(), desk.directory, desk.told)
    ended = desk.seal("--fingerprint", desk.fingerprint, card=stranger.card())
    assert ended.code == 6
    assert ended.out == ""
    assert stranger.fingerprint in ended.err


def test_a_key_that_the_identity_key_did_not_sign_is_refused(desk: Desk) -> None:
    other = encode_base64(X25519PrivateKey.generate().public_key().public_bytes_raw())
    ended = desk.seal(card=desk.card(sealingKey=other))
    assert (ended.code, ended.out) == (6, "")
    assert "sealingKeySignature: is not by the key of the certificate" in ended.err


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"cluster": "south"}, "cluster: is south"),
        ({"sealingKey": "AAAA"}, "sealingKey: must be the 32 raw bytes"),
        ({"certificate": "x"}, "certificate: is no certificate"),
        ({"sealingKeySignature": "AAAA"}, "sealingKeySignature: is not by the key"),
    ],
)
def test_a_card_that_does_not_fit_is_refused(desk: Desk, changes: dict[str, str], said: str) -> None:
    ended = desk.seal(card=desk.card(**changes))
    assert (ended.code, ended.out) == (6, "")
    assert said in ended.err


def test_a_value_that_no_environment_can_hold_is_refused(desk: Desk) -> None:
    ended = desk.seal(typed=b"a\0b")
    assert ended.code == 6
    assert "NUL" in ended.err


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--path", "spec.airflow.env.TOKEN"),
        ("--path", "spec.airflow.secretEnv.a-b"),
        ("--instance", "hello"),
        ("--fingerprint", "sha256:ab"),
    ],
)
def test_a_command_line_that_makes_no_sense_is_usage(desk: Desk, option: str, value: str) -> None:
    assert desk.seal(option, value).code == 2


def test_without_a_key_it_says_how_to_get_one(desk: Desk) -> None:
    ended = desk.told.by(perigee("seal", "--cluster", "north", "--instance", ID, "--path", PATH))
    assert ended.code == 3
    assert "--key FILE or --control-plane URL" in ended.err
