"""Making `kinds.json`: what the apply engine must know of each kind, taken from a running server's OpenAPI (version 3).

Here: `table`, a pure function of the documents, and `python -m sandbox.cluster.merge.extract KUBECONFIG`, which fetches
them and writes the file. Not here: reading the table (`shapes`), what OpenAPI does not say of Go's encoder (`golang`).

The rules are those by which the server itself makes its schemas: k8s.io/kube-openapi pkg/schemaconv.
"""

import base64
import json
import ssl
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

GROUP_VERSIONS: Final = (
    "v1",
    "admissionregistration.k8s.io/v1",
    "apiextensions.k8s.io/v1",
    "apps/v1",
    "autoscaling/v2",
    "batch/v1",
    "coordination.k8s.io/v1",
    "discovery.k8s.io/v1",
    "events.k8s.io/v1",
    "networking.k8s.io/v1",
    "policy/v1",
    "rbac.authorization.k8s.io/v1",
    "scheduling.k8s.io/v1",
    "storage.k8s.io/v1",
)

Document = Mapping[str, Any]

_OBJECT_META: Final = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
_GVK: Final = "x-kubernetes-group-version-kind"

# Types that encode themselves; the server knows them by name, too.
_SELF_ENCODED: Final = {
    "io.k8s.apimachinery.pkg.api.resource.Quantity": "quantity",
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": "scalar",
    "io.k8s.apimachinery.pkg.runtime.RawExtension": "opaque",
    "io.k8s.apimachinery.pkg.apis.meta.v1.Time": "time",
    "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime": "microtime",
}


def table(documents: Mapping[str, Document]) -> dict[str, Any]:
    """The table of kinds and types.

    Args:
        documents: the OpenAPI version 3 document of each group and version, for example under `apps/v1`.
    """
    schemas: dict[str, Document] = {}
    kinds: dict[str, str] = {}
    for group_version, document in documents.items():
        schemas |= document["components"]["schemas"]
        kinds |= {f"{group_version}/{kind}": name for kind, name in _kinds(document, group_version)}
    return {
        "kinds": {kind: _short(name) for kind, name in sorted(kinds.items())},
        "types": dict(sorted(_types(schemas, list(kinds.values())).items())),
    }


def _kinds(document: Document, group_version: str) -> Iterator[tuple[str, str]]:
    """The kinds with an object's metadata that this group and version serves, and their types' names."""
    for name, schema in document["components"]["schemas"].items():
        metadata = schema.get("properties", {}).get("metadata", {})
        if _reference(metadata) != _OBJECT_META:
            continue
        for served in schema.get(_GVK, ()):
            if "/".join(filter(None, (served["group"], served["version"]))) == group_version:
                yield served["kind"], name


def _types(schemas: Mapping[str, Document], wanted: list[str]) -> dict[str, Any]:
    """These types and all that they refer to."""
    found: dict[str, Any] = {}
    while wanted:
        name = wanted.pop()
        if _short(name) not in found:
            found[_short(name)] = _type(schemas[name])
            wanted += [target for target in _targets(schemas[name]) if target not in _SELF_ENCODED]
    return found


def _targets(schema: Any) -> Iterator[str]:
    """The names of all types that a schema refers to."""
    if isinstance(schema, Mapping):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"].rpartition("/")[2]
        for value in schema.values():
            yield from _targets(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _targets(value)


def _reference(schema: Document) -> str | None:
    """The name that a schema refers to, plainly or as the single member of an `allOf`."""
    if len(schema.get("allOf", ())) == 1:
        schema = schema["allOf"][0]
    reference = schema.get("$ref")
    return reference.rpartition("/")[2] if reference else None


def _short(name: str) -> str:
    """`apps.v1.Deployment` for `io.k8s.api.apps.v1.Deployment`."""
    return ".".join(name.split(".")[-3:])


def _type(schema: Document) -> Any:
    name = _reference(schema)
    if name is not None:
        return _referred(name, schema.get("x-kubernetes-map-type"))
    sort = schema.get("type", "")
    if sort == "object":
        return _object(schema)
    if sort == "array":
        return _array(schema)
    if sort == "string":
        # Other formats (dates, quantities) are compared as they are written, whatever that is.
        return "string" if schema.get("format", "byte") == "byte" else "scalar"
    return {"": "any", "integer": "number"}.get(sort, sort)


def _referred(name: str, map_type: str | None) -> Any:
    if name in _SELF_ENCODED:
        return _SELF_ENCODED[name]
    if map_type is not None:
        return {"ref": _short(name), "atomic": map_type == "atomic"}
    return f"#{_short(name)}"


def _object(schema: Document) -> dict[str, Any]:
    required = schema.get("required", ())
    result: dict[str, Any] = {}
    properties = schema.get("properties", {})
    if properties:
        result["fields"] = {
            name: _field(field, required=name in required) for name, field in sorted(properties.items())
        }
    if "additionalProperties" in schema:
        result["values"] = _type(schema["additionalProperties"])
    elif not properties:
        result["values"] = "any"
    if schema.get("x-kubernetes-map-type") == "atomic":
        result["atomic"] = True
    return result


def _array(schema: Document) -> dict[str, Any]:
    result = {"items": _type(schema["items"])}
    if schema.get("x-kubernetes-list-type") in ("map", "set"):
        result["list"] = schema["x-kubernetes-list-type"]
        if "x-kubernetes-list-map-keys" in schema:
            result["keys"] = schema["x-kubernetes-list-map-keys"]
    return result


def _field(schema: Document, *, required: bool) -> Any:
    """A field's type, and beside it what only fields have."""
    extra: dict[str, Any] = {}
    default = schema.get("default")
    if default == {}:
        extra |= {"always": True, "zero": {}}
    elif required:
        extra |= {"always": True} if default is None else {"always": True, "zero": default}
    if default not in (None, {}):
        extra["default"] = default
    if "x-kubernetes-patch-strategy" in schema:
        extra["patch"] = schema["x-kubernetes-patch-strategy"]
    if "x-kubernetes-patch-merge-key" in schema:
        extra["mergeKey"] = schema["x-kubernetes-patch-merge-key"]
    return {"type": _type(schema), **extra} if extra else _type(schema)


def written(found: Mapping[str, Any]) -> str:
    """The table as it stands in the file: a line for each kind and each type, so that changes can be read."""
    sections = []
    for name, entries in found.items():
        lines = [f"  {json.dumps(key)}: {json.dumps(value, separators=(',', ':'))}" for key, value in entries.items()]
        sections.append(f" {json.dumps(name)}: {{\n" + ",\n".join(lines) + "\n }")
    return "{\n" + ",\n".join(sections) + "\n}\n"


def fetched(kubeconfig: Path) -> dict[str, Document]:
    """The documents of all groups and versions of the table, from the server of a kubeconfig's first context."""
    config = yaml.safe_load(kubeconfig.read_text())
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    context = ssl.create_default_context()
    if "certificate-authority" in cluster:
        context.load_verify_locations(cafile=cluster["certificate-authority"])
    else:
        context.load_verify_locations(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
    documents = {}
    for group_version in GROUP_VERSIONS:
        place = f"apis/{group_version}" if "/" in group_version else f"api/{group_version}"
        request = urllib.request.Request(  # noqa: S310 - the URL comes from the operator's own kubeconfig
            f"{cluster['server']}/openapi/v3/{place}", headers={"Authorization": f"Bearer {user['token']}"}
        )
        with urllib.request.urlopen(request, context=context) as answer:  # noqa: S310 - as above
            documents[group_version] = json.load(answer)
    return documents


if __name__ == "__main__":
    Path(__file__).with_name("kinds.json").write_text(written(table(fetched(Path(sys.argv[1])))))
