"""The OpenAPI 3.1 document of the admin API, made from its routes and frames. Nothing of it is written by hand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pydantic.json_schema import JsonSchemaMode, models_json_schema

from agent.wire.frames import Frame
from agent.wire.problems import ProblemV1
from control_plane.web.admin.route import PARAMETERS, Route

_SCHEMAS = "#/components/schemas/{model}"
_REASONS = {
    400: "The call is malformed",
    401: "Nobody knows this bearer token, or there is none",
    403: "The caller's role is not enough; the message says which is",
    404: "What the call is about does not exist",
    409: "The call contradicts what is there",
    412: "The instance is not at the revision of If-Match",
    413: "More than is taken in at once",
    422: "Well-formed, and still not valid; the message names the field",
    500: "An error that nobody foresaw",
}
_ALWAYS = (400, 401, 403, 500)


def describe(routes: Sequence[Route]) -> dict[str, Any]:
    """The whole document."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.template, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Perigee control plane: admin API",
            "version": "1",
            "description": "Desired state of Airflow instances, and who may change it.",
        },
        "security": [{"bearer": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
            "schemas": _schemas(routes),
        },
    }


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.summary,
        "description": f"Needs the role {route.needs} or a higher one.",
        "tags": [route.tag],
        "parameters": list(_parameters(route)),
        "responses": {str(route.status): _success(route)}
        | {str(status): _problem(status) for status in sorted({*_ALWAYS, *route.faults})},
    }
    if route.body is not None:
        operation["requestBody"] = {"required": True, "content": _content(route.body)}
    return operation


def _parameters(route: Route) -> Iterable[dict[str, Any]]:
    for name in route.parameters:
        schema = {"type": "string", "pattern": f"^{PARAMETERS[name]}$"}
        yield {"name": name, "in": "path", "required": True, "schema": schema}
    if route.query is not None:
        described = route.query.model_json_schema(ref_template=_SCHEMAS)
        for name, shape in described["properties"].items():
            yield {"name": name, "in": "query", "required": name in described.get("required", ()), "schema": shape}
    if route.conditional:
        yield {
            "name": "If-Match",
            "in": "header",
            "required": False,
            "description": 'The revision that the caller saw last, as an ETag ("3"); "0": there is none yet.',
            "schema": {"type": "string"},
        }


def _success(route: Route) -> dict[str, Any]:
    if route.answer is None:
        return {"description": route.summary, "content": {"application/json": {"schema": {"type": "object"}}}}
    return {"description": route.summary, "content": _content(route.answer)}


def _problem(status: int) -> dict[str, Any]:
    return {"description": _REASONS[status], "content": _content(ProblemV1)}


def _content(frame: type[Frame]) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": _SCHEMAS.format(model=frame.__name__)}}}


def _schemas(routes: Sequence[Route]) -> dict[str, Any]:
    given: dict[type[Frame], JsonSchemaMode] = {ProblemV1: "serialization"}
    for route in routes:
        if route.answer is not None:
            given[route.answer] = "serialization"
        for taken in (route.body, route.query):
            if taken is not None:
                given[taken] = "validation"
    _, found = models_json_schema(list(given.items()), ref_template=_SCHEMAS)
    schemas: dict[str, Any] = found["$defs"]
    return schemas
