"""A reverse proxy before the API server of a test cluster, which can have every fault that the embedded one can have.

Here: passing requests on, streams as they come, and answers back. Not here: the faults. Who shows a token is that user
behind the proxy, too; who shows none is the user of the kubeconfig behind it. Certificates of clients end at the proxy,
and connections that change their protocol (exec, attach, port-forward) are refused.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
from aiohttp import web
from yarl import URL

from sandbox import kubeconfigs
from sandbox.faults.asked import Asked, sought_by
from sandbox.faults.door import Door, opened
from sandbox.faults.plan import FaultPlan
from sandbox.faults.streams import relay
from sandbox.faults.strikes import through
from sandbox.kubeconfigs import Access
from sandbox.testcluster import TestCluster

_LARGEST_BODY = 16 * 1024 * 1024
_CONNECT_SECONDS = 10.0
# What belongs to one connection, and what each side makes anew.
_OF_THE_HOP = {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "host", "content-length"}
_SKIPPED = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")


class FaultProxy:
    """A test cluster that is reached through faults; everything else about it is that of the cluster behind."""

    def __init__(self, behind: TestCluster, home: Path, *, faults: FaultPlan, door: Door) -> None:
        self.faults = faults
        self.door = door
        self.kubeconfig = home / behind.kubeconfig.name
        self.audit_log = behind.audit_log
        self.name = f"{behind.name} behind a fault proxy"
        self._home = home

    @property
    def server(self) -> str:
        """The URL of the proxy."""
        return self.door.url

    @classmethod
    @asynccontextmanager
    async def serve(cls, behind: TestCluster, *, faults: FaultPlan | None = None) -> AsyncIterator[FaultProxy]:
        """Run a proxy while the context is open."""
        plan = faults or FaultPlan()
        async with AsyncExitStack() as lifetime:
            home = await lifetime.enter_async_context(_home())
            access = await asyncio.to_thread(kubeconfigs.read, behind.kubeconfig)
            passing = await lifetime.enter_async_context(_passing(access, plan))
            application = web.Application(client_max_size=_LARGEST_BODY)
            application.router.add_route("*", "/{path:.*}", passing.answer)
            door = await lifetime.enter_async_context(opened(application, home, name="perigee-fault-proxy"))
            lifetime.callback(plan.clear)
            proxy = cls(behind, home, faults=plan, door=door)
            await proxy.kubeconfig_like(behind.kubeconfig)
            yield proxy

    async def kubeconfig_like(self, other: Path) -> Path:
        """The way through the proxy for the user of another kubeconfig of the same cluster.

        A user with a certificate comes through as the user of the kubeconfig behind the proxy.
        """
        token = (await asyncio.to_thread(kubeconfigs.read, other)).token
        access = Access(self.server, self.door.authority, token)
        return await asyncio.to_thread(kubeconfigs.write, self._home / other.name, access, name="faulty")


class _Passing:
    """Requests on their way to the server behind."""

    def __init__(self, access: Access, plan: FaultPlan, sessions: tuple[aiohttp.ClientSession, ...]) -> None:
        self._access = access
        self._plan = plan
        self._known, self._unknown = sessions

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer a request with what comes from behind, or let a fault have it."""
        return await through(self._plan, await Asked.of(request), self._pass)

    async def _pass(self, asked: Asked) -> web.StreamResponse:
        if "Upgrade" in asked.headers:
            text = "the fault proxy passes on no connection that changes its protocol"
            return web.Response(status=web.HTTPNotImplemented.status_code, text=text)
        headers = {name: value for name, value in asked.headers.items() if value and name.lower() not in _OF_THE_HOP}
        session = self._unknown if "Authorization" in headers else self._known
        target = URL(self._access.server + asked.uri, encoded=True)
        try:
            async with session.request(
                asked.method, target, headers=headers, data=asked.body or None, allow_redirects=False
            ) as answer:
                return await self._back(asked, answer)
        except aiohttp.ClientError:
            # The server behind is gone, or broke off: so does the proxy.
            asked.hang_up()
            return web.Response()

    async def _back(self, asked: Asked, answer: aiohttp.ClientResponse) -> web.StreamResponse:
        headers = {name: value for name, value in answer.headers.items() if name.lower() not in _OF_THE_HOP}
        if not sought_by(asked).streams or answer.status != web.HTTPOk.status_code:
            return web.Response(status=answer.status, headers=headers, body=await answer.read())
        response = web.StreamResponse(headers=headers)
        await response.prepare(asked.request)
        await relay(self._plan, asked, _pieces(answer), response.write)
        if asked.is_open:
            await response.write_eof()
        return response


async def _pieces(answer: aiohttp.ClientResponse) -> AsyncGenerator[bytes, None]:
    async for piece in answer.content.iter_any():
        yield piece


@asynccontextmanager
async def _passing(access: Access, plan: FaultPlan) -> AsyncIterator[_Passing]:
    """Two sessions: a certificate shown for somebody else's token would win over it."""
    token = {"Authorization": f"Bearer {access.token}"} if access.token else {}
    async with _session(access, certified=True, headers=token) as known, _session(access, certified=False) as unknown:
        yield _Passing(access, plan, (known, unknown))


@asynccontextmanager
async def _session(
    access: Access, *, certified: bool, headers: dict[str, str] | None = None
) -> AsyncIterator[aiohttp.ClientSession]:
    context = await asyncio.to_thread(access.context, certified=certified)
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ssl=context),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS),
        headers=headers,
        skip_auto_headers=_SKIPPED,
        auto_decompress=False,
        trust_env=False,
    ) as session:
        yield session


@asynccontextmanager
async def _home() -> AsyncIterator[Path]:
    home = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="perigee-faults-"))
    try:
        yield home
    finally:
        await asyncio.to_thread(shutil.rmtree, home)
