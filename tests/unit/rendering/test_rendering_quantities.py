"""Quantities are exact, and every container ends up with what a quota counts."""

from __future__ import annotations

from fractions import Fraction

import pytest

from agent.model.errors import Refused
from agent.model.instance import Component, Isolation, Resources, WorkerQueue
from agent.model.quantities import amount
from agent.rendering.quantities import complete, cores, mebibytes
from tests.support.instances import SERVICE, an_instance, containers, manifests, of_kind, one, pod_templates


@pytest.mark.parametrize(
    ("quantity", "value"),
    [
        ("2", Fraction(2)),
        ("250m", Fraction(1, 4)),
        ("1.5Gi", Fraction(3, 2) * 1024**3),
        (".5", Fraction(1, 2)),
        ("1e3", Fraction(1000)),
        ("2E", Fraction(2 * 10**18)),
        ("100n", Fraction(1, 10**7)),
        ("12k", Fraction(12000)),
    ],
)
def test_a_quantity_has_its_exact_value(quantity: str, value: Fraction) -> None:
    assert amount(quantity) == value


@pytest.mark.parametrize("text", ["", "Gi", "1 Gi", "1gi", "one", "1.2.3", "1e"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="is not a quantity") as caught:
        amount(text)
    assert caught.value.reason == "BadQuantity"


def test_amounts_are_rounded_up() -> None:
    assert cores(Fraction(1, 3000)) == "1m"
    assert mebibytes(Fraction(1)) == "1Mi"
    assert mebibytes(Fraction(3 * 1024**2)) == "3Mi"


@pytest.mark.parametrize(
    ("given", "requests", "limits"),
    [
        (Resources({}, {}), {"cpu": "100m", "memory": "1Gi"}, {"memory": "1Gi"}),
        (Resources({"memory": "2Gi"}, {}), {"cpu": "100m", "memory": "2Gi"}, {"memory": "2Gi"}),
        (Resources({}, {"memory": "3Gi", "cpu": "2"}), {"cpu": "2", "memory": "3Gi"}, {"memory": "3Gi", "cpu": "2"}),
        (Resources({"cpu": "1"}, {"memory": "1Mi"}), {"cpu": "1", "memory": "1Mi"}, {"memory": "1Mi"}),
    ],
)
def test_missing_resources_are_filled_in(given: Resources, requests: dict[str, str], limits: dict[str, str]) -> None:
    completed = complete(given, memory="1Gi")
    assert completed.requests == requests
    assert completed.limits == limits


def test_every_container_has_requests_and_a_memory_limit() -> None:
    bare = Resources({}, {})
    instance = an_instance(scheduler=Component(1, bare), workers=(WorkerQueue("default", 1, 1, bare),))
    for template in pod_templates(manifests(instance)).values():
        for container in containers(template):
            assert container["resources"]["requests"].keys() >= {"cpu", "memory"}
            assert "memory" in container["resources"]["limits"]


def test_the_quota_covers_all_pods_at_once_with_room_for_a_roll() -> None:
    objects = manifests(an_instance())
    hard = one(objects, "ResourceQuota", "airflow-quota")["spec"]["hard"]
    needed = pods = Fraction(0)
    for workload in of_kind(objects, "Deployment", "StatefulSet"):
        count = workload["spec"]["replicas"] + (workload["kind"] == "Deployment")
        needed += count * amount(workload["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"]["cpu"])
        pods += count
    assert amount(hard["requests.cpu"]) > needed
    assert amount(hard["pods"]) > pods
    assert hard["services.loadbalancers"] == hard["services.nodeports"] == "0"


def test_the_quota_does_not_depend_on_being_awake() -> None:
    awake, asleep = (manifests(an_instance(state=state)) for state in ("running", "hibernated"))
    assert one(awake, "ResourceQuota", "airflow-quota") == one(asleep, "ResourceQuota", "airflow-quota")


def test_the_documents_own_quota_is_taken_as_it_is_and_an_empty_one_means_none() -> None:
    own = Isolation({"pods": "3"}, network_policies=True)
    assert one(manifests(an_instance(isolation=own)), "ResourceQuota", "airflow-quota")["spec"]["hard"] == {"pods": "3"}
    none = Isolation({}, network_policies=True)
    assert not of_kind(manifests(an_instance(isolation=none)), "ResourceQuota")


def test_containers_that_others_put_into_pods_get_bounds() -> None:
    (limit,) = one(manifests(an_instance()), "LimitRange", "airflow-defaults")["spec"]["limits"]
    assert limit["type"] == "Container"
    assert {"cpu", "memory"} <= limit["defaultRequest"].keys()
    assert "memory" in limit["default"]


def test_volumes_have_the_size_and_class_of_the_document() -> None:
    sized = an_instance(database=SERVICE.__class__("pg:1", 70, "7Gi", "fast", SERVICE.resources))
    objects = manifests(sized)
    (claim,) = one(objects, "StatefulSet", "airflow-database")["spec"]["volumeClaimTemplates"]
    assert claim["spec"]["resources"] == {"requests": {"storage": "7Gi"}}
    assert claim["spec"]["storageClassName"] == "fast"
    assert claim["metadata"]["labels"]["perigee.dev/retain"] == "database"
    (claim,) = one(objects, "StatefulSet", "airflow-broker")["spec"]["volumeClaimTemplates"]
    assert "storageClassName" not in claim["spec"]
    assert claim["metadata"]["labels"]["perigee.dev/retain"] == "volumes"
