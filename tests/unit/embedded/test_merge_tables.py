"""The making of the tables of kinds, from a server's documents and from Go's sources."""

from typing import Any

from sandbox.cluster.merge import extract, golang

META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"


def document(**types: Any) -> dict[str, Any]:
    schemas = {f"io.k8s.api.toys.v1.{name}": schema for name, schema in types.items()}
    return {"toys/v1": {"components": {"schemas": schemas | {META: {"type": "object", "properties": {}}}}}}


def reference(name: str) -> dict[str, Any]:
    return {"allOf": [{"$ref": f"#/components/schemas/{name}"}]}


def toy(**properties: Any) -> dict[str, Any]:
    served = [{"group": "toys", "version": "v1", "kind": "Toy"}]
    return {
        "type": "object",
        "required": ["parts"],
        "properties": {"metadata": reference(META) | {"default": {}}, **properties},
        "x-kubernetes-group-version-kind": served,
    }


def fields_of(**properties: Any) -> dict[str, Any]:
    found = extract.table(
        document(Toy=toy(**properties), Part={"type": "object", "properties": {"id": {"type": "string"}}})
    )
    fields: dict[str, Any] = found["types"]["toys.v1.Toy"]["fields"]
    return fields


def test_only_kinds_with_metadata_are_listed() -> None:
    listed = {"type": "object", "properties": {"items": {"type": "array", "items": {"type": "string"}}}}
    found = extract.table(document(Toy=toy(), ToyList=listed))
    assert found["kinds"] == {"toys/v1/Toy": "toys.v1.Toy"}
    assert set(found["types"]) == {"toys.v1.Toy", "meta.v1.ObjectMeta"}


def test_a_list_says_how_its_items_are_found() -> None:
    part = {"$ref": "#/components/schemas/io.k8s.api.toys.v1.Part"}
    parts = {"type": "array", "items": part, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["id"]}
    merged = parts | {"x-kubernetes-patch-strategy": "merge", "x-kubernetes-patch-merge-key": "id"}
    found = fields_of(
        parts=merged, names={"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"}
    )
    listed = {"items": "#toys.v1.Part", "list": "map", "keys": ["id"]}
    assert found["parts"] == {"type": listed, "always": True, "patch": "merge", "mergeKey": "id"}
    assert found["names"] == {"items": "string", "list": "set"}


def test_scalars_are_told_apart_as_the_server_does() -> None:
    found = fields_of(
        plain={"type": "string"},
        coded={"type": "string", "format": "byte"},
        dated={"type": "string", "format": "date-time"},
        count={"type": "integer", "default": 0},
        free={"description": "anything"},
        amount=reference("io.k8s.apimachinery.pkg.api.resource.Quantity"),
    )
    assert {name: found[name] for name in ("plain", "coded", "dated", "free", "amount")} == {
        "plain": "string",
        "coded": "string",
        "dated": "scalar",
        "free": "any",
        "amount": "quantity",
    }
    assert found["count"] == {"type": "number", "default": 0}


def test_a_reference_may_make_a_leaf_of_what_it_points_to() -> None:
    part = reference("io.k8s.api.toys.v1.Part")
    found = fields_of(
        whole=part | {"x-kubernetes-map-type": "atomic"}, spread=part | {"x-kubernetes-map-type": "granular"}
    )
    assert found["whole"] == {"ref": "toys.v1.Part", "atomic": True}
    assert found["spread"] == {"ref": "toys.v1.Part", "atomic": False}


def test_maps_and_free_objects() -> None:
    found = fields_of(
        labels={"type": "object", "additionalProperties": {"type": "string"}, "x-kubernetes-map-type": "atomic"},
        anything={"type": "object"},
    )
    assert found["labels"] == {"values": "string", "atomic": True}
    assert found["anything"] == {"values": "any"}


def test_the_file_has_a_line_for_each_entry() -> None:
    lines = extract.written({"kinds": {"a": 1, "b": 2}, "types": {"c": {}}}).splitlines()
    assert lines == ["{", ' "kinds": {', '  "a": 1,', '  "b": 2', " },", ' "types": {', '  "c": {}', " }", "}"]


SOURCE = """
type Colour string

// Toy is a toy.
type Toy struct {
	metav1.TypeMeta `json:",inline"`
	Base            `json:",inline"`
	Name   string      `json:"name" protobuf:"bytes,1,opt,name=name"`
	Colour Colour      `json:"colour,omitempty"`
	Size   *int32      `json:"size,omitempty"`
	Parts  []string    `json:"parts"`
	Bits   []string    `json:"bits,omitempty"`
	Made   metav1.Time `json:"made,omitempty"`
}

type Base struct {
	Loud bool `json:"loud,omitempty"`
}
"""


def test_what_go_leaves_out_and_always_writes() -> None:
    found = golang.table([("toys.v1", SOURCE)])
    assert found["toys.v1.Toy"] == {"dropsZero": ["colour", "loud"], "always": ["made", "parts"]}
    assert found["toys.v1.Base"] == {"dropsZero": ["loud"]}
    assert golang.written({"a": {"always": ["x"]}, "b": {}}) == '{\n "a": {"always": ["x"]},\n "b": {}\n}\n'
