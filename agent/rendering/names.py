"""What things are called inside an instance's namespace. Nothing here knows what those things look like.

Names are fixed by the role of a thing, never by its version: a name that moves means an object deleted and made anew.
"""

from __future__ import annotations

import hashlib
import json
import re
from enum import StrEnum
from typing import Any

AGENT_NAMESPACE = "perigee-system"
"""Where the agent itself lives; its pods may call the API server of every instance."""

KEYS_SECRET = "airflow-keys"  # noqa: S105 - the name of a Secret, not its content
"""The Secret with the generated keys; the agent writes it, manifests only refer to it."""

SECRETS_SECRET = "airflow-secrets"  # noqa: S105 - the name of a Secret, not its content
"""The Secret with the values that the document names; the agent writes it, manifests only refer to it."""

CONFIG_MAP = "airflow-config"
"""The ConfigMap with Airflow's configuration as environment variables."""

PREFIX = "airflow"
LONGEST_NAME = 63
LONGEST_STATEFUL_SET = 52
"""A StatefulSet's pods carry its name and an eleven-character revision hash in one label of at most 63 characters."""


class Role(StrEnum):
    """What a pod is there for; the value of the label ``perigee.dev/component``."""

    DATABASE = "database"
    BROKER = "broker"
    MIGRATION = "migration"
    API_SERVER = "api-server"
    SCHEDULER = "scheduler"
    DAG_PROCESSOR = "dag-processor"
    TRIGGERER = "triggerer"
    WORKER = "worker"


def of(role: Role) -> str:
    """The name shared by a role's workload, Service, account and policy."""
    return f"{PREFIX}-{role}"


def workers(queue: str) -> str:
    """The name of the StatefulSet that works on a queue."""
    stem = of(Role.WORKER)
    return f"{stem}-{slug(queue, longest=LONGEST_STATEFUL_SET - len(stem) - 1)}"


def migration(fingerprint: str) -> str:
    """The name of a migration Job: another one for every other content, since Jobs cannot be changed."""
    return f"{of(Role.MIGRATION)}-{fingerprint}"


def slug(text: str, *, longest: int) -> str:
    """A DNS label made of any text; where something had to be changed, a hash keeps different texts apart."""
    plain = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    if plain == text and len(plain) <= longest:
        return plain
    mark = fingerprint(text, length=6)
    return f"{plain[: longest - len(mark) - 1].strip('-')}-{mark}".strip("-")


def fingerprint(content: Any, *, length: int = 16) -> str:
    """The first hexadecimal digits of the SHA-256 of a JSON value, whatever the order of its mappings."""
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:length]
