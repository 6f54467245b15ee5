"""The guard: whether a customer's own rules let a document have what was rendered of it. Pure.

Here: the list of all rules, judging by them, and what protects an instance from its tombstone. The modules beside this
one look for one sort of violation each. Not here: whose a namespace is (``planning.guard``), when anything is judged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Final

from agent.model.errors import Refused
from agent.model.guard import Feature, Rule, Violation
from agent.model.instance import State
from agent.planning.guarding import ceilings, containers, images, objects, pods, rights, volumes, wishes
from agent.planning.guarding.walking import Account, Case, Found

__all__ = [
    "CHECKS",
    "GUARD_INVALID",
    "GUARD_VIOLATION",
    "Account",
    "Case",
    "Check",
    "Known",
    "Violated",
    "judge",
    "protected",
]

GUARD_VIOLATION: Final = "GuardViolation"
GUARD_INVALID: Final = "GuardInvalid"
_HINT: Final = "change the document, or the rules in ConfigMap perigee-guard"
_LONGEST: Final = 3500
"""Of a message: a report takes a little more."""


@dataclass(frozen=True, slots=True)
class Check:
    """One rule and how its violations are found."""

    rule: str
    look: Callable[[Case], Iterator[Found]]


_ALWAYS: Final[tuple[tuple[Rule, Callable[[Case], Iterator[Found]]], ...]] = (
    *pods.FLAGS,
    (Rule.POD_FIELDS, pods.unknown_fields),
    (Rule.NODE_NAME, pods.node_names),
    (Rule.SCHEDULER, pods.schedulers),
    (Rule.CONTROL_PLANE_NODES, pods.control_plane_nodes),
    (Rule.PRIORITY, pods.priorities),
    (Rule.RUNTIME_CLASS, pods.runtime_classes),
    (Rule.SYSCTLS, pods.sysctls),
    (Rule.SERVICE_ACCOUNT, pods.accounts),
    (Rule.TOKEN, pods.tokens),
    (Rule.HOST_PORT, containers.host_ports),
    (Rule.HOST_PROCESS, containers.host_processes),
    (Rule.PROBE_HOST, containers.probe_hosts),
    (Rule.PRIVILEGED, containers.privileged),
    (Rule.PRIVILEGE_ESCALATION, containers.escalation),
    (Rule.CAPABILITIES, containers.capabilities),
    (Rule.PROC_MOUNT, containers.proc_mounts),
    (Rule.ROOT_USER, containers.root),
    (Rule.SECCOMP, containers.seccomp),
    (Rule.APP_ARMOR, containers.app_armor),
    (Rule.SE_LINUX, containers.se_linux),
    (Rule.VOLUMES, volumes.volumes),
    (Rule.TOKEN_AUDIENCE, volumes.audiences),
    (Rule.CLAIM_SOURCE, volumes.claim_sources),
    (Rule.KINDS, objects.kinds),
    (Rule.CLUSTER_SCOPED, objects.cluster_scoped),
    (Rule.OTHER_NAMESPACE, objects.other_namespaces),
    (Rule.POD_SECURITY, objects.pod_security),
    (Rule.OWNERS, objects.owners),
    (Rule.TOKEN_SECRET, objects.token_secrets),
    (Rule.NODE_PORT, objects.node_ports),
    (Rule.LOAD_BALANCER, objects.load_balancers),
    (Rule.EXTERNAL_NAME, objects.external_names),
    (Rule.EXTERNAL_IPS, objects.external_ips),
    *rights.RULES,
)
_GIVEN: Final = (
    Check("images.repositories", images.repositories),
    Check("images.digestsOnly", images.digests),
    Check("namespaces", wishes.namespaces),
    Check("windows", wishes.maintenance),
    Check("ceilings.quota", ceilings.quota),
    Check("ceilings.replicas", ceilings.replicas),
    Check("ceilings.storage", ceilings.storage),
    Check("ceilings.requests", ceilings.requests),
    Check("ceilings.limits", ceilings.limits),
)
"""Rules that say nothing until the customer fills them in."""


def _forbidding() -> Iterator[Check]:
    for feature, look in wishes.FEATURES.items():

        def forbidden(case: Case, feature: Feature = feature, look: wishes.Look = look) -> Iterator[Found]:
            return look(case) if feature in case.guard.forbidden else iter(())

        yield Check(f"forbid.{feature}", forbidden)


CHECKS: Final = (*(Check(rule, look) for rule, look in _ALWAYS), *_GIVEN, *_forbidding())
"""Every rule."""


class Violated(Refused):
    """What the guard does not let through; every violation is in ``violations``, and as many as fit in the message."""

    def __init__(self, violations: Sequence[Violation]) -> None:
        self.violations = tuple(violations)
        super().__init__(_told(self.violations), reason=GUARD_VIOLATION, hint=_HINT)


def judge(case: Case, checks: Sequence[Check] = CHECKS) -> tuple[Violation, ...]:
    """Every violation of every rule that is in force, in the order of the rules; none: the document may have this."""
    return tuple(
        Violation(check.rule, found.where, found.path, found.message)
        for check in checks
        if check.rule not in case.guard.allowed
        for found in check.look(case)
    )


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of an instance beyond its newest document: names and namespaces that it had, and its labels then.

    A tombstone must not hide what it buries by calling it otherwise.
    """

    names: frozenset[str] = frozenset()
    namespaces: frozenset[str] = frozenset()
    labels: tuple[Mapping[str, str], ...] = field(default=())


def protected(case: Case, known: Known) -> tuple[Violation, ...]:
    """Why this tombstone is not carried out; nothing for any other document."""
    instance, protection = case.instance, case.guard.protection
    if instance.state is not State.DELETED:
        return ()
    names = {instance.id, instance.name} | known.names
    reasons = [
        ("protect.instances", _matching(names, protection.instances)),
        ("protect.namespaces", _matching({instance.namespace} | known.namespaces, protection.namespaces)),
        ("protect.labels", _labelled((instance.labels, *known.labels), protection.labels)),
    ]
    return tuple(
        Violation(rule, "document", "spec.state", f"deletion is refused: {what} is protected")
        for rule, what in reasons
        if what
    )


def _matching(names: set[str], patterns: Sequence[str]) -> str:
    return next((name for name in sorted(names) if any(fnmatchcase(name, one) for one in patterns)), "")


def _labelled(labels: Sequence[Mapping[str, str]], protected_by: Mapping[str, str]) -> str:
    """An instance is protected by any one of the labels."""
    found = (f"{key}={text}" for key, text in protected_by.items() for one in labels if one.get(key) == text)
    return next(found, "")


def _told(violations: Sequence[Violation]) -> str:
    """All of them, as far as a report has room; the rest is counted."""
    told, left = "", len(violations)
    for one in violations:
        line = f"{'; ' if told else ''}{one}"
        if len(told) + len(line) > _LONGEST:
            break
        told, left = told + line, left - 1
    return told + (f"; and {left} more" if left else "")
