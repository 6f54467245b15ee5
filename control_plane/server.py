"""A control plane from start to stop, and its direct methods for who runs it in its own process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

from agent.model.errors import Refused
from agent.model.instance import Retain
from agent.wire.limits import MAX_DOCUMENT_BYTES
from agent.wire.refusals import Reason
from agent.wire.reports import InstanceReportV1
from agent.wire.strict import parse_object
from control_plane import statefiles
from control_plane.clock import Clock, SystemClock
from control_plane.follower import Follower, following
from control_plane.listeners import Bound, Doors, listening
from control_plane.services.accounts import Accounts, Role
from control_plane.services.assembly import Services, assemble
from control_plane.services.membership import TokenWish
from control_plane.services.publishing import Target
from control_plane.settings import Settings
from control_plane.state import Paths, State, certify_server, open_state
from control_plane.store.database import Database

FIRST_ADMIN = "admin"
_LOCAL = "local"
"""The author of what was not done through the admin API."""
_HOUR = timedelta(hours=1)


class ControlPlane:
    """A control plane that listens."""

    def __init__(self, services: Services, paths: Paths, bound: Bound) -> None:
        host = services.settings.hostnames[0]
        base = f"https://[{host}]" if ":" in host else f"https://{host}"
        self.services = services
        self.agents_url = f"{base}:{bound.agents}"
        """Where agents poll and report."""
        self.admin_url = f"{base}:{bound.admin}"
        """Where admins call; the API is below ``/admin/v1``."""
        self.enrol_url = f"{base}:{bound.enrol}"
        """Where agents enrol."""
        self.ca_file = paths.ca_certificate
        """The certificates that agents and admins trust, as a PEM file."""
        self.admin_token_file = paths.admin_token
        """Where the first admin's bearer token was written."""

    @property
    def root_fingerprint(self) -> str:
        """What an agent pins: ``sha256:`` and the digest of the root role's key."""
        return self.services.root_fingerprint

    @classmethod
    @asynccontextmanager
    async def serve(cls, settings: Settings, *, clock: Clock | None = None) -> AsyncIterator[ControlPlane]:
        """Start, and stop when the block ends. Raises DirectoryTaken if the directory is served already."""
        now = clock or SystemClock()
        async with AsyncExitStack() as stack:
            await asyncio.to_thread(statefiles.prepare, settings.directory)
            stack.enter_context(statefiles.held(settings.directory))
            services, state = await stack.enter_async_context(opened(settings, clock=now))
            paths = state.paths
            await asyncio.to_thread(lambda: certify_server(state, settings, now=now.now()))
            await _ensure_first_admin(services.accounts, paths)
            doors = await asyncio.to_thread(Doors.of, paths)
            bound = await stack.enter_async_context(listening(services, doors))
            follower = Follower(services, doors, version=await services.trust.version())
            await stack.enter_async_context(following(follower))
            yield cls(services, paths, bound)

    async def admin_token(self) -> str:
        """The first admin's bearer token, out of its file."""
        return (await asyncio.to_thread(self.admin_token_file.read_text, encoding="utf-8")).strip()

    async def create_token(
        self, cluster: str, *, ttl: timedelta = _HOUR, labels: Mapping[str, str] | None = None
    ) -> str:
        """A one-time enrolment token for a cluster, which is made known with it."""
        made = await self.services.membership.create_token(TokenWish(cluster, labels or {}, ttl, _LOCAL))
        return made.bearer.reveal()

    async def publish(self, cluster: str, document: bytes) -> int:
        """Apply a document; returns the revision. Raises what ``Publishing.apply`` raises."""
        published = await self.services.publishing.apply(_target(cluster, _id_of(document)), document)
        return published.instance.revision

    async def delete(self, cluster: str, instance_id: str, *, retain: Iterable[Retain] | None = None) -> int:
        """Write a tombstone; returns the revision."""
        published = await self.services.publishing.delete(_target(cluster, instance_id), retain=retain)
        return published.instance.revision

    async def withdraw(self, cluster: str, instance_id: str) -> None:
        """Take an instance off the index without deleting it."""
        await self.services.publishing.unlist(_target(cluster, instance_id))

    async def revoke(self, cluster: str) -> None:
        """Shut a cluster's agent out."""
        await self.services.membership.revoke(cluster)

    async def statuses(self, cluster: str) -> dict[str, InstanceReportV1]:
        """The last status of each instance of a cluster, by instance id."""
        return {row.instance: row.report for row in await self.services.reporting.statuses(cluster)}

    async def wait_status(
        self, cluster: str, instance_id: str, *, until: Callable[[InstanceReportV1], bool], seconds: float = 30.0
    ) -> InstanceReportV1:
        """The first status of an instance that ``until`` accepts; raises TimeoutError when the seconds are over."""
        return await self.services.reporting.wait(cluster, instance_id, until=until, seconds=seconds)


@asynccontextmanager
async def opened(settings: Settings, *, clock: Clock) -> AsyncIterator[tuple[Services, State]]:
    """The services over the directory, without listeners: also for the command line, beside a running server."""
    now = clock.now()
    state = await asyncio.to_thread(lambda: open_state(settings, now=now))
    database = await Database.open(settings.store_url)
    try:
        services = assemble(settings, state, database=database, clock=clock)
        await services.trust.settle()
        yield services, state
    finally:
        await database.close()


async def _ensure_first_admin(accounts: Accounts, paths: Paths) -> None:
    if not await accounts.everyone():
        access = await accounts.create(FIRST_ADMIN, Role.ADMIN)
        await asyncio.to_thread(statefiles.write, paths.admin_token, f"{access.bearer.reveal()}\n".encode())


def _target(cluster: str, instance_id: str) -> Target:
    return Target(cluster=cluster, instance=instance_id, author=_LOCAL)


def _id_of(document: bytes) -> str:
    metadata = parse_object(document, limit=MAX_DOCUMENT_BYTES, what="document").get("metadata")
    found = metadata.get("id") if isinstance(metadata, dict) else None
    if not isinstance(found, str):
        raise Refused("is missing", path="metadata.id", reason=Reason.MALFORMED)
    return found
