"""The guard's file in the cluster: one ConfigMap of the agent's namespace, read by its name and never written.

The agent has no right to write it, nor to read any other ConfigMap there: it belongs to the customer.
"""

from __future__ import annotations

from typing import Final

from agent.cluster.client import KubeClient, Request
from agent.model.errors import Missing, Refused
from agent.model.guard import Guard
from agent.model.objects import Manifest
from agent.settings.plain_yaml import NotYaml, parse
from agent.wire.guard import guard_of
from agent.wire.refusals import Reason

GUARD_NAME: Final = "perigee-guard"
GUARD_KEY: Final = "guard.yaml"


class ClusterGuard:
    """Implements ``ports.GuardRules``."""

    def __init__(self, client: KubeClient, namespace: str) -> None:
        self._client = client
        self._namespace = namespace

    async def read(self) -> Guard:
        """The rules; without the ConfigMap those that hold always. Raises Refused with the field that is wrong."""
        path = f"/api/v1/namespaces/{self._namespace}/configmaps/{GUARD_NAME}"
        try:
            return guard_in(await self._client.send(Request("get", "GET", path)))
        except Missing:
            return Guard()


def guard_in(config_map: Manifest) -> Guard:
    """The rules that a ConfigMap holds. Raises Refused."""
    content = config_map.get("data")
    text = content.get(GUARD_KEY) if isinstance(content, dict) else None
    if not isinstance(text, str):
        raise Refused("is missing", path=f"data.{GUARD_KEY}", reason=Reason.MALFORMED)
    return read_guard(text.encode("utf-8", "replace"))


def read_guard(text: bytes) -> Guard:
    """The rules that a file says. Raises Refused (Malformed): no YAML, not one document, a wrong field."""
    try:
        found = parse(text)
    except NotYaml as error:
        raise Refused(f"is not valid YAML{error}", path=GUARD_KEY, reason=Reason.MALFORMED) from None
    if len(found) != 1:
        raise Refused("must hold one document", path=GUARD_KEY, reason=Reason.MALFORMED)
    return guard_of(found[0])
