"""The addresses of a cluster with a real node, and the link by which this machine reaches it.

Here: choosing numbers that nobody else on this machine uses, and the host's end of the link. Not here: the node's end
(`machine`). Everything hangs on one veth pair: when the node's network namespace goes, the pair and its routes go
with it.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from sandbox.realcluster.faults import NotServing
from sandbox.realcluster.programs import Programs

LINK = "perigee"
NUMBERS = range(1, 250)
"""Each cluster takes one. 0 is left out: it is what every other single-node set-up takes."""


@dataclass(frozen=True, slots=True)
class Network:
    """The addresses of the cluster with that number. `host` and `node` are the two ends of the link."""

    number: int

    @property
    def host(self) -> str:
        """This machine, where the API server listens."""
        return f"10.243.{self.number}.1"

    @property
    def node(self) -> str:
        """The node, where the kubelet and the cluster's DNS listen."""
        return f"10.243.{self.number}.2"

    @property
    def pods(self) -> str:
        """The range of pod addresses."""
        return f"10.244.{self.number}.0/24"

    @property
    def services(self) -> str:
        """The range of Service addresses."""
        return f"10.96.{self.number}.0/24"

    @property
    def ranges(self) -> tuple[ipaddress.IPv4Network, ...]:
        """All of them: nobody else on this machine may have a route into one."""
        return tuple(map(ipaddress.IPv4Network, (f"10.243.{self.number}.0/30", self.pods, self.services)))

    @property
    def link(self) -> str:
        """The interface on this machine; the other end is called the same with an `n`."""
        return f"{LINK}{self.number}"

    @property
    def peer(self) -> str:
        """The node's end of the link, before it is moved and renamed."""
        return f"{self.link}n"


@asynccontextmanager
async def leased_network(programs: Programs) -> AsyncIterator[Network]:
    """A free network with its link, taken away at the end. Needs root.

    Raises NotServing when `ip` refuses, with its words, or when all numbers are taken.
    """
    network, lock = await asyncio.to_thread(_take_number, await _used_ranges(programs))
    ip = programs["ip"]
    try:
        # Left behind by an owner who was killed between making it and giving it to its node.
        await _run(ip, "link", "delete", network.link, may_fail=True)
        await _run(ip, "link", "add", network.link, "type", "veth", "peer", "name", network.peer)
        await _run(ip, "address", "add", f"{network.host}/30", "dev", network.link)
        await _run(ip, "link", "set", network.link, "up")
        for behind in (network.pods, network.services):
            await _run(ip, "route", "add", behind, "via", network.node, "dev", network.link, "onlink")
        yield network
    finally:
        await _run(ip, "link", "delete", network.link, may_fail=True)
        lock.close()


async def _used_ranges(programs: Programs) -> list[ipaddress.IPv4Network]:
    """The destinations that this machine has routes for, apart from those of test clusters: their names tell."""
    routes = await _run(programs["ip"], "-4", "-o", "route", "show", "table", "main")
    destinations = (line.split()[0] for line in routes.splitlines() if f" dev {LINK}" not in line)
    return [ipaddress.IPv4Network(destination) for destination in destinations if destination[0].isdigit()]


def _take_number(used: list[ipaddress.IPv4Network]) -> tuple[Network, socket.socket]:
    """The first number whose ranges are free and whose name is ours.

    The name is that of an abstract Unix socket (unix(7)): no file stays, and it is free again when this process ends.
    """
    for number in NUMBERS:
        network = Network(number)
        if any(one.overlaps(other) for one in network.ranges for other in used):
            continue
        lock = socket.socket(socket.AF_UNIX)
        try:
            lock.bind(f"\0perigee-network-{number}")
        except OSError:
            lock.close()
        else:
            return network, lock
    raise NotServing("All networks 10.243.1.0 to 10.243.249.0 are in use: stop a cluster.")


async def _run(program: Path, *arguments: str, may_fail: bool = False) -> str:
    process = await asyncio.create_subprocess_exec(
        program, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    said, complained = await process.communicate()
    if process.returncode != 0 and not may_fail:
        raise NotServing(f"`{program.name} {' '.join(arguments)}` failed: {complained.decode().strip()}")
    return said.decode()
