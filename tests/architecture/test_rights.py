"""The role file says what the code needs and the threat model tells: the same kinds and verbs, each with a reason."""

from __future__ import annotations

import ast
import re
from typing import Any

import yaml

from agent.cluster.kinds import KINDS, WATCHED, Kind
from agent.model.labels import INSTANCE
from tests.architecture.tree import modules, read

FILE = "config/rbac/agent.yaml"
OBSERVE = {"get", "list", "watch"}
APPLY = {"create", "patch"}
MEANING = {"yes": APPLY | {"delete"}, "not created": {"patch", "delete"}, "": set[str]()}
"""What the column *written* of the threat model means."""
VERBS = {"apply": APPLY, "scale": APPLY}
"""Words of the code for what Kubernetes calls otherwise."""


def roles() -> dict[str, dict[str, set[str]]]:
    """The verbs of each role on each resource; a role of the agent's own namespace is called `own`."""
    found: dict[str, dict[str, set[str]]] = {}
    for role in documents("Role", "ClusterRole"):
        rights = found.setdefault("own" if role["kind"] == "Role" else role["metadata"]["name"], {})
        for rule in role["rules"]:
            for resource in rule["resources"]:
                rights.setdefault(resource, set()).update(rule["verbs"])
    return found


def documents(*kinds: str) -> list[dict[str, Any]]:
    return [each for each in yaml.safe_load_all(read(FILE)) if each["kind"] in kinds]


def table() -> dict[str, tuple[bool, bool, str]]:
    """The threat model's table of rights: by kind, whether it is watched or read by name, and how it is written."""
    section = read("docs/threat-model.md").split("## Rights of the agent in the cluster", 1)[1]
    row = r"^\| ([A-Z]\w+) \| (yes)? *\| (yes)? *\| (yes|not created)? *\|"
    return {
        kind: (watched == "yes", named == "yes", written)
        for kind, watched, named, written in re.findall(row, section, re.MULTILINE)
    }


def test_no_rule_has_a_wildcard_or_reaches_beyond_resources() -> None:
    """clusternet/clusternet#804: a chart with wildcards is reported as a vulnerability, and rightly."""
    for role in documents("Role", "ClusterRole"):
        for rule in role["rules"]:
            assert set(rule) <= {"apiGroups", "resources", "resourceNames", "verbs"}, role["metadata"]["name"]
            assert "*" not in str(rule)
            assert not {"impersonate", "escalate", "deletecollection"} & set(rule["verbs"])


def test_every_rule_says_what_for() -> None:
    lines = read(FILE).splitlines()
    rules = [number for number, line in enumerate(lines) if line.startswith("  - apiGroups:")]
    assert len(rules) == sum(len(role["rules"]) for role in documents("Role", "ClusterRole"))
    assert [lines[number] for number in rules if not lines[number - 1].startswith("  # ")] == []


def test_every_kind_is_in_its_own_group() -> None:
    groups = {kind.plural: kind.api_version.rpartition("/")[0] for kind in KINDS.values()}
    groups |= {"leases": "coordination.k8s.io", "clusterroles": "rbac.authorization.k8s.io"}
    for role in documents("Role", "ClusterRole"):
        for rule in role["rules"]:
            assert {groups[resource.partition("/")[0]] for resource in rule["resources"]} == set(rule["apiGroups"])


def test_exactly_what_is_watched_may_be_seen_everywhere() -> None:
    cluster = roles()["perigee-agent"]
    assert {resource for resource, verbs in cluster.items() if verbs & OBSERVE} == {kind.plural for kind in WATCHED}
    assert all(cluster[kind.plural] >= OBSERVE for kind in WATCHED)
    assert not {"secrets", "configmaps"} & set(cluster)


def test_what_may_be_written_everywhere_is_namespaces_and_bindings_of_one_role() -> None:
    written = {resource: verbs - OBSERVE for resource, verbs in roles()["perigee-agent"].items()}
    assert {resource: verbs for resource, verbs in written.items() if verbs} == {
        "namespaces": {"create", "patch", "delete"},
        "rolebindings": {"create", "patch"},
        "clusterroles": {"bind"},
    }
    [rule] = [rule for role in documents("ClusterRole") for rule in role["rules"] if "bind" in rule["verbs"]]
    assert rule["resourceNames"] == ["perigee-instance"]


def test_the_threat_model_tells_the_rights_of_the_file() -> None:
    told = table()
    assert set(told) == {kind.kind for kind in KINDS.values()}
    for kind in KINDS.values():
        watched, named, written = told[kind.kind]
        assert watched is kind.watched, kind.kind
        everywhere, there = (roles()[role].get(kind.plural, set()) for role in ("perigee-agent", "perigee-instance"))
        assert (everywhere | there) - OBSERVE == MEANING[written], kind.kind
        assert _by_name(kind, there) is named, kind.kind


def _by_name(kind: Kind, there: set[str]) -> bool:
    return kind.kind == "Namespace" or "get" in there


def test_the_threat_model_tells_the_rights_in_the_agents_own_namespace() -> None:
    [told] = re.findall(r"^- \*\*In its own namespace\*\*: (.+)\.$", read("docs/threat-model.md"), re.MULTILINE)
    parts = (re.fullmatch(r"(.+) of (\w+)", part) for part in told.split("; "))
    assert {part[2].lower(): set(re.split(r", | and ", part[1])) for part in parts if part} == roles()["own"]


def test_no_role_has_a_verb_that_the_code_never_speaks() -> None:
    spoken = {"bind"}
    for module in modules("agent"):
        for node in ast.walk(module.tree):
            match node:
                case ast.Call(func=ast.Name(id="Request"), args=[ast.Constant(value=str(verb)), *_]):
                    spoken |= VERBS.get(verb, {verb})
    assert {verb for role in roles().values() for verbs in role.values() for verb in verbs} <= spoken


def test_the_policy_judges_every_write_of_the_account_by_the_label_that_the_code_uses() -> None:
    [policy] = documents("ValidatingAdmissionPolicy")
    [bound] = documents("ValidatingAdmissionPolicyBinding")
    assert policy["spec"]["failurePolicy"] == "Fail"
    assert bound["spec"] == {"policyName": policy["metadata"]["name"], "validationActions": ["Deny"]}
    [account] = documents("ServiceAccount")
    metadata = account["metadata"]
    [condition] = policy["spec"]["matchConditions"]
    assert f'"system:serviceaccount:{metadata["namespace"]}:{metadata["name"]}"' in condition["expression"]
    expressions = [each["expression"] for part in ("variables", "validations") for each in policy["spec"][part]]
    assert {label for text in expressions for label in re.findall(r'"(perigee\.dev/\w+)"', text)} == {INSTANCE}
