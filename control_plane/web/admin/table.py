"""Every route of the admin API in one table."""

from __future__ import annotations

from functools import cache
from typing import Any

from control_plane.services.accounts import Role
from control_plane.web.admin import access, clusters, instances, orders, trust
from control_plane.web.admin.openapi import describe
from control_plane.web.admin.route import Answer, Call, Route


@cache
def _description() -> dict[str, Any]:
    return describe(ROUTES)


async def _openapi(_call: Call) -> Answer:
    return Answer(_description())


ROUTES: tuple[Route, ...] = (
    *instances.ROUTES,
    *orders.ROUTES,
    *clusters.ROUTES,
    *trust.ROUTES,
    *access.ROUTES,
    Route(method="GET", path="/openapi.json", name="readOpenApi", summary="Read this description", tag="description",
          needs=Role.VIEWER, handler=_openapi, answer=None),
)  # fmt: skip
