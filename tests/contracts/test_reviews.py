"""Questions about one's own rights: answered, and kept nowhere."""

from __future__ import annotations

import pytest

from tests.support.kube import Json, Kube

REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
PODS = {"namespace": "default", "verb": "get", "resource": "pods"}


def review(**spec: Json) -> Json:
    return {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": spec}


@pytest.mark.parametrize(
    "spec",
    [
        {"resourceAttributes": PODS},
        {"resourceAttributes": {"verb": "patch", "group": "apps", "resource": "deployments", "subresource": "scale"}},
        {"nonResourceAttributes": {"path": "/metrics", "verb": "get"}},
    ],
)
async def test_an_administrator_may(kube: Kube, spec: Json) -> None:
    answer = await kube.request("POST", REVIEWS, review(**spec))
    assert (answer.status, answer.body["kind"], answer.body["spec"]) == (201, "SelfSubjectAccessReview", spec)
    assert answer.body["status"]["allowed"] is True
    assert "denied" not in answer.body["status"]


async def test_a_question_may_be_asked_dry(kube: Kube) -> None:
    answer = await kube.request("POST", REVIEWS, review(resourceAttributes=PODS), params={"dryRun": "All"})
    assert answer.body["status"]["allowed"] is True


@pytest.mark.parametrize(
    ("spec", "field", "message"),
    [
        (
            {},
            "spec.resourceAttributes",
            "exactly one of nonResourceAttributes or resourceAttributes must be specified",
        ),
        (
            {"resourceAttributes": PODS, "nonResourceAttributes": {"path": "/metrics", "verb": "get"}},
            "spec.nonResourceAttributes",
            "cannot be specified in combination with resourceAttributes",
        ),
    ],
)
async def test_one_thing_is_asked_at_a_time(kube: Kube, spec: Json, field: str, message: str) -> None:
    answer = await kube.request("POST", REVIEWS, review(**spec))
    assert (answer.status, answer.body["reason"]) == (422, "Invalid")
    [cause] = answer.body["details"]["causes"]
    assert (cause["reason"], cause["field"]) == ("FieldValueInvalid", field)
    assert cause["message"].endswith(message)


async def test_a_question_has_no_name(kube: Kube) -> None:
    answer = await kube.request("POST", REVIEWS, review(resourceAttributes=PODS) | {"metadata": {"name": "mine"}})
    assert (answer.status, answer.body["reason"]) == (422, "Invalid")
    assert [cause["field"] for cause in answer.body["details"]["causes"]] == ["metadata"]


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_questions_are_not_kept(kube: Kube, method: str) -> None:
    answer = await kube.request(method, REVIEWS)
    assert (answer.status, answer.body["reason"]) == (405, "MethodNotAllowed")
