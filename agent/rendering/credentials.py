"""Which generated keys there are, and how a process gets at what they open.

Here: key names and forms, and the environment variables that carry them or are composed of them. No value of a key is
ever in a manifest: variables refer to the Secret, and addresses are composed by Kubernetes' ``$(NAME)`` expansion,
which works because generated passwords need no escaping in a URL.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from agent.model.objects import Manifest
from agent.ports import KeyDemand
from agent.rendering import names
from agent.rendering.names import Role

DATABASE_PORT = 5432
BROKER_PORT = 6379
DATABASE_NAME = DATABASE_USER = "airflow"
ADMIN_USER = "admin"
QUEUE_DATABASE = 0
RESULT_DATABASE = 1
"""Results live in Redis, in a database of their own: workers of 3.x must not reach the metadata database."""


class Key(Enum):
    """A generated key: its name in the Secret and its form."""

    DATABASE_ADMIN = KeyDemand("database-admin-password", "password")
    DATABASE = KeyDemand("database-password", "password")
    BROKER = KeyDemand("broker-password", "password")
    FERNET = KeyDemand("fernet-key", "fernet")
    TOKENS = KeyDemand("jwt-secret", "token")
    SESSIONS = KeyDemand("api-secret-key", "token")
    ADMIN = KeyDemand("admin-password", "password")


@dataclass(frozen=True, slots=True)
class Variable:
    """An environment variable that holds a key, or with ``template`` one composed of variables before it."""

    name: str
    key: Key | None = None
    template: str = ""

    def manifest(self) -> Manifest:
        """The entry in a container's ``env``."""
        if self.key is None:
            return {"name": self.name, "value": self.template}
        return {
            "name": self.name,
            "valueFrom": {"secretKeyRef": {"name": names.KEYS_SECRET, "key": self.key.value.name}},
        }


_DATABASE_PASSWORD = Variable("PERIGEE_DATABASE_PASSWORD", Key.DATABASE)
_BROKER_PASSWORD = Variable("PERIGEE_BROKER_PASSWORD", Key.BROKER)


def _redis(database: int) -> str:
    return f"redis://:$({_BROKER_PASSWORD.name})@{names.of(Role.BROKER)}:{BROKER_PORT}/{database}"


class Need(Enum):
    """Something that a process must be able to do, as the variables that let it."""

    METADATA = (
        _DATABASE_PASSWORD,
        Variable(
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN",
            template=f"postgresql+psycopg2://{DATABASE_USER}:$({_DATABASE_PASSWORD.name})"
            f"@{names.of(Role.DATABASE)}:{DATABASE_PORT}/{DATABASE_NAME}",
        ),
    )
    QUEUES = (
        _BROKER_PASSWORD,
        Variable("AIRFLOW__CELERY__BROKER_URL", template=_redis(QUEUE_DATABASE)),
        Variable("AIRFLOW__CELERY__RESULT_BACKEND", template=_redis(RESULT_DATABASE)),
    )
    ENCRYPTION = (Variable("AIRFLOW__CORE__FERNET_KEY", Key.FERNET),)
    TOKENS = (Variable("AIRFLOW__API_AUTH__JWT_SECRET", Key.TOKENS),)
    SESSIONS = (Variable("AIRFLOW__API__SECRET_KEY", Key.SESSIONS),)
    ADMIN = (Variable("PERIGEE_ADMIN_PASSWORD", Key.ADMIN),)
    SERVE_DATABASE = (
        _DATABASE_PASSWORD,
        Variable("PERIGEE_DATABASE_ADMIN_PASSWORD", Key.DATABASE_ADMIN),
    )
    SERVE_QUEUES = (Variable("REDISCLI_AUTH", Key.BROKER),)


def variables(needs: Iterable[Need]) -> list[Manifest]:
    """The ``env`` entries, each referred-to variable before the one that refers to it."""
    return [variable.manifest() for need in needs for variable in need.value]


def variable_names(needs: Iterable[Need]) -> frozenset[str]:
    """The variables that carry keys or are made of them."""
    return frozenset(variable.name for need in needs for variable in need.value)


def keys(needs: Iterable[Need]) -> frozenset[Key]:
    """The keys behind the needs."""
    return frozenset(variable.key for need in needs for variable in need.value if variable.key is not None)


def checksum(needs: Iterable[Need], key_checksums: Mapping[str, str]) -> str:
    """What changes exactly when a key behind the needs changes; empty without keys."""
    used = sorted(key.value.name for key in keys(needs))
    return names.fingerprint([[name, key_checksums.get(name, "")] for name in used]) if used else ""
