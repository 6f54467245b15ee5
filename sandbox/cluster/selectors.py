"""Label and field selectors: text in, a predicate over objects out.

Here: the grammar of ``labelSelector`` (equality and set-based), the few field labels that the real server indexes, and
``matchLabels``/``matchExpressions`` of workloads. Not here: where the objects come from.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.cluster.errors import bad_request
from sandbox.cluster.kinds import EVENT, NAMESPACE, POD, SECRET, Json, Kind

Predicate = Callable[[Json], bool]

_SET = re.compile(r"^(?P<key>\S+)\s+(?P<operator>in|notin)\s*\((?P<values>[^()]*)\)$")
_EQUALITY = re.compile(r"^(?P<key>[^\s=!]+)\s*(?P<operator>==|=|!=)\s*(?P<value>[^\s=!]*)$")
_PRESENCE = re.compile(r"^(?P<absent>!?)\s*(?P<key>[A-Za-z0-9][-A-Za-z0-9_./]*)$")
_COMMA_OUTSIDE_PARENTHESES = re.compile(r",(?![^(]*\))")

_EVERY_KIND = ("metadata.name", "metadata.namespace")
_OF_KIND = {
    POD: ("status.phase", "spec.nodeName", "spec.serviceAccountName", "spec.restartPolicy"),
    NAMESPACE: ("status.phase",),
    SECRET: ("type",),
    EVENT: (*(f"involvedObject.{name}" for name in ("kind", "namespace", "name", "uid")), "reason", "type"),
}


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition on one label: its value must be among ``values``, or must not be; None stands for absence."""

    key: str
    values: frozenset[str] | None
    wanted: bool

    def holds(self, labels: Mapping[str, str]) -> bool:
        """Say whether labels meet the requirement."""
        if self.values is None:
            return (self.key in labels) is self.wanted
        return (labels.get(self.key) in self.values) is self.wanted


def labels_of(document: Json) -> Mapping[str, str]:
    """Return an object's labels, empty when it has none."""
    found: Mapping[str, str] = document["metadata"].get("labels") or {}
    return found


def parse_labels(text: str) -> tuple[Requirement, ...]:
    """Parse a ``labelSelector``.

    Raises:
        ApiError: 400, naming the part that is not understood.
    """
    parts = _COMMA_OUTSIDE_PARENTHESES.split(text) if text.strip() else []
    return tuple(_requirement(part.strip()) for part in parts)


def _requirement(part: str) -> Requirement:
    if found := _SET.match(part):
        values = frozenset(value.strip() for value in found["values"].split(","))
        return Requirement(found["key"], values, found["operator"] == "in")
    if found := _EQUALITY.match(part):
        return Requirement(found["key"], frozenset([found["value"]]), found["operator"] != "!=")
    if found := _PRESENCE.match(part):
        return Requirement(found["key"], None, not found["absent"])
    raise bad_request(f"unable to parse requirement: found {part!r}, expected a label requirement")


def workload_selector(selector: Json) -> tuple[Requirement, ...]:
    """Return the requirements of a ``LabelSelector`` as workloads carry it."""
    equal = [
        Requirement(key, frozenset([value]), wanted=True) for key, value in selector.get("matchLabels", {}).items()
    ]
    return tuple(equal + [_expression(expression) for expression in selector.get("matchExpressions", [])])


def _expression(expression: Json) -> Requirement:
    operator = expression["operator"]
    values = frozenset(expression["values"]) if operator in {"In", "NotIn"} else None
    return Requirement(expression["key"], values, operator in {"In", "Exists"})


def selected(requirements: tuple[Requirement, ...], labels: Mapping[str, str]) -> bool:
    """Say whether labels meet every requirement."""
    return all(requirement.holds(labels) for requirement in requirements)


def predicate(kind: Kind, *, labels: str, fields: str) -> Predicate | None:
    """Return what a list or a watch lets through, or None when it lets everything through.

    Raises:
        ApiError: 400, for a selector that is not understood or a field that cannot be selected by.
    """
    requirements = parse_labels(labels)
    conditions = [_field(kind, part) for part in fields.split(",") if part]
    if not requirements and not conditions:
        return None

    def lets_through(document: Json) -> bool:
        met = all((_value(document, path) == value) is wanted for path, value, wanted in conditions)
        return met and selected(requirements, labels_of(document))

    return lets_through


def _field(kind: Kind, part: str) -> tuple[list[str], str, bool]:
    found = _EQUALITY.match(part.strip())
    if not found:
        raise bad_request(f"invalid selector: '{part}'; can't understand '{part}'")
    if found["key"] not in (*_EVERY_KIND, *_OF_KIND.get(kind, ())):
        known = ", ".join(f'"{label}"' for label in _EVERY_KIND)
        raise bad_request(f'"{found["key"]}" is not a known field selector: only {known}')
    return found["key"].split("."), found["value"], found["operator"] != "!="


def _value(document: Json, path: list[str]) -> Any:
    *parents, last = path
    for parent in parents:
        document = document.get(parent, {})
    return document.get(last, "")
