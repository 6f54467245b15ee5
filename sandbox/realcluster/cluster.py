"""A real Kubernetes as an async context manager: several may run side by side, each in a folder of its own.

Here: the order of starting, readiness, stopping. Not here: flags (`control_plane`), simulation (`simulation`), real
nodes (`node`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from sandbox.realcluster import control_plane
from sandbox.realcluster.api import AdminApi, admin_api
from sandbox.realcluster.control_plane import Endpoint
from sandbox.realcluster.credentials import ADMIN, Credentials, write_credentials, write_kubeconfig
from sandbox.realcluster.faults import NotServing
from sandbox.realcluster.ports import reserved_port
from sandbox.realcluster.programs import Programs, names_for
from sandbox.realcluster.simulation import kwok, simulated_node, storage_class, write_stages
from sandbox.realcluster.supervision import Command, RunningProgram, start, stop_all, wait_until
from sandbox.realcluster.workspace import Workspace, owned_workspace

START_SECONDS = 60.0
TOKEN_SECONDS = 3600


class RealCluster:
    """etcd, kube-apiserver, kube-controller-manager, kube-scheduler and one simulated node, serving when `async with`
    is entered.

    Raises ProgramsMissing when `programs` lacks one, ProgramDied with its last log lines when one ends during the
    start, NotServing when a step takes longer than START_SECONDS. Leaving the block ends every process and removes
    every file.
    """

    def __init__(self, programs: Programs, *, name: str = "real", simulated_nodes: int = 1) -> None:
        programs.require(names_for(node=False))
        self.programs = programs
        self.name = name
        self._simulated_nodes = simulated_nodes
        self._lifetime = AsyncExitStack()
        self._running: list[RunningProgram] = []
        self._workspace: Workspace | None = None
        self._credentials: Credentials | None = None

    @property
    def home(self) -> Path:
        """The folder with everything that the cluster writes."""
        return self._begun().home

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self._begun().kubeconfig(ADMIN)

    @property
    def audit_log(self) -> Path:
        """JSON lines, see `sandbox.testcluster.AuditLog`."""
        return self._begun().audit_log

    @property
    def server(self) -> str:
        """The URL of the API server."""
        return self._known().server

    @property
    def process_ids(self) -> dict[str, int]:
        """Program name to process id."""
        return {program.command.name: program.pid for program in self._running}

    async def __aenter__(self) -> Self:
        try:
            async with asyncio.timeout(START_SECONDS * 2):
                await self._start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def stop(self) -> None:
        """End all processes, wait until they are gone, remove the folder. May be called again."""
        running, self._running = self._running, []
        try:
            await stop_all(running)
        finally:
            await self._lifetime.aclose()
            self._workspace = None

    async def kubeconfig_for_service_account(self, namespace: str, name: str) -> Path:
        """A kubeconfig with the rights of one ServiceAccount and no more; its token (TokenRequest) lives for an hour.

        The account is created when it is not there; what it may do is up to the caller's roles.
        """
        credentials, user = self._known(), f"system:serviceaccount:{namespace}:{name}"
        accounts = f"/api/v1/namespaces/{namespace}/serviceaccounts"
        async with admin_api(credentials) as api:
            await api.create(accounts, {"metadata": {"name": name}})
            granted = await api.create(f"{accounts}/{name}/token", {"spec": {"expirationSeconds": TOKEN_SECONDS}})
        return await asyncio.to_thread(
            write_kubeconfig,
            self._begun().kubeconfig(user),
            credentials,
            user=user,
            token=granted["status"]["token"],
            namespace=namespace,
        )

    async def _start(self) -> None:
        self._workspace = await self._lifetime.enter_async_context(owned_workspace(self.name))
        endpoint = Endpoint("127.0.0.1", self._lifetime.enter_context(reserved_port()))
        self._credentials = await asyncio.to_thread(_prepare, self._workspace, endpoint)
        await self._run(control_plane.etcd(self.programs, self._workspace))
        await self._run(control_plane.apiserver(self.programs, self._workspace, endpoint))
        async with admin_api(self._credentials) as api:
            await self._until(api.is_ready, "the API server's /readyz")
            await self._run(control_plane.controller_manager(self.programs, self._workspace))
            await self._run(control_plane.scheduler(self.programs, self._workspace))
            await self._simulate(api)

    async def _simulate(self, api: AdminApi) -> None:
        """Give the cluster nodes and a StorageClass; afterwards pods may be created in the namespace `default`."""
        await api.create("/apis/storage.k8s.io/v1/storageclasses", storage_class())
        version = (await api.get("/version") or {})["gitVersion"]
        nodes = [simulated_node(number, version) for number in range(self._simulated_nodes)]
        for node in nodes:
            await api.create("/api/v1/nodes", node)
        await self._run(kwok(self.programs, self._begun()))

        async def usable() -> bool:
            account = await api.get("/api/v1/namespaces/default/serviceaccounts/default")
            return account is not None and all([await _node_ready(api, node["metadata"]["name"]) for node in nodes])

        await self._until(usable, "the simulated node")

    async def _run(self, command: Command) -> None:
        self._running.append(await start(command, self._begun().logs))

    async def _until(self, ready: Callable[[], Awaitable[bool]], what: str) -> None:
        await wait_until(ready, self._running, what=what, seconds=START_SECONDS)

    def _begun(self) -> Workspace:
        if self._workspace is None:
            raise NotServing(f"The test cluster {self.name} is not running: use it inside `async with`.")
        return self._workspace

    def _known(self) -> Credentials:
        self._begun()
        assert self._credentials is not None
        return self._credentials


def _prepare(workspace: Workspace, endpoint: Endpoint) -> Credentials:
    control_plane.write_policies(workspace)
    write_stages(workspace)
    return write_credentials(workspace, server=endpoint.url, addresses=(endpoint.address,), nodes=())


async def _node_ready(api: AdminApi, name: str) -> bool:
    node = await api.get(f"/api/v1/nodes/{name}")
    conditions = node["status"].get("conditions", []) if node else []
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)
