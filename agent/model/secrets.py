"""Secret values as a document names them: never the value itself, only where it is, or how it is made.

Here: the three forms, and the walk over an instance that finds every one of them. Not here: reading, opening or making
a value (edges), and how a pod gets at it (rendering).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from agent.model.errors import AgentError
from agent.model.instance import Instance, Sealed, SecretRef, SecretValue
from agent.model.objects import KnownSecret

External: TypeAlias = SecretRef | Sealed
"""What is resolved by the agent; a value that is generated belongs to the instance's keys."""

FIELDS: Final[Mapping[str, Callable[[Instance], Mapping[str, SecretValue]]]] = {
    "spec.airflow.secretEnv": lambda instance: instance.airflow.secret_env,
}
"""Every field of a document that holds secret values by name; a new one joins here with one line."""


@dataclass(frozen=True, slots=True)
class SecretWant:
    """A value to be resolved; ``path`` is the field of the document."""

    path: str
    value: External

    @property
    def source(self) -> str:
        """A digest that changes exactly when the document names another origin."""
        return hashlib.sha256(repr(_named(self.value)).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class FoundSecrets:
    """Values by path, on their way to where the pods read them, and why others could not be had.

    ``known`` may be kept and told within the cluster; the values may not.
    """

    known: Mapping[str, KnownSecret]
    problems: Mapping[str, AgentError] = field(default_factory=dict)
    values: Mapping[str, bytes] = field(default_factory=dict, repr=False)


def secret_values(instance: Instance) -> Iterator[tuple[str, SecretValue]]:
    """Every secret value of the instance with the path of its field, in order."""
    for path, values in FIELDS.items():
        for name, value in sorted(values(instance).items()):
            yield f"{path}.{name}", value


def wants(instance: Instance) -> tuple[SecretWant, ...]:
    """Those that the agent has to resolve."""
    return tuple(
        SecretWant(path, value) for path, value in secret_values(instance) if isinstance(value, SecretRef | Sealed)
    )


def entry_of(path: str) -> str:
    """The key under which a Secret of the instance holds the value of that field."""
    return path.removeprefix("spec.")


def _named(value: External) -> tuple[str, ...]:
    if isinstance(value, SecretRef):
        return "secretRef", value.namespace, value.name, value.key
    return "sealed", value.text
