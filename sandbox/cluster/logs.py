"""Logs of simulated pods: a few lines that depend on nothing but the pod.

Here: which container, which lines, how they are cut. Not here: streaming. A simulated container writes the same lines
every time it is asked, so that a client can tell a line lost or doubled.
"""

from __future__ import annotations

from sandbox.cluster import errors
from sandbox.cluster.api import Api
from sandbox.cluster.calls import Answer, Call
from sandbox.cluster.kinds import Json

_LINES = ("starting", "listening", "ready")


def read(api: Api, call: Call) -> Answer:
    """Answer a container's log as text.

    Raises:
        ApiError: 404 for the pod, 400 for a container that is not named, unknown or not started.
    """
    pod = api.live(call.target.kind, call.target.namespace, call.target.name).document
    container = _container(pod, call.query.get("container", ""))
    started = _started(pod, container)
    prefix = f"{started} " if call.flag("timestamps") else ""
    lines = [f"{prefix}{container}: {line}\n" for line in _LINES]
    if tail := call.query.get("tailLines"):
        lines = lines[-int(tail) :] if int(tail) else []
    return Answer(200, "".join(lines).encode(), "text/plain")


def _container(pod: Json, asked: str) -> str:
    name = pod["metadata"]["name"]
    served = [container["name"] for container in pod["spec"]["containers"]]
    if not asked and len(served) > 1:
        choices = f"[{' '.join(served)}]"
        raise errors.bad_request(f"a container name must be specified for pod {name}, choose one of: {choices}")
    if asked and asked not in served:
        raise errors.bad_request(f"container {asked} is not valid for pod {name}")
    return str(asked or served[0])


def _started(pod: Json, container: str) -> str:
    for status in pod.get("status", {}).get("containerStatuses", []):
        for state in ("running", "terminated"):
            if status["name"] == container and state in status["state"]:
                return str(status["state"][state]["startedAt"])
    raise errors.bad_request(
        f'container "{container}" in pod "{pod["metadata"]["name"]}" is waiting to start: ContainerCreating'
    )
