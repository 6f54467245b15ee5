"""Fields by the names that the API server gives them: listed, told, left out of a manifest, packed and unpacked."""

from __future__ import annotations

import json
import zlib
from typing import Any

import pytest

from agent.model.objects import Manifest
from agent.planning.fields import Path, members, pack, text, unpack, without

WEB = 'k:{"name":"web"}'
DNS = 'k:{"port":53,"protocol":"UDP"}'


@pytest.mark.parametrize(
    ("path", "told"),
    [
        (("f:spec", "f:replicas"), ".spec.replicas"),
        (("f:metadata", "f:annotations", "f:example.com/a.b"), ".metadata.annotations.example.com/a.b"),
        (
            ("f:spec", "f:template", "f:spec", "f:containers", WEB, "f:image"),
            '.spec.template.spec.containers[name="web"].image',
        ),
        (("f:spec", "f:ports", DNS), '.spec.ports[port=53,protocol="UDP"]'),
        (("f:metadata", "f:finalizers", 'v:"example.com/f"'), '.metadata.finalizers[="example.com/f"]'),
        (("f:list", "v:true"), ".list[=true]"),
        (("f:list", "i:3"), ".list[3]"),
    ],
)
def test_a_path_reads_as_in_the_server_s_conflicts(path: Path, told: str) -> None:
    assert text(path) == told


def test_a_parent_counts_only_where_it_says_so() -> None:
    fields: dict[str, Any] = {"f:data": {".": {}, "f:a": {}}, "f:spec": {"f:b": {}}}
    assert set(members(fields)) == {("f:data",), ("f:data", "f:a"), ("f:spec", "f:b")}


def _packed(value: object) -> bytes:
    return zlib.compress(json.dumps(value).encode())


@pytest.mark.parametrize(
    "damaged",
    [b"", b"nonsense", _packed("text"), _packed([["v1"]]), _packed([1]), _packed({"a": 1}), pack({})[:-1]],
    ids=["nothing", "no archive", "no list", "short line", "no line", "a mapping", "cut"],
)
def test_what_cannot_be_read_says_nothing(damaged: bytes) -> None:
    assert unpack(damaged) == {}


def container(name: str, **fields: Any) -> Manifest:
    return {"name": name, **fields}


@pytest.mark.parametrize(
    ("manifest", "path", "left"),
    [
        ({"spec": {"replicas": 1, "paused": True}}, ("f:spec", "f:replicas"), {"spec": {"paused": True}}),
        ({"kind": "X", "spec": {"replicas": 1}}, ("f:spec", "f:replicas"), {"kind": "X"}),
        (
            {"metadata": {"annotations": {"a.b/c": "1", "a": {"b/c": "2"}}}},
            ("f:metadata", "f:annotations", "f:a.b/c"),
            {"metadata": {"annotations": {"a": {"b/c": "2"}}}},
        ),
        (
            {"containers": [container("app", image="a"), container("web", image="b")]},
            ("f:containers", WEB, "f:image"),
            {"containers": [container("app", image="a"), container("web")]},
        ),
        (
            {"containers": [container("app"), container("web")]},
            ("f:containers", WEB),
            {"containers": [container("app")]},
        ),
        ({"finalizers": ["x", "y"]}, ("f:finalizers", 'v:"x"'), {"finalizers": ["y"]}),
        ({"kind": "X", "finalizers": ["x"]}, ("f:finalizers", 'v:"x"'), {"kind": "X"}),
        ({"list": [1, 2]}, ("f:list", "i:1"), {"list": [1]}),
        ({"ports": [{"port": 53}]}, ("f:ports", 'k:{"port":53,"protocol":"TCP"}', "f:name"), {"ports": [{"port": 53}]}),
        (
            {"ports": [{"port": 53, "name": "dns"}]},
            ("f:ports", 'k:{"port":53,"protocol":"TCP"}', "f:name"),
            {"ports": [{"port": 53}]},
        ),
        (
            {"ports": [{"port": 53, "name": "t"}, {"port": 53, "protocol": "UDP", "name": "u"}]},
            ("f:ports", DNS, "f:name"),
            {"ports": [{"port": 53, "name": "t"}, {"port": 53, "protocol": "UDP"}]},
        ),
    ],
)
def test_a_field_is_left_out_and_nothing_beside_it(manifest: Manifest, path: Path, left: Manifest) -> None:
    assert without(manifest, [path]) == left


@pytest.mark.parametrize(
    "path",
    [
        ("f:other",),
        ("f:spec", "f:other", "f:deeper"),
        ("f:spec", "f:list", 'v:"none"'),
        ("f:spec", "f:list", "i:7"),
        ("f:spec", "f:items", 'k:{"name":"other"}', "f:image"),
        ("f:spec", "f:items", 'k:{"id":"web"}'),
        ("f:spec", WEB),
        ("f:spec", "f:list", "f:name"),
    ],
)
def test_a_field_that_is_not_there_changes_nothing(path: Path) -> None:
    manifest: Manifest = {"spec": {"list": ["a", {"b": 1}], "items": [container("web", image="x")]}}
    assert without(manifest, [path]) == manifest


def test_the_manifest_itself_stays_as_it_is() -> None:
    manifest: Manifest = {"spec": {"replicas": 1}}
    without(manifest, [("f:spec", "f:replicas"), ("f:spec",)])
    assert manifest == {"spec": {"replicas": 1}}
