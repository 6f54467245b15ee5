"""Logs of simulated pods: a few lines that depend on nothing but the pod.

Here: which container, which lines, how they are cut, when a followed log ends. Not here: HTTP. A simulated container
writes the same lines every time it is asked, one each millisecond from its start on, so that a client can tell a line
lost or doubled.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from datetime import datetime, timedelta

from sandbox.cluster import errors
from sandbox.cluster.api import Api
from sandbox.cluster.asks import number
from sandbox.cluster.kinds import POD, Json
from sandbox.cluster.pace import micro_stamp
from sandbox.cluster.routes import Target
from sandbox.cluster.store import Change
from sandbox.cluster.watches import Feed

_LINES = ("starting", "listening", "ready")


def lines(api: Api, target: Target, query: Mapping[str, str]) -> bytes:
    """Return what a container wrote, as far as the query wants it.

    Raises:
        ApiError: 404 for the pod, 400 for a container that is not named, unknown or not started.
    """
    pod = api.live(target.kind, target.namespace, target.name).document
    container = _container(pod, query.get("container", ""))
    started = datetime.fromisoformat(_started(pod, container))
    written = [(started + timedelta(milliseconds=at), line) for at, line in enumerate(_LINES)]
    if since := query.get("sinceTime"):
        written = [(moment, line) for moment, line in written if moment >= datetime.fromisoformat(since)]
    if "tailLines" in query:
        written = written[max(0, len(written) - number(query, "tailLines")) :]
    stamped = query.get("timestamps") == "true"
    text = "".join(f"{micro_stamp(moment) + ' ' if stamped else ''}{container}: {line}\n" for moment, line in written)
    return text.encode()[: number(query, "limitBytes") or None]


async def followed(feed: Feed, target: Target, first: bytes) -> AsyncGenerator[bytes, None]:
    """Yield what was written, and end when the pod has ended or gone, or the cluster stops."""
    yield first
    while True:
        for change in await feed.take():
            if not isinstance(change, Change) or _ends(change, target):
                return


def _ends(change: Change, target: Target) -> bool:
    after = change.after
    if (after.kind, after.key) != (POD, (target.namespace, target.name)):
        return False
    return change.gone or after.document["status"]["phase"] in {"Succeeded", "Failed"}


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
    for status in pod["status"].get("containerStatuses", []):
        for state in ("running", "terminated"):
            if status["name"] == container and state in status["state"]:
                return str(status["state"][state]["startedAt"])
    raise errors.bad_request(
        f'container "{container}" in pod "{pod["metadata"]["name"]}" is waiting to start: ContainerCreating'
    )
