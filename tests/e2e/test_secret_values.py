"""Secret values all the way: sealed by the command, published, opened in the cluster, and in the pods by reference."""

from __future__ import annotations

import asyncio
import base64
import json
import uuid

from agent.cluster.client import MERGE, Request
from agent.model.errors import Missing
from tests.support.journey import Journey, condition, ready
from tests.support.kube import Json
from tests.support.process import Answer, run_perigee

TEMPLATES = {"deployments": 4, "statefulsets": 1}


CHECKSUM = "perigee.dev/secrets-checksum"


async def sealed(path: Journey, instance_id: str, variable: str, value: str, *more: str) -> Answer:
    """What ``perigee seal`` makes of it, asking this journey's control plane."""
    token = path.directory / "admin-token"
    await asyncio.to_thread(token.write_text, await path.plane.admin_token())
    field = f"spec.airflow.secretEnv.{variable}"
    options = ("--cluster", path.name, "--instance", instance_id, "--path", field, "--output", "json")
    plane = ("--control-plane", path.plane.admin_url, "--token-file", str(token), "--ca-file", str(path.plane.ca_file))
    return await run_perigee("seal", *options, *plane, *more, typed=value)


async def airflow_templates(path: Journey, namespace: str) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for kind in TEMPLATES:
        objects = await path.objects(f"/apis/apps/v1/namespaces/{namespace}/{kind}")
        found |= {name: dict(item["spec"]["template"]) for name, item in objects.items()}
    return {name: one for name, one in found.items() if name not in {"airflow-database", "airflow-broker"}}


async def values(path: Journey, namespace: str, secret: str) -> dict[str, str]:
    live = await path.client.send(Request("get", "GET", f"/api/v1/namespaces/{namespace}/secrets/{secret}"))
    return {key: base64.b64decode(value).decode() for key, value in live["data"].items()}


async def open_secret(path: Journey, namespace: str, value: str) -> None:
    """Somebody keeps a Secret in the instance's namespace, open to any instance."""
    labels = {"perigee.dev/allow-instances": "any"}
    manifest = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "warehouse", "labels": labels}}
    body = {**manifest, "stringData": {"url": value}}
    collection = f"/api/v1/namespaces/{namespace}/secrets"
    try:
        await path.client.send(
            Request("patch", "PATCH", f"{collection}/warehouse", body=body, content_type=MERGE),
        )
    except Missing:
        await path.client.send(Request("create", "POST", collection, body=body))


def shown_by_reference(templates: dict[str, Json]) -> None:
    """Every Airflow container has each variable, and no template has a value."""
    places = {"SMTP_PASSWORD": "airflow-secrets", "WAREHOUSE": "airflow-secrets", "WEBHOOK": "airflow-keys"}
    assert len(templates) == sum(TEMPLATES.values())
    for template in templates.values():
        (container,) = template["spec"]["containers"]
        found = {one["name"]: one.get("valueFrom") for one in container["env"] if one["name"] in places}
        assert found == {
            name: {"secretKeyRef": {"name": secret, "key": f"airflow.secretEnv.{name}"}}
            for name, secret in places.items()
        }


def all_rolled(before: dict[str, Json], after: dict[str, Json]) -> None:
    """No workload keeps the pods that have the value of before."""
    sums = [
        {name: one["metadata"]["annotations"][CHECKSUM] for name, one in found.items()} for found in (before, after)
    ]
    assert not sums[0].items() & sums[1].items()


async def test_sealed_and_referred_values_reach_the_pods_by_reference(path: Journey) -> None:
    instance_id = str(uuid.uuid4())
    namespace = f"af-{instance_id[:8]}"
    async with path.agent():
        await path.publish(instance_id)
        await path.told(instance_id, ready)
        made = await sealed(path, instance_id, "SMTP_PASSWORD", "a sealed value\n")
        assert made.code == 0, made.err
        text = json.loads(made.out)["sealed"]
        secret_env = {
            "SMTP_PASSWORD": {"sealed": text},
            "WAREHOUSE": {"secretRef": {"name": "warehouse", "key": "url"}},
            "WEBHOOK": {"generate": {}},
        }
        airflow = {"version": "3.3.2", "secretEnv": secret_env}
        revision = await path.publish(instance_id, airflow=airflow)
        waiting = await path.told(
            instance_id, lambda told: condition(told, "SecretsResolved").reason == "SecretMissing"
        )
        assert condition(waiting, "SecretsResolved").message.startswith("spec.airflow.secretEnv.WAREHOUSE: ")
        assert condition(waiting, "Ready").reason == "WaitingForSecrets"

        await open_secret(path, namespace, "a referred value")
        await path.told(instance_id, lambda told: told.revision == revision and ready(told))
        templates = await airflow_templates(path, namespace)
        shown_by_reference(templates)
        assert await values(path, namespace, "airflow-secrets") == {
            "airflow.secretEnv.SMTP_PASSWORD": "a sealed value",
            "airflow.secretEnv.WAREHOUSE": "a referred value",
        }

        await open_secret(path, namespace, "another value")
        revision = await path.publish(instance_id, airflow=airflow, team="another")
        await path.told(instance_id, lambda told: told.revision == revision and ready(told))
        assert "another value" in (await values(path, namespace, "airflow-secrets")).values()
        all_rolled(templates, await airflow_templates(path, namespace))


async def test_another_key_than_the_pinned_one_is_refused(path: Journey) -> None:
    async with path.agent():
        instance_id = str(uuid.uuid4())
        await path.publish(instance_id)
        await path.told(instance_id, ready)
        ended = await sealed(path, instance_id, "A", "s3cret", "--fingerprint", f"sha256:{'0' * 64}")
    assert (ended.code, ended.out) == (6, "")
    assert "s3cret" not in ended.err
