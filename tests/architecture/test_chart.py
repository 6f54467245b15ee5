"""The chart says what the code needs: what is generated of it is current, and its values are all described."""

from __future__ import annotations

import json
import runpy
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from agent.cluster.kinds import KINDS, POOLED, WATCHED
from tests.architecture.tree import ROOT, project, read

CHART = "helm/perigee-agent"
GENERATE = runpy.run_path(str(ROOT / "helm" / "generate.py"))
FREE = ("settings", "resources")
"""Values that the code or Kubernetes describes, not values.yaml."""


def test_what_is_generated_is_current() -> None:
    behind = [str(path) for path, text in GENERATE["written"]().items() if read(str(path)) != text]
    assert behind == [], "run make chart"


def test_the_chart_has_the_version_of_the_agent() -> None:
    chart = yaml.safe_load(read(f"{CHART}/Chart.yaml"))
    assert chart["version"] == chart["appVersion"] == project()["project"]["version"]


def of_schema(schema: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for name, part in schema.get("properties", {}).items():
        path = f"{prefix}{name}"
        if part.get("properties") and path not in FREE:
            yield from of_schema(part, f"{path}.")
        elif path != "global":
            yield path


def of_values(values: dict[str, Any], known: set[str], prefix: str = "") -> Iterator[str]:
    for name, value in values.items():
        path = f"{prefix}{name}"
        yield from of_values(value, known, f"{path}.") if isinstance(value, dict) and path not in known else [path]


def test_every_value_has_a_default_and_a_schema() -> None:
    described = set(of_schema(json.loads(read(f"{CHART}/values.schema.json"))))
    assert set(of_values(yaml.safe_load(read(f"{CHART}/values.yaml")), described)) == described


def test_the_schema_leaves_nothing_open_that_has_a_shape() -> None:
    def shapes(node: Any, path: str) -> Iterator[str]:
        if isinstance(node, dict):
            if "properties" in node and node.get("type") == "object" and node.get("additionalProperties") is not False:
                yield path
            for name, part in node.items():
                yield from shapes(part, f"{path}/{name}")

    assert list(shapes(json.loads(read(f"{CHART}/values.schema.json")), "")) == []


def test_settings_that_the_chart_gives_are_not_to_be_given_twice() -> None:
    definitions = json.loads(read(f"{CHART}/values.schema.json"))["$defs"]
    assert not {"kubeconfig", "namespace", "namespaces", "serviceAccount"} & set(
        definitions["ClusterSettings"]["properties"]
    )
    assert not {"caFile", "tokenFile"} & set(definitions["UplinkSettings"]["properties"])


@pytest.mark.parametrize("given", [False, True])
def test_rights_are_for_kinds_that_rendering_gives(given: bool) -> None:
    emitted = {kind.kind for kind in GENERATE["emitted"](given=given)}
    unseen = {"Pod", "Role"}  # made by controllers; made by people
    ours = {kind.kind for kind in KINDS.values()} - unseen
    assert emitted == (ours - {"Namespace", "RoleBinding"} if given else ours)


def test_a_group_without_a_reason_is_not_granted() -> None:
    strange = type(WATCHED[0])("example.com/v1", "Widget", "widgets")
    with pytest.raises(KeyError, match=r"example\.com"):
        list(GENERATE["writing"]([strange]))


def test_a_pool_is_watched_by_the_same_kinds_but_those_that_are_not_its_own_to_make() -> None:
    assert {kind.kind for kind in WATCHED} - {kind.kind for kind in POOLED} == {"Namespace", "Role", "RoleBinding"}
    assert all(kind.namespaced for kind in POOLED)


def test_no_rule_of_a_pool_has_a_wildcard_or_gives_rights_on() -> None:
    text = read(f"{CHART}/templates/rights/namespaces.yaml")
    body = text.partition("rules:\n")[2].partition("---")[0]
    rules = yaml.safe_load(body)
    assert "*" not in str(rules)
    verbs = {verb for rule in rules for verb in rule["verbs"]}
    assert verbs <= {"get", "list", "watch", "create", "patch", "delete"}
    assert not any("rbac.authorization.k8s.io" in rule["apiGroups"] for rule in rules)
    assert "ClusterRole" not in text
