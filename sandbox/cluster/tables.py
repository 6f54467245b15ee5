"""The columns that kubectl shows of workloads, as the real server prints them.

Here: columns and cells per kind. Not here: wide columns, and kinds that clients can as well print by themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from sandbox.cluster.kinds import DEPLOYMENT, JOB, POD, STATEFUL_SET, Json, Kind

Cells = Callable[[Json, datetime], list[object]]
_UNITS = ((86400 * 2, 86400, "d"), (3600 * 3, 3600, "h"), (120, 60, "m"), (0, 1, "s"))


def lapse(since: str, until: datetime) -> str:
    """Return the time between two moments in one unit, such as ``90s`` or ``5h``."""
    seconds = max(0, int((until - datetime.fromisoformat(since)).total_seconds()))
    _, size, unit = next(each for each in _UNITS if seconds >= each[0])
    return f"{seconds // size}{unit}"


def _columns(*names: str) -> list[Json]:
    return [
        {"name": name, "type": "string", "format": "name" if name == "Name" else "", "description": "", "priority": 0}
        for name in names
    ]


def _age(document: Json, moment: datetime) -> str:
    return lapse(document["metadata"]["creationTimestamp"], moment)


def _pod(document: Json, moment: datetime) -> list[object]:
    containers = document["status"].get("containerStatuses", [])
    ready = sum(each["ready"] for each in containers)
    name, wanted = document["metadata"]["name"], len(document["spec"]["containers"])
    return [name, f"{ready}/{wanted}", _pod_status(document), _restarts(containers, moment), _age(document, moment)]


def _pod_status(document: Json) -> str:
    if "deletionTimestamp" in document["metadata"]:
        return "Terminating"
    return next(_reasons(document["status"]), document["status"]["phase"])


def _reasons(status: Json) -> Iterator[str]:
    for container in status.get("containerStatuses", []):
        for state in container["state"].values():
            if "reason" in state:
                yield state["reason"]


def _restarts(containers: list[Json], moment: datetime) -> str:
    number = sum(each["restartCount"] for each in containers)
    ended = [each["lastState"]["terminated"]["finishedAt"] for each in containers if each.get("lastState")]
    return f"{number} ({lapse(max(ended), moment)} ago)" if ended else str(number)


def _deployment(document: Json, moment: datetime) -> list[object]:
    status, wanted = document["status"], document["spec"]["replicas"]
    counts = [status.get(name, 0) for name in ("updatedReplicas", "availableReplicas")]
    ready = f"{status.get('readyReplicas', 0)}/{wanted}"
    return [document["metadata"]["name"], ready, *counts, _age(document, moment)]


def _stateful_set(document: Json, moment: datetime) -> list[object]:
    ready = f"{document['status'].get('readyReplicas', 0)}/{document['spec']['replicas']}"
    return [document["metadata"]["name"], ready, _age(document, moment)]


def _job(document: Json, moment: datetime) -> list[object]:
    status = document["status"]
    true = [each["type"] for each in status.get("conditions", []) if each["status"] == "True"]
    state = next((name for name in ("Complete", "Failed", "Suspended") if name in true), "Running")
    done = f"{status.get('succeeded', 0)}/{document['spec']['completions']}"
    ended = datetime.fromisoformat(status["completionTime"]) if "completionTime" in status else moment
    duration = lapse(status["startTime"], ended) if "startTime" in status else ""
    return [document["metadata"]["name"], state, done, duration, _age(document, moment)]


TABLES: dict[Kind, tuple[list[Json], Cells]] = {
    POD: (_columns("Name", "Ready", "Status", "Restarts", "Age"), _pod),
    DEPLOYMENT: (_columns("Name", "Ready", "Up-to-date", "Available", "Age"), _deployment),
    STATEFUL_SET: (_columns("Name", "Ready", "Age"), _stateful_set),
    JOB: (_columns("Name", "Status", "Completions", "Duration", "Age"), _job),
}
