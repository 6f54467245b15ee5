"""Which existing objects may become part of an instance: those that were marked or named for it, nobody else's."""

from __future__ import annotations

from typing import Any

import pytest

from agent.model.errors import ObjectRefused
from agent.model.labels import INSTANCE
from agent.model.objects import Manifest, ObjectRef
from agent.planning.adoption import handed_over, is_ours, judge
from tests.support.builders import AN_ID, a_document, a_manifest, as_live

OTHER_ID = "5b1c1f5e-2f8e-4f0c-8a8e-0d5f2f1c9b22"


def live(mark: str | None, *, applied: bool = False, kind: str = "ConfigMap") -> Manifest:
    found = a_manifest(kind=kind)
    found["metadata"]["labels"] = {} if mark is None else {INSTANCE: mark}
    return as_live(found) if applied else found


def instance(*adopt: str) -> Any:
    return a_document(adopt=list(adopt)).instance


@pytest.mark.parametrize(
    ("found", "adopt"),
    [
        (live(AN_ID), ()),
        (live(AN_ID, applied=True), ()),
        # Somebody took the mark off; the server's own record says who applied it.
        (live(None, applied=True), ()),
        (live(None), ("ConfigMap/web",)),
        (live(AN_ID), ("ConfigMap/web",)),
    ],
)
def test_what_is_ours_or_handed_over_may_be_taken(found: Manifest, adopt: tuple[str, ...]) -> None:
    judge(found, instance(*adopt))


@pytest.mark.parametrize(
    ("found", "adopt", "whose"),
    [
        (live(None), (), "was not made for this instance"),
        (live(OTHER_ID), (), f"belongs to instance {OTHER_ID}"),
        (live(OTHER_ID, applied=True), (), f"belongs to instance {OTHER_ID}"),
        # No document gives away what another instance has.
        (live(OTHER_ID), ("ConfigMap/web",), f"belongs to instance {OTHER_ID}"),
        (live(None), ("ConfigMap/other",), "was not made for this instance"),
        (live(None), ("Service/web",), "was not made for this instance"),
    ],
)
def test_what_is_somebody_else_s_is_refused_with_the_ways_out(
    found: Manifest, adopt: tuple[str, ...], whose: str
) -> None:
    with pytest.raises(ObjectRefused, match=f"^ConfigMap af-hello/web exists and {whose}$") as refused:
        judge(found, instance(*adopt))
    assert "add ConfigMap/web to spec.adopt" in refused.value.hint
    assert f"label it {INSTANCE}={AN_ID}" in refused.value.hint


def test_an_object_without_any_labels_is_nobody_s_of_ours() -> None:
    bare: Manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web", "labels": None}}
    assert not is_ours(bare, AN_ID)


def test_handing_over_goes_by_kind_and_name() -> None:
    ref = ObjectRef("v1", "ConfigMap", "af-hello", "web")
    assert handed_over(ref, instance("ConfigMap/web"))
    assert not handed_over(ref, instance("ConfigMap/web-2", "Service/web"))
