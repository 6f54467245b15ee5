"""An audit log is read as requests: each once, and writes told from questions, tries and leases."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sandbox.testcluster import AuditedRequest, AuditLog, parse_audit_lines


def event(verb: str = "create", uri: str = "/api/v1/namespaces/a/configmaps", **fields: Any) -> bytes:
    about = {"resource": "configmaps", "namespace": "a", "name": "b", "apiVersion": "v1"}
    return json.dumps(
        {
            "auditID": "1",
            "stage": "ResponseComplete",
            "verb": verb,
            "requestURI": uri,
            "user": {"username": "admin"},
            "userAgent": "agent/1",
            "objectRef": about,
            "responseStatus": {"code": 201},
            "requestReceivedTimestamp": "2026-01-01T00:00:00.000001Z",
            "stageTimestamp": "2026-01-01T00:00:00.250000Z",
            **fields,
        }
    ).encode()


def only(line: bytes) -> AuditedRequest:
    (request,) = parse_audit_lines([line])
    return request


@pytest.mark.parametrize("verb", ["create", "update", "patch", "delete", "deletecollection", "post", "put"])
def test_changes_are_writes(verb: str) -> None:
    assert only(event(verb)).is_write


@pytest.mark.parametrize("verb", ["get", "list", "watch"])
def test_reads_are_not(verb: str) -> None:
    assert not only(event(verb)).is_write


def test_a_dry_run_is_no_write() -> None:
    assert not only(event(uri="/api/v1/namespaces/a/configmaps?dryRun=All&fieldManager=perigee")).is_write
    assert only(event(uri="/api/v1/namespaces/a/configmaps?fieldManager=dryRun")).is_write


@pytest.mark.parametrize(
    ("about", "write"),
    [
        ({"resource": "leases", "apiGroup": "coordination.k8s.io"}, False),
        ({"resource": "subjectaccessreviews", "apiGroup": "authorization.k8s.io"}, False),
        ({"resource": "selfsubjectreviews", "apiGroup": "authentication.k8s.io"}, False),
        ({"resource": "serviceaccounts", "subresource": "token"}, True),
        ({"resource": "reviews", "apiGroup": "shop.example"}, True),
        ({"resource": "pods", "subresource": "eviction"}, True),
    ],
)
def test_leases_and_reviews_are_no_writes(about: dict[str, str], *, write: bool) -> None:
    assert only(event(objectRef=about)).is_write is write


def test_a_resource_is_named_with_group_and_subresource() -> None:
    about = {"resource": "deployments", "apiGroup": "apps", "subresource": "scale"}
    assert only(event(objectRef=about)).resource == "deployments.apps/scale"


def test_a_path_outside_the_resources_has_none() -> None:
    assert only(event("get", "/readyz", objectRef=None)).resource == ""


def test_an_impersonated_request_counts_for_whom_it_acts() -> None:
    assert only(event(impersonatedUser={"username": "somebody"})).user == "somebody"


def test_a_request_of_several_stages_counts_once() -> None:
    lines = [event("watch", stage=stage) for stage in ("RequestReceived", "ResponseStarted", "ResponseComplete")]
    assert len(list(parse_audit_lines(lines))) == 1


async def test_only_what_follows_a_mark_is_read_and_no_half_line(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    log = AuditLog(path)
    assert len(await log.read()) == 0
    path.write_bytes(event(auditID="old") + b"\n")
    mark = await log.mark()
    path.write_bytes(path.read_bytes() + event(auditID="new") + b"\n" + event(auditID="half")[:20])
    assert [request.audit_id for request in await log.read(mark)] == ["new"]


async def test_requests_are_counted_and_chosen(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    tried = "/api/v1/namespaces/a/configmaps?dryRun=All"
    lines = [event(auditID="1"), event(auditID="2", uri=tried), event(auditID="3", user={"username": "kwok"})]
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    requests = await AuditLog(path).read()
    assert requests.counts() == {
        ("admin", "create", "configmaps", False): 1,
        ("admin", "create", "configmaps", True): 1,
        ("kwok", "create", "configmaps", False): 1,
    }
    assert len(requests.writes(user="admin")) == 1
    assert len(requests.by(user_agent="agent")) == 3
    assert len(requests.of(verb="create", resource="configmaps", dry_run=True)) == 1
