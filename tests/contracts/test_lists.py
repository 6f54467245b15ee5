"""Lists: selectors, pages of one moment, versions, metadata alone."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.kube import Json, Kube, Response
from tests.support.objects import Objects, but, config_map

ROOT = "kube-root-ca.crt"
PARTIAL = {"Accept": "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"}


@pytest.fixture
async def four(kube: Kube, objects: Objects) -> Objects:
    """ConfigMaps a to d labelled with their own names, beside the one that every namespace has."""
    await kube.until(objects.path(config_map(ROOT)), lambda _: True)
    for name in "abcd":
        await objects.create(but(config_map(name, a="1"), "metadata", "labels", value={"l": name, "x": "y"}), "ann")
    return objects


async def listed(objects: Objects, **params: str) -> Response:
    answer = await objects.kube.request("GET", objects.collection(config_map()), params=params)
    assert answer.status == 200, answer.body
    return answer


def names(answer: Response) -> list[str]:
    return [item["metadata"]["name"] for item in answer.body["items"]]


async def test_a_list_is_in_the_order_of_names(four: Objects) -> None:
    answer = await listed(four)
    assert names(answer) == ["a", "b", "c", "d", ROOT]
    assert (answer.body["kind"], answer.body["apiVersion"]) == ("ConfigMapList", "v1")
    assert int(answer.body["metadata"]["resourceVersion"]) >= int(
        answer.body["items"][3]["metadata"]["resourceVersion"]
    )


async def test_items_of_built_in_kinds_do_not_repeat_the_kind(four: Objects) -> None:
    assert {"kind", "apiVersion"} & (await listed(four)).body["items"][0].keys() == set()


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("l=a", "a"),
        ("l==a", "a"),
        (" l = a ", "a"),
        ("l!=a", "bcd*"),
        ("l!=a,l!=b", "cd*"),
        ("l", "abcd"),
        ("!l", "*"),
        ("x = y, !zz", "abcd"),
        ("l=", ""),
        ("l in (a,b)", "ab"),
        ("l in (a, d )", "ad"),
        ("l in ()", ""),
        ("l notin (a,b)", "cd*"),
        ("zz notin (a)", "abcd*"),
        ("x in (y),l notin (a,b),x", "cd"),
        ("app.test/x=y", ""),
        ("!app.test/x", "abcd*"),
        ("", "abcd*"),
    ],
)
async def test_a_label_selector(four: Objects, selector: str, expected: str) -> None:
    assert names(await listed(four, labelSelector=selector)) == [ROOT if name == "*" else name for name in expected]


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("metadata.name=a", "a"),
        ("metadata.name==a", "a"),
        ("metadata.name!=a", "bcd*"),
        ("metadata.name=a,metadata.name=b", ""),
        ("metadata.namespace=%s", "abcd*"),
        ("metadata.namespace=other", ""),
    ],
)
async def test_a_field_selector(four: Objects, selector: str, expected: str) -> None:
    answer = await listed(four, fieldSelector=selector.replace("%s", four.namespace))
    assert names(answer) == [ROOT if name == "*" else name for name in expected]


@pytest.mark.parametrize("selector", ["a=b=c", "a b", "a in b", "a in (b", ","])
async def test_a_label_selector_that_is_none(objects: Objects, selector: str) -> None:
    answer = await objects.kube.request("GET", objects.collection(config_map()), params={"labelSelector": selector})
    assert (answer.status, answer.body["reason"]) == (400, "BadRequest")


@pytest.mark.parametrize(
    ("selector", "message"),
    [
        ("data", "invalid selector: 'data'; can't understand 'data'"),
        ("data.a=b", '"data.a" is not a known field selector: only "metadata.name", "metadata.namespace"'),
    ],
)
async def test_a_field_that_cannot_be_selected_by(objects: Objects, selector: str, message: str) -> None:
    answer = await objects.kube.request("GET", objects.collection(config_map()), params={"fieldSelector": selector})
    assert (answer.status, answer.body["reason"], answer.body["message"]) == (400, "BadRequest", message)


async def test_fields_of_pods_events_and_secrets(kube: Kube, objects: Objects) -> None:
    space = f"/api/v1/namespaces/{objects.namespace}"
    params = {"fieldSelector": "spec.nodeName=none,status.phase=Running"}
    assert (await kube.request("GET", "/api/v1/pods", params=params)).body["items"] == []
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key"}}
    await objects.create(secret, "ann")
    for kind, expected in (("Opaque", 1), ("other", 0)):
        answer = await kube.request("GET", f"{space}/secrets", params={"fieldSelector": f"type={kind}"})
        assert len(answer.body["items"]) == expected
    about = {"kind": "Pod", "namespace": objects.namespace, "name": "web"}
    event = {"apiVersion": "v1", "kind": "Event", "metadata": {"name": "e"}, "involvedObject": about, "reason": "Began"}
    await objects.create(event, "ann")
    for name, expected in (("web", 1), ("other", 0)):
        params = {"fieldSelector": f"involvedObject.kind=Pod,involvedObject.name={name},reason=Began"}
        answer = await kube.request("GET", f"{space}/events", params=params)
        assert len(answer.body["items"]) == expected


async def test_a_list_over_all_namespaces(kube: Kube, four: Objects) -> None:
    params = {"fieldSelector": f"metadata.namespace={four.namespace}"}
    answer = await kube.request("GET", "/api/v1/configmaps", params=params)
    assert names(answer) == ["a", "b", "c", "d", ROOT]


async def test_a_namespace_that_does_not_exist_is_empty(kube: Kube) -> None:
    answer = await kube.request("GET", "/api/v1/namespaces/there-is-none/configmaps")
    assert (answer.status, answer.body["items"]) == (200, [])


async def test_metadata_of_a_list(four: Objects) -> None:
    answer = await four.kube.request("GET", four.collection(config_map()), headers=PARTIAL)
    assert (answer.body["kind"], answer.body["apiVersion"]) == ("PartialObjectMetadataList", "meta.k8s.io/v1")
    first = answer.body["items"][0]
    assert first.keys() == {"kind", "apiVersion", "metadata"}
    assert (first["kind"], first["metadata"]["labels"]) == ("PartialObjectMetadata", {"l": "a", "x": "y"})


async def test_pages_show_one_moment(four: Objects) -> None:
    first = await listed(four, limit="2")
    assert names(first) == ["a", "b"]
    assert first.body["metadata"]["remainingItemCount"] == 3
    await four.kube.request("DELETE", four.path(config_map("d")))
    await four.create(config_map("b1"), "ann")
    await four.patch(config_map("c"), {"data": {"a": "2"}}, "ann")
    second = await listed(four, limit="2", **{"continue": first.body["metadata"]["continue"]})
    assert [(item["metadata"]["name"], item["data"]) for item in second.body["items"]] == [
        ("c", {"a": "1"}),
        ("d", {"a": "1"}),
    ]
    assert second.body["metadata"]["resourceVersion"] == first.body["metadata"]["resourceVersion"]
    last = await listed(four, **{"continue": second.body["metadata"]["continue"]})
    assert names(last) == [ROOT]
    assert not last.body["metadata"].get("continue")


async def test_pages_of_a_selection_do_not_count_the_rest(four: Objects) -> None:
    first = await listed(four, limit="3", labelSelector="x=y")
    assert names(first) == ["a", "b", "c"]
    assert "remainingItemCount" not in first.body["metadata"]
    rest = await listed(four, limit="3", labelSelector="x=y", **{"continue": first.body["metadata"]["continue"]})
    assert names(rest) == ["d"]


@pytest.mark.parametrize("limit", ["0", "5", "9"])
async def test_a_page_that_holds_everything_has_no_next(four: Objects, limit: str) -> None:
    answer = await listed(four, limit=limit)
    assert len(answer.body["items"]) == 5
    assert not {"continue", "remainingItemCount"} & answer.body["metadata"].keys()


async def test_a_past_moment_can_be_listed(four: Objects) -> None:
    version = (await listed(four)).body["metadata"]["resourceVersion"]
    await four.kube.request("DELETE", four.path(config_map("a")))
    exact = await listed(four, resourceVersion=version, resourceVersionMatch="Exact")
    assert names(exact) == ["a", "b", "c", "d", ROOT]
    assert exact.body["metadata"]["resourceVersion"] == version
    fresh = await listed(four, resourceVersion=version, resourceVersionMatch="NotOlderThan")
    assert int(fresh.body["metadata"]["resourceVersion"]) >= int(version)


async def test_version_zero_takes_what_there_is(kube: Kube, four: Objects) -> None:
    async with asyncio.timeout(10):
        while names(await listed(four, resourceVersion="0")) != ["a", "b", "c", "d", ROOT]:
            pass
    assert (await kube.request("GET", four.path(config_map("a")), params={"resourceVersion": "0"})).status == 200


async def test_a_moment_that_has_not_come(objects: Objects) -> None:
    params = {"resourceVersion": "999999999"}
    answer = await objects.kube.request("GET", objects.collection(config_map()), params=params)
    assert (answer.status, answer.body["reason"]) == (504, "Timeout")
    assert answer.body["message"].startswith("Timeout: Too large resource version: 999999999, current: ")
    assert answer.body["details"]["causes"] == [
        {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    ]


FORBIDDEN = "FieldValueForbidden"


@pytest.mark.parametrize(
    ("params", "reason", "message"),
    [
        (
            {"resourceVersionMatch": "Exact"},
            FORBIDDEN,
            "Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided",
        ),
        (
            {"resourceVersionMatch": "Exact", "resourceVersion": "0"},
            FORBIDDEN,
            'Forbidden: resourceVersionMatch "exact" is forbidden for resourceVersion "0"',
        ),
        (
            {"resourceVersionMatch": "x", "resourceVersion": "1"},
            "FieldValueNotSupported",
            'Unsupported value: "x": supported values: "Exact", "NotOlderThan", ""',
        ),
        ({"sendInitialEvents": "true"}, FORBIDDEN, "Forbidden: sendInitialEvents is forbidden for list"),
    ],
)
async def test_options_that_contradict_each_other(
    objects: Objects, params: dict[str, str], reason: str, message: str
) -> None:
    answer = await objects.kube.request("GET", objects.collection(config_map()), params=params)
    assert (answer.status, answer.body["reason"], answer.body["details"]["kind"]) == (422, "Invalid", "ListOptions")
    found: list[Json] = answer.body["details"]["causes"]
    assert [(each["reason"], each["message"]) for each in found] == [(reason, message)]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"limit": "x"}, 'strconv.ParseInt: parsing "x": invalid syntax'),
        (
            {"resourceVersion": "x"},
            (
                'invalid resource version: resourceVersion: Invalid value: "x": '
                'strconv.ParseUint: parsing "x": invalid syntax'
            ),
        ),
        (
            {"resourceVersion": "5", "continue": "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MSwic3RhcnQiOiJhIn0"},
            "specifying resource version is not allowed when using continue",
        ),
    ],
)
async def test_options_that_are_no_numbers(objects: Objects, params: dict[str, str], message: str) -> None:
    answer = await objects.kube.request("GET", objects.collection(config_map()), params=params)
    assert (answer.status, answer.body["reason"], answer.body["message"]) == (400, "BadRequest", message)


@pytest.mark.parametrize("token", ["xx", "!!!", "NQ=="])
async def test_a_continuation_of_nothing(objects: Objects, token: str) -> None:
    answer = await objects.kube.request("GET", objects.collection(config_map()), params={"continue": token})
    assert (answer.status, answer.body["reason"]) == (400, "BadRequest")
    assert answer.body["message"].startswith("invalid continue token: continue key is not valid: ")


async def test_a_collection_is_deleted_by_selector(kube: Kube, four: Objects) -> None:
    collection = four.collection(config_map())
    answer = await kube.request("DELETE", collection, params={"labelSelector": "l in (a,b)"})
    assert (answer.status, answer.body["kind"], names(answer)) == (200, "ConfigMapList", ["a", "b"])
    assert names(await listed(four, labelSelector="x")) == ["c", "d"]
    assert names(await kube.request("DELETE", collection, {"dryRun": ["All"]}, params={"labelSelector": "x"})) == [
        "c",
        "d",
    ]
    assert names(await listed(four, labelSelector="x")) == ["c", "d"]


async def test_namespaces_are_not_deleted_all_at_once(kube: Kube) -> None:
    answer = await kube.request("DELETE", "/api/v1/namespaces", params={"labelSelector": "there=none"})
    assert (answer.status, answer.body["reason"]) == (405, "MethodNotAllowed")
