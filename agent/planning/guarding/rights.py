"""Which rights an instance may bring along: few, in its namespace, for its own accounts.

The one binding of a ClusterRole that may be is that by which the agent opens an instance's namespace to itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from agent.model.guard import Rule
from agent.planning.guarding.walking import Case, Found, Place

AGENT_ROLE: Final = "perigee-instance"
_ROLES: Final = ("Role", "ClusterRole")
_BINDINGS: Final = ("RoleBinding", "ClusterRoleBinding")
_VERBS: Final = frozenset({"bind", "escalate", "impersonate"})
_RESOURCES: Final = frozenset(
    {
        *("nodes", "nodes/proxy", "pods/attach", "pods/ephemeralcontainers", "pods/exec", "pods/portforward"),
        *("rolebindings", "roles", "serviceaccounts", "serviceaccounts/token", "services/proxy", "pods/proxy"),
    }
)
"""Whoever may work with these takes over others' pods, tokens or rights."""
_WRITES: Final = frozenset({"create", "update", "patch", "delete", "deletecollection"})


def wildcards(case: Case) -> Iterator[Found]:
    """A star grows with the cluster."""
    for rule in _rules(case):
        for name in ("apiGroups", "resources", "verbs", "nonResourceURLs"):
            if any("*" in text for text in rule.texts(name)):
                yield rule.found(name, "must not contain a wildcard")


def powers(case: Case) -> Iterator[Found]:
    """Rights that give further rights."""
    for rule in _rules(case):
        verbs = frozenset(rule.texts("verbs"))
        if verbs & _VERBS:
            yield rule.found("verbs", f"must not contain {', '.join(sorted(verbs & _VERBS))}")
        strong = frozenset(rule.texts("resources")) & _RESOURCES
        if strong and verbs & (_WRITES | {"get"}):
            yield rule.found("resources", f"{', '.join(sorted(strong))} must not be granted")


def secret_rights(case: Case) -> Iterator[Found]:
    """Secrets reach pods as they are mounted, and in no other way."""
    for rule in _rules(case):
        if "secrets" in rule.texts("resources"):
            yield rule.found("resources", "secrets must not be granted")


def roles(case: Case) -> Iterator[Found]:
    """A binding refers to a role that the instance brings along: what others grant, nobody has judged."""
    own = case.names("Role")
    for one in case.of_kind(*_BINDINGS):
        role = one.at("roleRef")
        local = role.body.get("kind") == "Role" and role.body.get("name") in own
        if not local and not _opens(case, one):
            yield role.found("name", "must be a Role of this instance")


def subjects(case: Case) -> Iterator[Found]:
    """Nobody gets rights in the namespace but the instance's own accounts, and the agent its own."""
    own = case.names("ServiceAccount")
    for one in case.of_kind(*_BINDINGS):
        if _opens(case, one):
            continue
        for subject in one.each("subjects"):
            here = subject.body.get("namespace", case.instance.namespace) == case.instance.namespace
            if subject.body.get("kind") != "ServiceAccount" or not here or subject.body.get("name") not in own:
                yield subject.found("name", "must be an account of this instance")


RULES: Final = (
    (Rule.WILDCARD_RIGHTS, wildcards),
    (Rule.POWERFUL_RIGHTS, powers),
    (Rule.SECRET_RIGHTS, secret_rights),
    (Rule.FOREIGN_ROLE, roles),
    (Rule.FOREIGN_SUBJECTS, subjects),
)


def _rules(case: Case) -> Iterator[Place]:
    for one in case.of_kind(*_ROLES):
        yield from one.each("rules")


def _opens(case: Case, binding: Place) -> bool:
    """Whether this is the agent's own binding: that role, to that account, and to nobody else."""
    role, bound = binding.at("roleRef").body, list(binding.each("subjects"))
    if case.account is None or (role.get("kind"), role.get("name")) != ("ClusterRole", AGENT_ROLE):
        return False
    account = {"kind": "ServiceAccount", "namespace": case.account.namespace, "name": case.account.name}
    return binding.body.get("kind") == "RoleBinding" and [dict(one.body) for one in bound] == [account]
