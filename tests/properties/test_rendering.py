"""What holds for every instance that a document may describe."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from hypothesis import HealthCheck, given, settings

from agent.model.instance import Instance, State
from agent.model.objects import Manifest, ObjectRef
from agent.model.quantities import amount
from agent.rendering import digest, render, scaled
from tests.support.instances import containers, inputs, instances, manifests, of_kind, pod_templates
from tests.support.pod_security import violations
from tests.support.reachability import End, allowed

# Building an instance takes longer than judging it.
every_instance = settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])

NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
LABEL_KEY = re.compile(r"([a-z0-9.-]{1,253}/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")


def backwards(value: Any) -> Any:
    """The same value, with every mapping in the opposite order."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {each.name: backwards(getattr(value, each.name)) for each in dataclasses.fields(value)}
        return dataclasses.replace(value, **fields)
    if isinstance(value, Mapping):
        return {key: backwards(value[key]) for key in reversed(list(value))}
    if isinstance(value, tuple):
        return tuple(backwards(each) for each in value)
    return value


def labels_in(manifest: Manifest) -> list[Mapping[str, str]]:
    """The labels of an object, of its pods and of its volumes."""
    spec = manifest.get("spec", {})
    nested = [*filter(None, [spec.get("template")]), *spec.get("volumeClaimTemplates", [])]
    return [each["metadata"]["labels"] for each in (manifest, *nested)]


@given(instances)
@every_instance
def test_equal_input_gives_equal_bytes(instance: Instance) -> None:
    again = backwards(instance)
    assert json.dumps(manifests(instance)) == json.dumps(manifests(again))
    assert digest(inputs(instance)) == digest(inputs(again))


@given(instances)
@every_instance
def test_names_and_labels_are_valid(instance: Instance) -> None:
    for manifest in manifests(instance):
        name = manifest["metadata"]["name"]
        assert NAME.fullmatch(name)
        assert len(name) <= (52 if manifest["kind"] == "StatefulSet" else 63)
        for labels in labels_in(manifest):
            assert all(LABEL_KEY.fullmatch(key) for key in labels)
            assert all(LABEL_VALUE.fullmatch(text) for text in labels.values())


@given(instances)
@every_instance
def test_objects_are_different_in_order_and_at_home(instance: Instance) -> None:
    rendered = render(inputs(instance))
    assert len({each.ref for each in rendered}) == len(rendered)
    assert [each.stage for each in rendered] == sorted(each.stage for each in rendered)
    assert {each.ref.namespace for each in rendered if each.ref.kind != "Namespace"} == {instance.namespace}
    assert [each.ref.name for each in rendered if not each.ref.namespace] == [instance.namespace]


@given(instances)
@every_instance
def test_every_pod_is_restricted_bounded_and_complete(instance: Instance) -> None:
    for template in pod_templates(manifests(instance)).values():
        assert violations(template["spec"]) == []
        mounted = {volume["name"] for volume in template["spec"]["volumes"]} | {"data"}
        for container in containers(template):
            requests, limits = container["resources"]["requests"], container["resources"]["limits"]
            assert requests.keys() >= {"cpu", "memory"}
            assert "memory" in limits
            assert {mount["name"] for mount in container["volumeMounts"]} <= mounted
            names = [entry["name"] for entry in container["env"]]
            assert len(names) == len(set(names))


@given(instances)
@every_instance
def test_the_computed_quota_holds_all_pods(instance: Instance) -> None:
    objects = manifests(instance)
    quotas = of_kind(objects, "ResourceQuota")
    if instance.isolation.quota is not None:
        assert [quota["spec"]["hard"] for quota in quotas] == [instance.isolation.quota] * bool(
            instance.isolation.quota
        )
        return
    (hard,) = (quota["spec"]["hard"] for quota in quotas)
    needed, start = Fraction(0), scaled(inputs(instance))
    for workload in of_kind(objects, "Deployment", "StatefulSet"):
        (container,) = workload["spec"]["template"]["spec"]["containers"]
        replicas = workload["spec"].get("replicas", start.get(ObjectRef.of(workload)))
        needed += replicas * amount(container["resources"]["requests"]["memory"])
    assert amount(hard["requests.memory"]) >= needed


@given(instances)
@every_instance
def test_every_number_of_replicas_has_one_owner(instance: Instance) -> None:
    start, objects = scaled(inputs(instance)), manifests(instance)
    workloads = {ObjectRef.of(each): each["spec"] for each in of_kind(objects, "Deployment", "StatefulSet")}
    assert start.keys() <= workloads.keys()
    if instance.state is State.HIBERNATED:
        assert {spec["replicas"] for spec in workloads.values()} == {0}
        assert set(start.values()) <= {0}
    else:
        assert {ref for ref, spec in workloads.items() if "replicas" not in spec} == set(start)


@given(instances)
@every_instance
def test_hibernation_takes_pods_away_and_nothing_else(instance: Instance) -> None:
    awake = manifests(dataclasses.replace(instance, state=State.RUNNING))
    asleep = manifests(dataclasses.replace(instance, state=State.HIBERNATED))
    kept = [each for each in awake if each["kind"] != "Job"]
    for before, after in zip(kept, asleep, strict=True):
        if before["kind"] in {"Deployment", "StatefulSet"}:
            assert after["spec"]["replicas"] == 0
            before["spec"]["replicas"] = 0
        assert before == after


@given(instances)
@every_instance
def test_no_worker_reaches_the_database(instance: Instance) -> None:
    objects = manifests(instance)
    policies = of_kind(objects, "NetworkPolicy")
    ends = [End(instance.namespace, pod["metadata"]["labels"]) for pod in pod_templates(objects).values()]
    for source in ends:
        for target in ends:
            roles = (source.labels["perigee.dev/component"], target.labels["perigee.dev/component"])
            if policies and roles == ("worker", "database"):
                assert not allowed(policies, source, target, port=5432)
            if roles == ("scheduler", "database"):
                assert allowed(policies, source, target, port=5432)
