"""The document's secret values, as manifests see them: which entry of which Secret holds each, and when pods roll.

Here: names and checksums. No value is ever in a manifest. What is generated lies among the instance's keys, since it is
made, copied and restored as those are; what the agent resolves lies in a Secret of its own.
"""

from __future__ import annotations

from collections.abc import Mapping

from agent.model.instance import Generate, Instance, SecretValue
from agent.model.objects import Manifest
from agent.model.secrets import entry_of, secret_values
from agent.ports import KeyDemand
from agent.rendering import config, names
from agent.rendering.blueprint import Blueprint, SecretEntry

_ENV = "spec.airflow.secretEnv"


def variables(instance: Instance) -> dict[str, SecretEntry]:
    """Where each secret variable has its value; raises Refused for a reserved name."""
    found = {}
    for name, value in sorted(instance.airflow.secret_env.items()):
        path = f"{_ENV}.{name}"
        config.refuse_reserved(name, path=path)
        found[name] = _entry(path, value)
    return found


def demands(instance: Instance) -> tuple[KeyDemand, ...]:
    """The values that are made with the instance's keys."""
    return tuple(
        KeyDemand(entry_of(path), value.form, value.length)
        for path, value in secret_values(instance)
        if isinstance(value, Generate)
    )


def checksums(instance: Instance, *, keys: Mapping[str, str], resolved: Mapping[str, str]) -> dict[str, str]:
    """What changes exactly when a value changes, by the key of its Secret; empty where it is not known yet."""
    return {
        entry_of(path): (keys.get(entry_of(path), "") if isinstance(value, Generate) else resolved.get(path, ""))
        for path, value in secret_values(instance)
    }


def environment(blueprint: Blueprint) -> list[Manifest]:
    """The secret variables as a container has them."""
    return [
        {"name": name, "valueFrom": {"secretKeyRef": {"name": entry.secret, "key": entry.key}}}
        for name, entry in sorted(blueprint.airflow.secret_env.items())
    ]


def checksum(blueprint: Blueprint) -> str:
    """One checksum over all of them; empty without any."""
    return names.fingerprint(dict(blueprint.secrets)) if blueprint.secrets else ""


def _entry(path: str, value: SecretValue) -> SecretEntry:
    secret = names.KEYS_SECRET if isinstance(value, Generate) else names.SECRETS_SECRET
    return SecretEntry(secret, entry_of(path))
