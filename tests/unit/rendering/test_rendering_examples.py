"""The example instances are complete documents that render without a complaint."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from agent.model.instance import Instance
from agent.wire.codec import instance_of
from tests.support.instances import inputs, manifests, of_kind, pod_templates
from tests.support.pod_security import violations

EXAMPLES = sorted((Path(__file__).parents[3] / "config" / "examples").glob("*.yaml"))


def load(path: Path) -> Instance:
    instance, unknown = instance_of(yaml.safe_load(path.read_text()))
    assert unknown == ()
    return instance


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_renders(path: Path) -> None:
    instance = load(path)
    assert instance.name == path.stem
    for template in pod_templates(manifests(instance)).values():
        assert violations(template["spec"]) == []


def test_examples_can_live_in_one_cluster() -> None:
    loaded = [load(path) for path in EXAMPLES]
    assert len(loaded) == len({each.id for each in loaded}) == len({each.namespace for each in loaded})
    assert {str(each.environment) for each in loaded} >= {"dev", "prod"}


def test_the_larger_example_shows_two_queues_and_pull_secrets() -> None:
    instance = load(next(path for path in EXAMPLES if path.stem == "sales-analytics"))
    assert inputs(instance).instance is instance
    workers = [each for each in of_kind(manifests(instance), "StatefulSet") if "worker" in each["metadata"]["name"]]
    assert [each["metadata"]["name"] for each in workers] == ["airflow-worker-default", "airflow-worker-reports"]
    assert instance.airflow.pull_secrets
