"""Who gets a contested field: what was ours is taken back, what others held or live by is left to them."""

from __future__ import annotations

from typing import Any

import pytest

from agent.model.errors import OwnedField
from agent.model.objects import Ceded, Manifest
from agent.planning.conflict import judge, may_force
from tests.support.builders import a_manifest

IMAGE = '.spec.template.spec.containers[name="web"].image'
IMAGE_PATH = ("f:spec", "f:template", "f:spec", "f:containers", 'k:{"name":"web"}', "f:image")
ISSUER = ".metadata.annotations.cert-manager.io/issuer"


def held(**by: dict[str, Any]) -> Manifest:
    """A live object of which these managers (a slash is written ``__``) hold these fields."""
    entries = []
    for name, fields in by.items():
        manager, _, subresource = name.replace("_", "-").partition("--")
        entry = {"manager": manager, "operation": "Update", "fieldsV1": fields}
        entries.append(entry | ({"subresource": subresource} if subresource else {}))
    live = a_manifest(kind="Deployment", api_version="apps/v1")
    live["metadata"]["managedFields"] = entries
    return live


def nested(*path: str) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for element in reversed(path):
        fields = {element: fields}
    return fields


@pytest.mark.parametrize(
    ("manager", "field", "ours", "forced"),
    [
        ("kubectl", IMAGE, {IMAGE}, True),
        ("kubectl", IMAGE, set(), False),
        ("kubectl", IMAGE, {".spec.paused"}, False),
        ("kubectl", IMAGE, None, True),
        # Our own other ways of writing are never strangers.
        ("perigee", IMAGE, set(), True),
        ("perigee-scale", ".spec.replicas", set(), True),
        ("perigee-scale/scale", ".spec.replicas", set(), True),
        ("perigeeish", IMAGE, set(), False),
        # Replicas are never taken, from a person no more than from an autoscaler.
        ("kubectl", ".spec.replicas", {".spec.replicas"}, False),
        ("kubectl/scale", ".spec.replicas", {".spec.replicas"}, False),
        ("kube-controller-manager/scale", ".spec.replicas", None, False),
        ("keda-operator", ".spec.paused", {".spec.paused"}, False),
        ("vpa-recommender", IMAGE, {IMAGE}, False),
        ("scaler", IMAGE, {IMAGE}, True),
        # A field of that name elsewhere is no count of pods.
        ("kubectl", ".data.replicas", {".data.replicas"}, True),
        # Annotations that certificates, autoscalers and clouds live by.
        ("cert-manager-certificates", ISSUER, {ISSUER}, False),
        ("kubectl", ISSUER, None, False),
        *(
            ("somebody", f".metadata.annotations.{domain}/x", {f".metadata.annotations.{domain}/x"}, False)
            for domain in (
                "acme.cert-manager.io",
                "autoscaling.keda.sh",
                "karpenter.sh",
                "cluster-autoscaler.kubernetes.io",
                "eks.amazonaws.com",
                "service.beta.kubernetes.io",
                "cloud.google.com",
                "networking.gke.io",
                "azure.com",
            )
        ),
        ("somebody", ".metadata.annotations.example.com/x", {".metadata.annotations.example.com/x"}, True),
        ("somebody", ".metadata.annotations.notkarpenter.sh/x", {".metadata.annotations.notkarpenter.sh/x"}, True),
        ("somebody", ".metadata.labels.karpenter.sh/x", {".metadata.labels.karpenter.sh/x"}, True),
    ],
)
def test_whether_a_field_is_taken_back(manager: str, field: str, ours: set[str] | None, forced: bool) -> None:
    assert may_force(OwnedField(manager, field), ours=ours) is forced


def test_each_field_of_a_conflict_is_judged_by_itself() -> None:
    live = held(kubectl=nested(*IMAGE_PATH), hpa__scale=nested("f:spec", "f:replicas"))
    image, replicas = OwnedField("kubectl", IMAGE), OwnedField("hpa/scale", ".spec.replicas")
    verdict = judge([image, replicas], live, ours={IMAGE, ".spec.replicas"})
    assert verdict.forced == (image,)
    assert verdict.left == (Ceded("hpa/scale", ("f:spec", "f:replicas")),)


def test_what_is_left_is_named_by_its_path_in_the_object() -> None:
    field = OwnedField("helm", ".metadata.annotations.example.com/a.b")
    path = ("f:metadata", "f:annotations", "f:example.com/a.b")
    assert judge([field], held(helm=nested(*path)), ours=()).left == (Ceded("helm", path),)


def test_paths_that_read_alike_are_both_left() -> None:
    """A key with a dot reads like two keys; which of them is meant, nobody can tell from the conflict."""
    dotted, deep = ("f:data", "f:a.b"), ("f:data", "f:a", "f:b")
    live = held(one=nested(*dotted), two=nested(*deep))
    assert {one.path for one in judge([OwnedField("one", ".data.a.b")], live, ours=()).left} == {dotted, deep}


def test_a_field_that_two_hold_is_left_once_for_each() -> None:
    live = held(one=nested("f:data", "f:a"), two=nested("f:data", "f:a"))
    conflict = [OwnedField("one", ".data.a"), OwnedField("two", ".data.a")]
    assert judge(conflict, live, ours=()).left == (Ceded("one", ("f:data", "f:a")), Ceded("two", ("f:data", "f:a")))


def test_our_own_fields_are_never_left_to_us() -> None:
    live = held(perigee=nested("f:data", "f:a"), perigee_scale__scale=nested("f:data", "f:a"))
    assert judge([OwnedField("gone", ".data.a")], live, ours=()).left == ()
