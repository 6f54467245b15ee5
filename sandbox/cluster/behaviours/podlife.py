"""What a simulated pod's status says at each step of its life. Pure: documents in, statuses out."""

from __future__ import annotations

import hashlib

from sandbox.cluster.behaviours.desk import condition
from sandbox.cluster.behaviours.family import owners_of
from sandbox.cluster.behaviours.nodes import NODE_ADDRESS
from sandbox.cluster.kinds import Json

_SIMULATE = "sandbox.perigee.dev/simulate"
_NOT_READY = {"unready", "crash"}


def simulated(document: Json) -> str:
    """Return how a pod was told to behave, "" when it was not."""
    return str((document["metadata"].get("annotations") or {}).get(_SIMULATE, ""))


def ends(document: Json) -> bool:
    """Say whether a pod has work that comes to an end: a Job's."""
    return any(reference["kind"] == "Job" for reference in owners_of(document))


def scheduled(document: Json, now: str) -> Json:
    """Return the status of a pod that has a node."""
    return _with_conditions(document["status"], {"PodScheduled": "True"}, now)


def unschedulable(document: Json, message: str, now: str) -> Json:
    """Return the status of a pod that no node takes."""
    wanted = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    status: Json = document["status"]
    return status | {"conditions": condition(status.get("conditions", []), wanted, now)}


def running(document: Json, now: str) -> Json:
    """Return the status of a pod whose containers run, ready or not, or crash."""
    does = simulated(document)
    ready = does not in _NOT_READY
    truth = "True" if ready else "False"
    address = _address(document["metadata"]["uid"])
    reached = {"PodReadyToStartContainers": "True", "Initialized": "True", "ContainersReady": truth, "Ready": truth}
    state = _crashing(now) if does == "crash" else {"state": {"running": {"startedAt": now}}, "restartCount": 0}
    done = _terminated(0, now) | {"restartCount": 0}
    return _with_conditions(document["status"], reached, now) | {
        "phase": "Running",
        "hostIP": NODE_ADDRESS,
        "hostIPs": [{"ip": NODE_ADDRESS}],
        "podIP": address,
        "podIPs": [{"ip": address}],
        "startTime": now,
        "initContainerStatuses": _containers(document, "initContainers", done | {"ready": True, "started": False}),
        "containerStatuses": _containers(document, "containers", state | {"ready": ready, "started": does != "crash"}),
    }


def finished(document: Json, now: str) -> Json:
    """Return the status of a pod whose containers ended, well or not."""
    failed = simulated(document) == "fail"
    reached = {"ContainersReady": "False", "Ready": "False"}
    state = _terminated(int(failed), now) | {"restartCount": 0, "ready": False, "started": False}
    return _with_conditions(document["status"], reached, now, reason="PodCompleted") | {
        "phase": "Failed" if failed else "Succeeded",
        "containerStatuses": _containers(document, "containers", state),
    }


def _with_conditions(status: Json, reached: dict[str, str], now: str, *, reason: str = "") -> Json:
    conditions = status.get("conditions", [])
    for kind, truth in reached.items():
        wanted = {"type": kind, "status": truth} | ({"reason": reason} if reason else {})
        conditions = condition(conditions, wanted, now)
    return status | {"conditions": conditions}


def _containers(document: Json, field: str, state: Json) -> list[Json]:
    return [
        {"name": container["name"], "image": container["image"], "imageID": "",
         "containerID": f"simulated://{container['name']}"} | state
        for container in document["spec"].get(field, [])
    ]  # fmt: skip


def _terminated(code: int, now: str) -> Json:
    reason = "Error" if code else "Completed"
    return {"state": {"terminated": {"exitCode": code, "reason": reason, "startedAt": now, "finishedAt": now}}}


def _crashing(now: str) -> Json:
    message = "back-off 10s restarting failed container"
    return {
        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": message}},
        "lastState": _terminated(1, now)["state"],
        "restartCount": 1,
    }


def _address(uid: str) -> str:
    digest = hashlib.sha256(uid.encode()).digest()
    return f"10.128.{digest[0]}.{digest[1]}"
