"""Names and labels: fixed by role, valid whatever the text they come from, different for different texts."""

from __future__ import annotations

import pytest

from agent.model.instance import Resources, WorkerQueue
from agent.rendering import labels, names
from agent.rendering.names import Role
from tests.support.instances import an_instance, manifests, of_kind, pod_templates

SMALL = Resources({}, {})


@pytest.mark.parametrize("queue", ["default", "gpu-2"])
def test_a_plain_queue_name_is_kept(queue: str) -> None:
    assert names.workers(queue) == f"airflow-worker-{queue}"


def test_queue_names_that_look_alike_stay_apart() -> None:
    made = {names.workers(queue) for queue in ("high_mem", "high-mem", "HIGH-mem", "high mem", "Ä", "Ö")}
    assert len(made) == 6


def test_the_longest_queue_name_leaves_room_for_the_revision_hash() -> None:
    assert len(names.workers("q" * 200)) <= 52


def test_a_label_value_that_is_allowed_is_kept() -> None:
    assert labels.value("Team_A.1") == "Team_A.1"
    assert labels.value("") == ""


def test_a_label_value_that_is_not_allowed_is_made_readable() -> None:
    assert labels.value("Sales & Marketing").startswith("sales-marketing-")


def test_every_object_tells_whose_it_is_and_who_made_it() -> None:
    instance = an_instance()
    for manifest in manifests(instance):
        found = manifest["metadata"]["labels"]
        assert found["perigee.dev/instance"] == instance.id
        assert found["app.kubernetes.io/managed-by"] == "perigee"
        assert found["app.kubernetes.io/name"] == "airflow"


def test_every_pod_tells_its_component_and_workers_their_queue() -> None:
    templates = pod_templates(manifests(an_instance()))
    for name, template in templates.items():
        found = template["metadata"]["labels"]
        assert found["perigee.dev/component"] in set(Role)
        assert ("perigee.dev/queue" in found) == name.startswith("airflow-worker-")
    assert templates["airflow-worker-heavy"]["metadata"]["labels"]["perigee.dev/queue"] == "heavy"


def test_the_documents_labels_reach_the_namespace_but_do_not_steer_kubernetes() -> None:
    wanted = {
        "cost-centre": "4711",
        "pod-security.kubernetes.io/enforce": "privileged",
        "pod-security.kubernetes.io/enforce-version": "v1.1",
        "perigee.dev/instance": "another",
        "example.com/owner": "ann",
    }
    namespace = manifests(an_instance(labels=wanted))[0]
    found = namespace["metadata"]["labels"]
    assert namespace["kind"] == "Namespace"
    assert found["cost-centre"] == "4711"
    assert found["example.com/owner"] == "ann"
    assert found["pod-security.kubernetes.io/enforce"] == "restricted"
    assert "pod-security.kubernetes.io/enforce-version" not in found
    assert found["perigee.dev/instance"] == an_instance().id


def test_what_cannot_change_holds_nothing_that_a_document_may_change() -> None:
    before = manifests(an_instance())
    after = manifests(an_instance(name="other", team="other", labels={"a": "b"}, workers=an_instance().workers))
    for old, new in zip(of_kind(before, "StatefulSet"), of_kind(after, "StatefulSet"), strict=True):
        for field in ("selector", "serviceName", "volumeClaimTemplates", "podManagementPolicy"):
            assert old["spec"].get(field) == new["spec"].get(field)


def test_selectors_select_their_own_pods_and_no_others() -> None:
    queues = (WorkerQueue("default", 1, 1, SMALL), WorkerQueue("heavy", 1, 1, SMALL))
    objects = manifests(an_instance(workers=queues))
    templates = pod_templates(objects)
    for workload in of_kind(objects, "Deployment", "StatefulSet"):
        selector = workload["spec"]["selector"]["matchLabels"].items()
        chosen = [name for name, pod in templates.items() if selector <= pod["metadata"]["labels"].items()]
        assert chosen == [workload["metadata"]["name"]]
