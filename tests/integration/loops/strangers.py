"""What others do to an instance's objects: people with kubectl, autoscalers, controllers, whoever has the right."""

from __future__ import annotations

from typing import Any

from agent.cluster.client import APPLY, MERGE
from tests.integration.loops.lives import World

SCHEDULER = "deployments/airflow-scheduler"
API_SERVER = "deployments/airflow-api-server"
DATABASE = "statefulsets/airflow-database"
CONFIG = "configmaps/airflow-config"
_GROUPS = {
    "deployments": "/apis/apps/v1",
    "statefulsets": "/apis/apps/v1",
    "replicasets": "/apis/apps/v1",
    "jobs": "/apis/batch/v1",
    "rolebindings": "/apis/rbac.authorization.k8s.io/v1",
    "poddisruptionbudgets": "/apis/policy/v1",
    "networkpolicies": "/apis/networking.k8s.io/v1",
}


def path(world: World, which: str) -> str:
    """The path of an object or a collection in the instance's namespace, such as ``deployments/airflow-scheduler``."""
    root = _GROUPS.get(which.partition("/")[0], "/api/v1")
    return f"{root}/namespaces/{world.home}/{which}"


async def live(world: World, which: str) -> dict[str, Any]:
    """One object that must be there."""
    found = await world.get(path(world, which))
    assert found is not None, which
    return found


async def edit(world: World, which: str, change: dict[str, Any], *, manager: str = "kubectl-edit") -> dict[str, Any]:
    """Somebody changes fields of an object."""
    params = {"fieldManager": manager}
    return await world.send("patch", "PATCH", path(world, which), params=params, body=change, content_type=MERGE)


async def apply(world: World, manifest: dict[str, Any], which: str, *, manager: str = "helm") -> dict[str, Any]:
    """Somebody applies a manifest of their own, by force."""
    params = {"fieldManager": manager, "force": "true"}
    return await world.send("apply", "PATCH", path(world, which), params=params, body=manifest, content_type=APPLY)


async def scale(world: World, which: str, replicas: int, *, manager: str) -> None:
    """Somebody scales a workload through its subresource, as kubectl and every autoscaler do."""
    params = {"fieldManager": manager}
    body = {"spec": {"replicas": replicas}}
    await world.send("patch", "PATCH", path(world, f"{which}/scale"), params=params, body=body, content_type=MERGE)


async def create(world: World, manifest: dict[str, Any], collection: str, *, manager: str = "kubectl-create") -> Any:
    """Somebody creates an object."""
    return await world.send("create", "POST", path(world, collection), params={"fieldManager": manager}, body=manifest)


async def delete(world: World, which: str) -> None:
    """Somebody deletes an object."""
    await world.send("delete", "DELETE", path(world, which))


async def names(world: World, collection: str) -> set[str]:
    """What there is of a kind."""
    listed = await world.send("list", "GET", path(world, collection))
    return {item["metadata"]["name"] for item in listed["items"]}


async def uids(world: World, collection: str) -> dict[str, str]:
    """Who is who among the objects of a kind."""
    listed = await world.send("list", "GET", path(world, collection))
    return {item["metadata"]["name"]: item["metadata"]["uid"] for item in listed["items"]}


def replicas(workload: dict[str, Any]) -> int:
    """How many pods a workload asks for."""
    return int(workload["spec"]["replicas"])


def holders(workload: dict[str, Any], *field: str) -> set[str]:
    """Who holds a field, named by its keys."""
    found = set()
    for entry in workload["metadata"]["managedFields"]:
        fields = entry.get("fieldsV1") or {}
        for key in field:
            fields = fields.get(f"f:{key}")
            if fields is None:
                break
        if fields is not None:
            found.add(entry["manager"])
    return found
