from __future__ import annotations

from typing import Any

from agent.planning.fields import text
from agent.planning.provenance import folded, holdings, lost


def entry(manager: str, fields: dict[str, Any], *, at: str = "2026-01-01T00:00:00Z", **more: Any) -> dict[str, Any]:
    return {"manager": manager, "operation": "Apply", "time": at, "fieldsV1": fields, **more}


def live(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"name": "web", "managedFields": list(entries)}}


OURS = entry("perigee", {"f:spec": {"f:paused": {}}})
EDITED = entry("kubectl-edit", {"f:spec": {"f:replicas": {}}}, at="2026-01-02T00:00:00Z", operation="Update")
STATUS = entry("controller", {"f:status": {"f:ready": {}}}, subresource="status")


def test_every_holder_is_named_ours_first_then_the_latest() -> None:
    found = holdings(live(STATUS, EDITED, OURS))
    assert [(one.manager, one.ours, [text(path) for path in one.fields]) for one in found] == [
        ("perigee", True, [".spec.paused"]),
        ("kubectl-edit", False, [".spec.replicas"]),
        ("controller/status", False, [".status.ready"]),
    ]
    assert holdings(live()) == ()


def test_what_we_lost_is_told_with_who_has_it_now() -> None:
    recorded: dict[str, Any] = {"f:spec": {"f:replicas": {}, "f:paused": {}, "f:gone": {}}}
    assert [(one.field, one.to) for one in lost(recorded, live(OURS, EDITED))] == [
        (".spec.replicas", "kubectl-edit"),
        (".spec.gone", ""),
    ]
    assert lost({"f:spec": {"f:paused": {}}}, live(OURS)) == ()


def test_of_two_holders_the_later_one_counts() -> None:
    first = entry("first", {"f:spec": {"f:replicas": {}}}, at="2026-01-01T00:00:00Z")
    later = entry("later", {"f:spec": {"f:replicas": {}}}, at="2026-01-03T00:00:00Z")
    (one,) = lost({"f:spec": {"f:replicas": {}}}, live(later, first))
    assert one.to == "later"


def test_many_fields_are_folded_into_their_parents() -> None:
    fields = [("f:spec", "f:template", f"f:{name}") for name in "abc"] + [("f:spec", "f:replicas")]
    assert folded(fields, 4) == (".spec.template.a", ".spec.template.b", ".spec.template.c", ".spec.replicas")
    assert folded(fields, 3) == (".spec.template (3 fields)", ".spec.replicas")
    assert folded(fields, 1) == (".spec (4 fields)",)
    assert folded([], 3) == ()
