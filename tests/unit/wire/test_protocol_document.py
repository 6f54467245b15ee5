"""docs/protocol.md: its worked example holds, and its tables say what the code says."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.model.instance import Adoptee, Scaling
from agent.wire import limits
from agent.wire.codec import parse_document, read_document
from agent.wire.enrolment import ENROL_SCHEMA, ENROLLED_SCHEMA, SEALING_KEY_TYPE
from agent.wire.envelope import INDEX_TYPE, TRUST_TYPE, SigningKey, pae, sign
from agent.wire.index import INDEX_SCHEMA, IndexVerifier
from agent.wire.problems import STATUS, read_problem
from agent.wire.refusals import Reason
from agent.wire.renewal import RENEW_SCHEMA, RENEW_TYPE, RENEWED_SCHEMA
from agent.wire.reports import SEQUENCE_HEADER, STREAM_HEADER
from agent.wire.schemas import KINDS
from agent.wire.strict import canonical, digest, parse
from agent.wire.trust import TRUST_SCHEMA, TrustBundle, verify_first
from tests.support.wire import a_signing_key

TEXT = (Path(__file__).parents[3] / "docs" / "protocol.md").read_text(encoding="utf-8")
ROOT, INDEX = a_signing_key(1), a_signing_key(2)
KIBI = 1024


def example(name: str) -> bytes:
    """The bytes of an example: what stands between its fences, without the last line's end."""
    found = re.search(rf"<!-- example: {name} -->\n```\w+\n(.*?)\n```", TEXT, re.DOTALL)
    assert found, f"docs/protocol.md has no example {name}"
    return found[1].encode()


def bundle() -> TrustBundle:
    return verify_first(example("trust-envelope"), root_fingerprint=example("fingerprint").decode())


def rows(heading: str) -> dict[str, str]:
    """A table of two columns by its first one."""
    section = TEXT.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    cells = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("|")]
    return {first.strip("`"): second for first, second, *_ in cells[2:]}


def test_the_example_holds_from_the_fingerprint_to_the_instance() -> None:
    verifier = IndexVerifier(bundle(), "prod-1")
    index = verifier.index(example("index-envelope"), now=datetime(2026, 2, 1, tzinfo=UTC), newest=None)
    (entry,) = index.entries
    document = parse_document(entry, example("document"))
    assert (document.instance.name, document.instance.airflow.version) == ("sales", "3.3.2")
    assert document.unknown_fields == ()
    assert digest(example("document")) in TEXT.split("<!-- example: document -->")[0]


@pytest.mark.parametrize(("kind", "payload_type", "key"), [("trust", TRUST_TYPE, ROOT), ("index", INDEX_TYPE, INDEX)])
def test_whoever_signs_as_the_page_says_gets_its_bytes(kind: str, payload_type: str, key: SigningKey) -> None:
    assert sign(example(f"{kind}-payload"), payload_type, keys=[key]) == example(f"{kind}-envelope")


def test_the_page_shows_the_keys_and_the_bytes_that_are_signed() -> None:
    assert f"| root | `{ROOT.public.hex()}` |" in TEXT
    assert f"| index | `{INDEX.public.hex()}` |" in TEXT
    assert pae(example("index-payload"), INDEX_TYPE) == example("index-pae")


@pytest.mark.parametrize("name", ["trust-payload", "document", "index-payload", "trust-envelope", "index-envelope"])
def test_the_examples_are_canonical(name: str) -> None:
    assert canonical(parse(example(name), limit=10_000, what=name)) == example(name)


def test_the_example_with_neighbours_is_read_as_it_is_told() -> None:
    instance, unknown = read_document(example("document-with-neighbours"))
    assert unknown == ()
    assert [queue.scaling for queue in instance.workers] == [Scaling.EXTERNAL]
    assert instance.adopt == {Adoptee("ConfigMap", "airflow-config")}
    assert [window.zone.key for window in instance.maintenance] == ["Europe/Berlin"]


def test_the_page_names_every_reason_of_refusal_and_no_other() -> None:
    assert set(rows("Reasons of refusal")) == set(Reason)


def test_the_page_names_every_code_with_its_status() -> None:
    found = re.findall(r"^\| (\d{3}) \| `(\w+)` \|", TEXT, re.MULTILINE)
    assert {code: int(status) for status, code in found} == {code.value: int(status) for code, status in STATUS.items()}


def test_the_error_of_the_page_is_one() -> None:
    (body,) = re.findall(r'^\{"error".*\}$', TEXT, re.MULTILINE)
    assert read_problem(body.encode()) is not None


def test_the_page_tells_the_limits_that_the_code_has() -> None:
    told = rows("Limits")
    assert told == {
        "nesting": f"{limits.MAX_DEPTH} levels",
        "index, in its envelope": f"{limits.MAX_INDEX_BYTES // KIBI // KIBI} MiB",
        "trust bundle, in its envelope": f"{limits.MAX_TRUST_BYTES // KIBI} KiB",
        "document": f"{limits.MAX_DOCUMENT_BYTES // KIBI} KiB",
        "report, plain": f"{limits.MAX_REPORT_BYTES // KIBI // KIBI} MiB",
        "enrolment, request and answer": f"{limits.MAX_ENROLMENT_BYTES // KIBI} KiB",
        "request for documents": f"{limits.MAX_DOCUMENTS_REQUEST_BYTES // KIBI} KiB",
        "answer with documents": f"{limits.MAX_DOCUMENTS_ANSWER_BYTES // KIBI // KIBI} MiB",
        "error answer": f"{limits.MAX_PROBLEM_BYTES // KIBI} KiB",
        "documents in one request": str(limits.MAX_DOCUMENTS_PER_REQUEST),
        "instances in one index or report": str(limits.MAX_INSTANCES),
        "audit record": f"{limits.MAX_AUDIT_RECORD} characters",
        "audit records in one report": str(limits.MAX_AUDIT_RECORDS),
        "orders in one index, results in one report": str(limits.MAX_ORDERS),
        "signatures in one envelope": str(limits.MAX_SIGNATURES),
        "wait of a poll": f"{limits.MAX_WAIT_SECONDS} seconds",
    }


@pytest.mark.parametrize(
    "word",
    [
        *(TRUST_TYPE, INDEX_TYPE, SEALING_KEY_TYPE, RENEW_TYPE),
        *(TRUST_SCHEMA, INDEX_SCHEMA, ENROL_SCHEMA, ENROLLED_SCHEMA, RENEW_SCHEMA, RENEWED_SCHEMA),
        *(STREAM_HEADER, SEQUENCE_HEADER),
    ],
)
def test_the_page_names_every_constant_of_the_wire(word: str) -> None:
    assert f"`{word}`" in TEXT


@pytest.mark.parametrize(("call", "kind"), [("enroll", "enrol-request.v1"), ("renew", "renew-request.v1")])
def test_the_page_names_fields_that_exist(call: str, kind: str) -> None:
    """Every message's fields, where the page lists them, are those of its schema."""
    section = TEXT.split(f"### POST /v1/{call}", 1)[1].split("### ", 1)[0]
    told = set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))
    model = KINDS[kind]
    assert told == {field.alias for field in model.model_fields.values()}
