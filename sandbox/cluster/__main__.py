"""The embedded cluster as a process of its own: ``python -m sandbox.cluster --port 0 --directory DIR``."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from sandbox.cluster import EmbeddedCluster, Latencies


async def run(directory: Path | None, port: int, latencies: Latencies) -> None:
    """Serve until SIGTERM or SIGINT; the first line printed is the path of the kubeconfig."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with EmbeddedCluster.serve(directory, port, latencies=latencies) as cluster:
        sys.stdout.write(f"{cluster.kubeconfig}\n")
        sys.stdout.flush()
        await stop.wait()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.cluster", description="A simulated Kubernetes API.")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--directory", type=Path, help="where kubeconfig and audit log are written")
    parser.add_argument("--pod-start-seconds", type=float, default=0.0, help="how long a pod takes to start")
    parser.add_argument("--job-seconds", type=float, default=0.0, help="how long a job's pod works")
    parser.add_argument("--pod-stop-seconds", type=float, default=0.0, help="how long a pod takes to stop")
    asked = parser.parse_args()
    latencies = Latencies(asked.pod_start_seconds, asked.job_seconds, asked.pod_stop_seconds)
    asyncio.run(run(asked.directory, asked.port, latencies))


if __name__ == "__main__":
    main()
