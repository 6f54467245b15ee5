"""The route table, the listener and the OpenAPI document are one thing told three times."""

from __future__ import annotations

import re
from typing import Any, cast

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from agent.wire.strict import canonical
from control_plane.services.accounts import Role
from control_plane.services.assembly import Services
from control_plane.web.admin.listener import AdminCalls
from control_plane.web.admin.openapi import describe
from control_plane.web.admin.route import Route
from control_plane.web.admin.table import ROUTES

DOCUMENT = describe(ROUTES)


def operations() -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (method.upper(), path): operation
        for path, methods in DOCUMENT["paths"].items()
        for method, operation in methods.items()
    }


def test_the_document_is_valid_openapi() -> None:
    OpenAPIV31SpecValidator(DOCUMENT).validate()
    assert DOCUMENT["openapi"] == "3.1.0"


def test_every_route_is_described_and_nothing_else() -> None:
    assert {(route.method, route.template) for route in ROUTES} == set(operations())
    assert len(ROUTES) == len(operations())


def test_every_route_is_served_and_nothing_else() -> None:
    # The application is only looked at, so it needs no services.
    app = AdminCalls(cast("Services", None)).application()
    served = {
        (route.method, re.sub(r"\{(\w+)\}", r"{\1}", resource.canonical))
        for resource in app.router.resources()
        for route in resource
        if route.method != "HEAD"
    }
    assert served == set(operations())


def test_every_reference_leads_somewhere() -> None:
    text = canonical(DOCUMENT).decode()
    for name in re.findall(r'"\$ref":"#/components/schemas/([^"]+)"', text):
        assert name in DOCUMENT["components"]["schemas"]


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_an_operation_tells_what_its_route_declares(route: Route) -> None:
    operation = operations()[route.method, route.template]
    told = {(one["in"], one["name"]) for one in operation["parameters"]}
    assert {name for place, name in told if place == "path"} == set(route.parameters)
    assert (("header", "If-Match") in told) is route.conditional
    assert ("requestBody" in operation) is (route.body is not None)
    assert set(operation["responses"]) >= {"400", "401", "403", "500", str(route.status)}
    assert route.needs in operation["description"]


def test_names_are_unique() -> None:
    assert len({route.name for route in ROUTES}) == len(ROUTES)


def test_nobody_changes_anything_as_a_viewer() -> None:
    assert all(route.needs.covers(Role.OPERATOR) for route in ROUTES if route.writes)


def test_tokens_users_and_the_trail_are_for_admins() -> None:
    for route in ROUTES:
        if route.path.startswith(("/tokens", "/users", "/audit")):
            assert route.needs is Role.ADMIN, route.name


def test_each_role_may_do_what_the_one_below_it_may() -> None:
    assert [[role.covers(needed) for needed in Role] for role in Role] == [
        [True, False, False],
        [True, True, False],
        [True, True, True],
    ]
