"""The admin API's calls on a state directory, performed and audited in this process: no server and no token needed.

Who may read the directory's keys may do anything: it is theirs.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from agent.model.errors import Misconfigured
from agent.wire.strict import canonical, parse_object
from control_plane.clock import SystemClock
from control_plane.commands.access import LARGEST_ANSWER, Ask
from control_plane.server import opened
from control_plane.services.accounts import Caller, Role
from control_plane.services.assembly import Services
from control_plane.services.trail import Entry
from control_plane.settings import Settings
from control_plane.web.admin.dispatch import perform
from control_plane.web.admin.route import Call
from control_plane.web.admin.table import ROUTES

_LOCAL = Caller("local", Role.ADMIN)
_ROUTES = {(route.method, route.path): route for route in ROUTES}


class DirectoryAccess:
    """A control plane reached by its directory."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def ask(self, ask: Ask) -> dict[str, Any]:
        """The answer; raises Fault."""
        route = _ROUTES[ask.method, ask.path]

        async def read_call() -> Call:
            return Call(
                route=route,
                services=self._services,
                caller=_LOCAL,
                path=ask.places,
                query=ask.query,
                raw=b"" if ask.body is None else canonical(ask.body),
            )

        entry = Entry(
            listener="directory",
            method=route.method,
            path=route.template,
            object="/".join(ask.places.values()),
            who=_LOCAL.name,
            role=_LOCAL.role,
        )
        performed = await perform(route, read_call, trail=self._services.trail, entry=entry)
        if performed.fault is not None:
            raise performed.fault
        assert performed.answer is not None, "what did not fail has an answer"
        return parse_object(performed.answer.to_bytes(), limit=LARGEST_ANSWER, what="answer")


@asynccontextmanager
async def by_directory(directory: Path, *, root_key: Path | None = None) -> AsyncIterator[DirectoryAccess]:
    """Reach a control plane by its state directory, whether it is being served or not. ``root_key``: a file with the
    root role's private key, if it is kept elsewhere. Raises Misconfigured.
    """
    if not await asyncio.to_thread((directory / "roles").is_dir):
        raise Misconfigured(
            f"{directory} is not the directory of a control plane",
            hint="name the --directory that `perigee control-plane serve` was started with",
        )
    async with opened(Settings(directory=directory, root_key=root_key), clock=SystemClock()) as (services, _):
        yield DirectoryAccess(services)
