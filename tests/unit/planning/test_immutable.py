"""What cannot change on a live object, row by row: in place, made again, made again around its pods, or refused."""

from __future__ import annotations

from typing import Any

import pytest

from agent.model.objects import Manifest
from agent.planning.immutable import Way, passage


def workload(kind: str, **spec: Any) -> Manifest:
    selector = {"matchLabels": {"app": "web"}}
    return {"kind": kind, "metadata": {"name": "web"}, "spec": {"selector": selector, "replicas": 1, **spec}}


def claim(size: str = "1Gi", name: str = "data", **spec: Any) -> Manifest:
    requests = {"resources": {"requests": {"storage": size}}}
    return {"metadata": {"name": name}, "spec": {"accessModes": ["ReadWriteOnce"], **requests, **spec}}


def stateful(*claims: Manifest, **spec: Any) -> Manifest:
    return workload("StatefulSet", volumeClaimTemplates=list(claims), serviceName="web", **spec)


def volume(size: str = "1Gi", **spec: Any) -> Manifest:
    return {"kind": "PersistentVolumeClaim", **claim(size, **spec)}


def job(image: str = "a", **spec: Any) -> Manifest:
    return {"kind": "Job", "metadata": {"name": "m"}, "spec": {"template": {"spec": {"image": image}}, **spec}}


def service(**spec: Any) -> Manifest:
    return {"kind": "Service", "metadata": {"name": "web"}, "spec": {"ports": [{"port": 80}], **spec}}


def binding(role: str) -> Manifest:
    return {"kind": "RoleBinding", "metadata": {"name": "b"}, "roleRef": {"kind": "ClusterRole", "name": role}}


def content(kind: str, value: str, **fields: Any) -> Manifest:
    return {"kind": kind, "metadata": {"name": "c"}, "data": {"a": value}, **fields}


OTHER = {"matchLabels": {"app": "other"}}
DEFAULTED = {"dnsPolicy": "ClusterFirst"}

SAME = [
    (workload("Deployment"), workload("Deployment", strategy={"type": "RollingUpdate"})),
    (workload("Deployment", replicas=3, template={"a": 1}), workload("Deployment")),
    (stateful(claim()), stateful(claim(volumeMode="Filesystem"), podManagementPolicy="OrderedReady")),
    (stateful(claim("1024Mi")), stateful(claim("1Gi"))),
    (stateful(claim(), replicas=5), stateful(claim())),
    (stateful(claim(), template={"a": 1}), stateful(claim(), template={"a": 2})),
    (stateful(claim(), updateStrategy={"type": "OnDelete"}), stateful(claim())),
    (stateful(claim(), minReadySeconds=5), stateful(claim())),
    (stateful(claim(), persistentVolumeClaimRetentionPolicy={"whenDeleted": "Delete"}), stateful(claim())),
    (stateful(claim(), ordinals={"start": 1}), stateful(claim())),
    (stateful(), stateful()),
    (volume("2Gi"), volume("1Gi", storageClassName="standard", volumeName="pv-1")),
    (volume("1Gi"), volume("1024Mi")),
    (job(), job(completions=1, parallelism=1)),
    (job(backoffLimit=3), job(backoffLimit=6)),
    (job(), {**job(), "spec": {"template": {"spec": {"image": "a", **DEFAULTED}}}}),
    (service(), service(clusterIP="10.0.0.7", type="ClusterIP")),
    (service(clusterIP="None"), service(clusterIP="None")),
    (binding("edit"), binding("edit")),
    (content("ConfigMap", "1"), content("ConfigMap", "2")),
    (content("ConfigMap", "1"), content("ConfigMap", "1", immutable=True)),
    (content("Secret", "1"), content("Secret", "2", immutable=False)),
    ({"kind": "NetworkPolicy", "spec": {"a": 1}}, {"kind": "NetworkPolicy", "spec": {"a": 2}}),
]


@pytest.mark.parametrize(("wanted", "live"), SAME, ids=range(len(SAME)))
def test_what_may_change_changes_in_place(wanted: Manifest, live: Manifest) -> None:
    assert passage(wanted, live).way is Way.IN_PLACE


REPLACED = [
    (workload("Deployment", selector=OTHER), workload("Deployment"), "spec.selector cannot change"),
    (job("b"), job("a"), "spec.template cannot change"),
    (job(completions=2), job(completions=1), "spec.completions cannot change"),
    (job("b", completionMode="Indexed"), job(), "spec.template and spec.completionMode cannot change"),
    (job(podFailurePolicy={"rules": []}), job(), "spec.podFailurePolicy cannot change"),
    (service(clusterIP="None"), service(clusterIP="10.0.0.7"), "spec.clusterIP cannot change"),
    (service(), service(clusterIP="None"), "spec.clusterIP cannot change"),
    (binding("admin"), binding("edit"), "roleRef cannot change"),
    (content("ConfigMap", "2"), content("ConfigMap", "1", immutable=True), "it is immutable"),
    (content("Secret", "2"), content("Secret", "1", immutable=True), "it is immutable"),
    (
        content("ConfigMap", "1", binaryData={"b": "AA=="}),
        content("ConfigMap", "1", immutable=True),
        "it is immutable",
    ),
]


@pytest.mark.parametrize(("wanted", "live", "why"), REPLACED, ids=range(len(REPLACED)))
def test_what_loses_nothing_is_made_again(wanted: Manifest, live: Manifest, why: str) -> None:
    found = passage(wanted, live)
    assert (found.way, found.why) == (Way.REPLACE, why)


REMADE: list[tuple[Manifest, Manifest, str, dict[str, str]]] = [
    (
        stateful(claim("2Gi")),
        stateful(claim("1Gi")),
        "spec.volumeClaimTemplates cannot change",
        {"data": "2Gi"},
    ),
    (
        stateful(claim("1Gi"), claim("1.5Gi", "logs")),
        stateful(claim("1Gi", "logs"), claim()),
        "spec.volumeClaimTemplates cannot change",
        {"logs": "1.5Gi"},
    ),
    (
        stateful(claim(), podManagementPolicy="Parallel"),
        stateful(claim(), podManagementPolicy="OrderedReady"),
        "spec.podManagementPolicy cannot change",
        {},
    ),
    (
        stateful(claim("2Gi"), revisionHistoryLimit=3),
        stateful(claim(), revisionHistoryLimit=10),
        "spec.revisionHistoryLimit and spec.volumeClaimTemplates cannot change",
        {"data": "2Gi"},
    ),
]


@pytest.mark.parametrize(("wanted", "live", "why", "growth"), REMADE, ids=range(len(REMADE)))
def test_a_set_is_made_again_around_its_pods(
    wanted: Manifest, live: Manifest, why: str, growth: dict[str, str]
) -> None:
    found = passage(wanted, live)
    assert (found.way, found.why, found.growth) == (Way.REMAKE, why, growth)


REFUSED = [
    (stateful(claim(), selector=OTHER), stateful(claim()), "would belong to nobody"),
    (stateful(claim("1Gi")), stateful(claim("2Gi")), "volume data cannot shrink from 2Gi to 1Gi"),
    (stateful(claim("1G")), stateful(claim("1Gi")), "volume data cannot shrink from 1Gi to 1G"),
    (stateful(), stateful(claim()), "the set of volumes cannot change"),
    (stateful(claim(), claim(name="more")), stateful(claim()), "the set of volumes cannot change"),
    (stateful(claim(name="other")), stateful(claim()), "the set of volumes cannot change"),
    (
        stateful(claim("2Gi", storageClassName="fast")),
        stateful(claim(storageClassName="slow")),
        "only its size can change",
    ),
    (stateful(claim(accessModes=["ReadWriteMany"])), stateful(claim()), "only its size can change"),
    (volume("1Gi"), volume("2Gi"), "a volume cannot shrink from 2Gi to 1Gi"),
    (volume(storageClassName="fast"), volume(storageClassName="slow"), "only the size of a volume can change"),
]


@pytest.mark.parametrize(("wanted", "live", "why"), REFUSED, ids=range(len(REFUSED)))
def test_what_would_lose_data_is_refused(wanted: Manifest, live: Manifest, why: str) -> None:
    found = passage(wanted, live)
    assert found.way is Way.REFUSE
    assert why in found.why
    assert found.growth == {}
