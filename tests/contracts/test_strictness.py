"""Fields that a kind does not have: refused for those who ask for it, dropped for everybody else."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.kube import Json, Kube
from tests.support.objects import JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, Objects, but, container, deployment

STRICT = {"fieldValidation": "Strict"}


def misspelt() -> Json:
    document = deployment(colour="blue")
    document["metadata"]["bogus"] = 1
    container(document)["imige"] = {"a": 1}
    document["spec"]["selector"]["matchLabels"]["free"] = "name"
    document["spec"]["template"]["metadata"]["labels"]["free"] = "name"
    return document


UNKNOWN = {"metadata.bogus", "spec.colour", "spec.template.spec.containers[0].imige"}


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_unknown_fields_are_named(kube: Kube, objects: Objects, method: str) -> None:
    path = objects.collection(deployment())
    if method == "PUT":
        await objects.create(deployment(), "ann")
        path = objects.path(deployment())
    answer = await kube.request(method, path, misspelt(), params=STRICT)
    assert (answer.status, answer.body["reason"]) == (400, "BadRequest")
    start = 'Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: '
    assert answer.body["message"].startswith(start)
    named = answer.body["message"].removeprefix(start).split(", ")
    assert set(named) == {f'unknown field "{path}"' for path in UNKNOWN}


@pytest.mark.parametrize("mode", ["", "Ignore", "Warn"])
async def test_for_others_they_fall(kube: Kube, objects: Objects, mode: str) -> None:
    path, params = objects.collection(deployment()), {"fieldValidation": mode}
    answer = await kube.request("POST", path, misspelt(), params=params)
    assert answer.status == 201
    assert "colour" not in answer.body["spec"]


@pytest.mark.parametrize(
    ("form", "patch"),
    [
        (MERGE_PATCH, {"spec": {"colour": 1}}),
        (STRATEGIC_PATCH, {"spec": {"colour": 1}}),
        (JSON_PATCH, [{"op": "add", "path": "/spec/colour", "value": 1}]),
    ],
)
async def test_patches_are_held_to_it_too(kube: Kube, objects: Objects, form: str, patch: Any) -> None:
    await objects.create(deployment(), "ann")
    answer = await kube.request("PATCH", objects.path(deployment()), patch, content_type=form, params=STRICT)
    assert (answer.status, answer.body["reason"]) == (422, "Invalid")
    (cause,) = answer.body["details"]["causes"]
    assert cause["field"] == "patch"
    assert cause["message"].endswith('strict decoding error: unknown field "spec.colour"')


async def test_what_is_known_passes(kube: Kube, objects: Objects) -> None:
    answer = await kube.request("POST", objects.collection(deployment()), deployment(), params=STRICT)
    assert answer.status == 201
    scale = {"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": {"name": "web"}, "spec": {"replicas": 0}}
    answer = await kube.request("PUT", objects.path(deployment(), "scale"), scale, params=STRICT)
    assert answer.status == 200


async def test_modes_that_there_are_not(kube: Kube, objects: Objects) -> None:
    params = {"fieldValidation": "Lax"}
    answer = await kube.request("POST", objects.collection(deployment()), but(misspelt(), "spec"), params=params)
    assert (answer.status, answer.body["details"]["kind"]) == (422, "CreateOptions")
    assert [(each["field"], each["message"]) for each in answer.body["details"]["causes"]] == [
        ("fieldValidation", 'Unsupported value: "Lax": supported values: "", "Ignore", "Strict", "Warn"')
    ]


async def test_reading_has_no_such_options(kube: Kube, objects: Objects) -> None:
    await objects.create(deployment(), "ann")
    params = {"dryRun": "Some", "fieldValidation": "Lax"}
    assert (await kube.request("GET", objects.path(deployment()), params=params)).status == 200
