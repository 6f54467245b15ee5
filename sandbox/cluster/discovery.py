"""What the API server says about itself: versions, groups, resources, health.

Here: the unaggregated discovery documents, which every client understands. Not here: OpenAPI.
"""

from __future__ import annotations

from sandbox.cluster.kinds import Catalogue, Json, Kind
from sandbox.cluster.routes import METHODS, subresources

VERSION: Json = {
    "major": "1",
    "minor": "36",
    "gitVersion": "v1.36.0-embedded",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "",
    "compiler": "",
    "platform": "simulated",
}
TEXT = "text/plain; charset=utf-8"
HEALTH = ("/healthz", "/livez", "/readyz")
_VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]


def document(path: str, catalogue: Catalogue) -> Json | None:
    """Return the discovery document at a path, or None when the path is none of discovery's."""
    segments = path.strip("/").split("/")
    if segments[0] not in {"version", "api", "apis"}:
        return None
    versions = catalogue.versions()
    if segments == ["version"]:
        return VERSION
    if segments == ["api"]:
        return {"kind": "APIVersions", "versions": versions[""], "serverAddressByClientCIDRs": []}
    if segments == ["apis"]:
        groups = [_group(group, found) for group, found in versions.items() if group]
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}
    group, *version = segments[1:] if segments[0] == "apis" else ["", *segments[1:]]
    if group and not version and group in versions:
        return {"kind": "APIGroup", "apiVersion": "v1"} | _group(group, versions[group])
    if len(version) == 1 and version[0] in versions.get(group, []):
        return _resources(group, version[0], catalogue)
    return None


def _group(group: str, versions: list[str]) -> Json:
    served = [{"groupVersion": f"{group}/{version}", "version": version} for version in versions]
    return {"name": group, "versions": served, "preferredVersion": served[0]}


def _resources(group: str, version: str, catalogue: Catalogue) -> Json:
    kinds = [kind for kind in catalogue.all() if (kind.group, kind.version) == (group, version)]
    resources = [entry for kind in kinds for entry in _entries(kind)]
    group_version = f"{group}/{version}".strip("/")
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": resources}


def _entries(kind: Kind) -> list[Json]:
    common: Json = {"singularName": "", "namespaced": kind.namespaced, "kind": kind.name}
    whole = common | {"name": kind.plural, "singularName": kind.singular, "verbs": _VERBS}
    if not kind.stored:
        whole["verbs"] = ["create"]
    if not kind.collection:
        whole["verbs"] = [verb for verb in _VERBS if verb != "deletecollection"]
    whole |= {key: list(value) for key, value in (("shortNames", kind.short), ("categories", kind.categories)) if value}
    parts = [
        common
        | {"name": f"{kind.plural}/{part}", "verbs": [_WORDS[method] for method in METHODS[part]]}
        | _FACES.get(part, {})
        for part in subresources(kind)
    ]
    return [whole, *parts]


_WORDS = {"GET": "get", "PATCH": "patch", "PUT": "update"}
_FACES: dict[str, Json] = {"scale": {"kind": "Scale", "group": "autoscaling", "version": "v1"}}
