"""A real Kubernetes as an async context manager: several may run side by side, each in a folder of its own.

Here: the order of starting, readiness, stopping. Not here: flags (`control_plane`), simulation (`simulation`), real
nodes (`node`).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from sandbox.realcluster import control_plane
from sandbox.realcluster.api import AdminApi, admin_api
from sandbox.realcluster.credentials import ADMIN, NODE_NAME, Credentials, write_credentials, write_kubeconfig
from sandbox.realcluster.endpoint import Endpoint, reserved_port
from sandbox.realcluster.faults import NotServing
from sandbox.realcluster.network import leased_network
from sandbox.realcluster.node import Node
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

    def __init__(
        self, programs: Programs, *, name: str = "real", node: bool = False, simulated_nodes: int | None = None
    ) -> None:
        programs.require(names_for(node=node))
        self.programs = programs
        self.name = name
        self._with_node = node
        self._simulated_nodes = simulated_nodes if simulated_nodes is not None else int(not node)
        self._lifetime = AsyncExitStack()
        self._running: list[RunningProgram] = []
        self._workspace: Workspace | None = None
        self._credentials: Credentials | None = None
        self._node: Node | None = None

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

    async def load_image(self, archive: Path) -> None:
        """Give the real node an image (an OCI archive, see `images`); raises NotServing when there is no real node."""
        self._begun()
        if self._node is None:
            raise NotServing(
                f"The test cluster {self.name} has no real node that could hold an image: start one with it."
            )
        await self._node.load_image(archive)

    async def _start(self) -> None:
        if self._with_node and os.geteuid() != 0:
            raise NotServing("A real node makes namespaces and interfaces: run it as root, or take simulated nodes.")
        self._workspace = await self._lifetime.enter_async_context(owned_workspace(self.name))
        endpoint = await self._lay_out(self._workspace)
        await self._run(control_plane.etcd(self.programs, self._workspace))
        await self._run(control_plane.apiserver(self.programs, self._workspace, endpoint))
        async with admin_api(self._known()) as api:
            await self._until(api.is_ready, "the API server's /readyz")
            await self._run(control_plane.scheduler(self.programs, self._workspace))
            await api.create("/apis/storage.k8s.io/v1/storageclasses", storage_class(real=self._with_node))
            await self._populate(api)

    async def _lay_out(self, workspace: Workspace) -> Endpoint:
        """Choose the addresses and write all files."""
        port = self._lifetime.enter_context(reserved_port())
        if not self._with_node:
            endpoint = Endpoint("127.0.0.1", port)
            self._credentials = await asyncio.to_thread(_write_files, workspace, endpoint)
            return endpoint
        network = await self._lifetime.enter_async_context(leased_network(self.programs))
        endpoint = Endpoint(network.host, port, network.services)
        self._node = Node(self.programs, workspace, network)
        self._credentials = await asyncio.to_thread(_write_files, workspace, endpoint, self._node)
        return endpoint

    async def _populate(self, api: AdminApi) -> None:
        """Give the cluster its controllers and nodes; afterwards pods may be created in the namespace `default`."""
        workspace = self._begun()
        nodes = [f"simulated-{number}" for number in range(self._simulated_nodes)]
        version = (await api.get("/version") or {})["gitVersion"]
        for node in nodes:
            await api.create("/api/v1/nodes", simulated_node(node, version))
        if self._node is None:
            await self._run(control_plane.controller_manager(self.programs, workspace))
        else:
            nodes.append(NODE_NAME)
            await self._run(self._node.command())
            await self._until(self._node.serves_images, "containerd")
            await self._node.load_image(workspace.home / "pause.tar")
        if self._simulated_nodes:
            await self._run(kwok(self.programs, workspace))

        async def usable() -> bool:
            account = await api.get("/api/v1/namespaces/default/serviceaccounts/default")
            return account is not None and all([await _node_ready(api, node) for node in nodes])

        await self._until(usable, f"a ready node ({', '.join(nodes)})")

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


def _write_files(workspace: Workspace, endpoint: Endpoint, node: Node | None = None) -> Credentials:
    control_plane.write_policies(workspace)
    write_stages(workspace)
    if node is None:
        return write_credentials(workspace, endpoint)
    node.write_files()
    return write_credentials(workspace, endpoint, node_address=node.network.node)


async def _node_ready(api: AdminApi, name: str) -> bool:
    node = await api.get(f"/api/v1/nodes/{name}")
    conditions = node["status"].get("conditions", []) if node else []
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)
