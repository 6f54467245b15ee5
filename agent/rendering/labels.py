"""Labels, selectors and metadata of everything that is rendered.

Here: which labels an object, a pod and a volume carry, and what selects them. Not here: names.
Selectors and the labels of volume claims can never change on a live StatefulSet, so they hold identities only: no
version, no environment, nothing that a document may alter.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from agent.model.instance import Retain
from agent.model.labels import COMPONENT, INSTANCE, MANAGED_BY, QUEUE, RETAIN
from agent.model.objects import Manifest
from agent.rendering import names
from agent.rendering.blueprint import Blueprint
from agent.rendering.names import Role

ENVIRONMENT = "perigee.dev/environment"
TEAM = "perigee.dev/team"

LONGEST_VALUE = 63
VALUE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
RESERVED_DOMAINS = ("perigee.dev", "kubernetes.io", "k8s.io")
"""Labels of these domains steer Kubernetes or us; a document's own labels do not get to set them."""


def value(text: str) -> str:
    """The text as a label's value: itself where that is allowed, else a readable form with a hash."""
    if not text or (len(text) <= LONGEST_VALUE and VALUE.fullmatch(text)):
        return text
    return names.slug(text, longest=LONGEST_VALUE)


def common(blueprint: Blueprint) -> dict[str, str]:
    """What every object of an instance carries."""
    return {
        "app.kubernetes.io/name": "airflow",
        "app.kubernetes.io/instance": value(blueprint.name),
        "app.kubernetes.io/part-of": "airflow",
        MANAGED_BY: "perigee",
        INSTANCE: blueprint.id,
    }


def standard(blueprint: Blueprint, role: Role, *, queue: str | None = None) -> dict[str, str]:
    """What the objects of one component carry."""
    return {**common(blueprint), "app.kubernetes.io/component": str(role), **_place(role, queue)}


def selector(blueprint: Blueprint, role: Role, *, queue: str | None = None) -> dict[str, str]:
    """What selects the pods of one component; never changes for an blueprint."""
    return {INSTANCE: blueprint.id, **_place(role, queue)}


def _place(role: Role, queue: str | None) -> dict[str, str]:
    return {COMPONENT: str(role)} | ({QUEUE: value(queue)} if queue is not None else {})


def of_volume(blueprint: Blueprint, role: Role, retain: Retain) -> dict[str, str]:
    """What a volume claim carries; ``retain`` says which promise of the document keeps it alive."""
    return {**selector(blueprint, role), MANAGED_BY: "perigee", RETAIN: str(retain)}


def of_document(labels: Mapping[str, str]) -> dict[str, str]:
    """The document's own labels, without those that would steer Kubernetes or us."""
    return {key: value(text) for key, text in sorted(labels.items()) if not _reserved(key)}


def _reserved(key: str) -> bool:
    domain = key.rpartition("/")[0]
    return any(domain == reserved or domain.endswith(f".{reserved}") for reserved in RESERVED_DOMAINS)


def metadata(blueprint: Blueprint, name: str, labels: Mapping[str, str]) -> Manifest:
    """The metadata of a namespaced object."""
    return {"name": name, "namespace": blueprint.namespace, "labels": dict(labels)}
