"""The embedded Redis: Celery's queues in one of its databases, task results in another.

Queued tasks survive a restart (append-only file), nothing is evicted, and the password reaches the server through a
file in memory of the pod, not through an argument that every process list shows.
"""

from __future__ import annotations

from collections.abc import Iterator

from agent.model.instance import Retain
from agent.model.objects import Manifest
from agent.rendering import services
from agent.rendering.blueprint import Blueprint
from agent.rendering.checks import Check, Command
from agent.rendering.credentials import BROKER_PORT, Need
from agent.rendering.names import Role
from agent.rendering.services import VOLUME_PATH, Served

SCRIPT = f"""set -eu
umask 077
printf 'requirepass %s\\n' "$REDISCLI_AUTH" >/tmp/redis.conf
exec redis-server /tmp/redis.conf --dir {VOLUME_PATH} --appendonly yes --save '' --maxmemory-policy noeviction
"""

_ANSWERS = Command(("redis-cli", "ping"))
"""Any answer counts: a server that still loads its file is alive."""

_SERVES = Command(("sh", "-c", "redis-cli ping | grep -q PONG"))

SERVED = Served(
    role=Role.BROKER,
    script=SCRIPT,
    need=Need.SERVE_QUEUES,
    port={"redis": BROKER_PORT},
    startup=Check(_SERVES, period=2, timeout=5, failures=900),
    liveness=Check(_ANSWERS, period=20, timeout=10, failures=6),
    readiness=Check(_SERVES, period=5, timeout=5, failures=3),
    retain=Retain.VOLUMES,
    memory="256Mi",
    scratch={"/tmp": {"medium": "Memory", "sizeLimit": "1Mi"}},  # noqa: S108
)


def render(blueprint: Blueprint) -> Iterator[Manifest]:
    """The objects of the embedded broker."""
    yield from services.render(blueprint, blueprint.broker, served=SERVED)
