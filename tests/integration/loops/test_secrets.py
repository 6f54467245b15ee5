"""Secret values of a document on their way to the pods: from labelled Secrets, sealed, and made in the cluster."""

from __future__ import annotations

import base64
import uuid
from typing import Any

import pytest

from agent.cluster.observe import Observation
from agent.cluster.places import Places
from agent.cluster.secrets import SecretShelf
from agent.cluster.values import ResolvedSecrets
from agent.cluster.verbs import ClusterVerbs
from agent.loops.progress import Look
from agent.model.desired import Document
from agent.model.instance import SecretRef
from agent.model.secrets import SecretWant
from agent.ports import KeyPlace
from agent.wire.sealing import SealedFor, seal
from tests.integration.loops.lives import World, renamed
from tests.integration.loops.strangers import SCHEDULER, create, edit, live, names
from tests.support.engine import CLUSTER, OPENING, SEALING
from tests.support.kube import Json

SECRETS = "secrets/airflow-secrets"
KEYS = "secrets/airflow-keys"
PATH = "spec.airflow.secretEnv.TOKEN"
CLOSER = Look(secrets=True)


def referring(world: World, value: Json, revision: int = 1, **spec: Any) -> Document:
    return world.document(revision, airflow={"version": "3.3.2", "secretEnv": {"TOKEN": value}}, **spec)


def ref(name: str = "theirs", key: str = "token", **more: str) -> Json:
    return {"secretRef": {"name": name, "key": key, **more}}


def sealed(world: World, value: str = "s3cret", *, path: str = PATH, cluster: str = CLUSTER) -> Json:
    public = SEALING.public_key().public_bytes_raw()
    return {"sealed": seal(value.encode(), public, SealedFor(cluster, world.id, path))}


def a_secret(value: str = "s3cret", *, opened: str = "any", **labels: str) -> Json:
    opening = {"perigee.dev/allow-instances": opened} if opened else {}
    metadata: Json = {"name": "theirs", "labels": {**opening, **labels}}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"token": value}}


async def home(world: World) -> None:
    metadata = {"name": world.home, "labels": {"perigee.dev/instance": world.id}}
    await world.send(
        "create",
        "POST",
        "/api/v1/namespaces",
        body={"apiVersion": "v1", "kind": "Namespace", "metadata": metadata},
    )


async def value(world: World, secret: str = SECRETS, entry: str = "airflow.secretEnv.TOKEN") -> str | None:
    data: dict[str, str] = (await live(world, secret)).get("data") or {}
    return base64.b64decode(data[entry]).decode() if entry in data else None


async def template(world: World) -> Json:
    found: Json = (await live(world, SCHEDULER))["spec"]["template"]
    return found


def variable(template: Json) -> Json | None:
    (container,) = template["spec"]["containers"]
    return next((one for one in container["env"] if one["name"] == "TOKEN"), None)


def checksum(template: Json) -> str | None:
    annotations: dict[str, str] = template["metadata"]["annotations"]
    return annotations.get("perigee.dev/secrets-checksum")


@pytest.mark.parametrize("opened", ["any", "id", "further"])
async def test_a_value_of_a_labelled_secret_reaches_the_pods_by_reference(world: World, opened: str) -> None:
    await home(world)
    labels = {"perigee.dev/allow-instances.2": world.id} if opened == "further" else {}
    by_label = {"any": "any", "id": world.id, "further": str(uuid.uuid4())}[opened]
    await create(world, a_secret(opened=by_label, **labels), "secrets")
    document = referring(world, ref())
    async with world.living(document) as life:
        await life.settles(document)
        written = len(life.client.writes)
        await life.looks(world.id, CLOSER)
        assert life.client.writes[written:] == [], "what is there is not written again"
    assert variable(await template(world)) == {
        "name": "TOKEN",
        "valueFrom": {"secretKeyRef": {"name": "airflow-secrets", "key": "airflow.secretEnv.TOKEN"}},
    }
    assert await value(world) == "s3cret"


async def test_a_restart_looks_and_writes_nothing(world: World) -> None:
    await home(world)
    await create(world, a_secret(), "secrets")
    document = referring(world, ref())
    async with world.living(document) as life:
        await life.settles(document)
    async with world.living(document) as life:
        await life.settles(document)
        await life.looks(world.id, Look(survey=True, compare=True))
        assert life.client.writes == []


async def test_a_changed_value_rolls_the_pods_and_an_unchanged_one_does_not(world: World) -> None:
    await home(world)
    await create(world, a_secret(), "secrets")
    document = referring(world, ref())
    async with world.living(document) as life:
        await life.settles(document)
        before = checksum(await template(world))
        await edit(world, "secrets/theirs", {"stringData": {"other": "x"}}, manager="kubectl")
        await life.looks(world.id, CLOSER)
        assert checksum(await template(world)) == before
        await edit(world, "secrets/theirs", {"stringData": {"token": "another"}}, manager="kubectl")
        await life.looks(world.id, CLOSER)
        await life.settles(document)
    assert await value(world) == "another"
    assert checksum(await template(world)) not in {None, before}


@pytest.mark.parametrize(
    ("secret", "value", "reason"),
    [
        (None, ref(), "SecretMissing"),
        (a_secret(), ref(key="other"), "SecretKeyMissing"),
        (a_secret(opened=""), ref(), "SecretNotAllowed"),
        (a_secret(opened=str(uuid.uuid4())), ref(), "SecretNotAllowed"),
        (a_secret(**{"app.kubernetes.io/managed-by": "perigee"}), ref(), "SecretProtected"),
        (a_secret(), ref(name="airflow-keys", key="fernet-key"), "SecretProtected"),
        (a_secret(), ref(namespace="default"), "SecretNotAllowed"),
        (a_secret("a\0b"), ref(), "SecretUnusable"),
    ],
    ids=["missing", "no key", "closed", "another's", "ours", "keys", "namespace", "nul"],
)
async def test_what_cannot_be_had_is_told_with_its_path_and_holds_up_only_what_wants_it(
    world: World, secret: Json | None, value: Json, reason: str
) -> None:
    await home(world)
    if secret is not None:
        await create(world, secret, "secrets")
    async with world.living(referring(world, value)) as life:
        found = await life.shows(world.id, "SecretsResolved", reason)
        assert found.message.startswith(f"{PATH}: ")
        assert "s3cret" not in found.message
        ready = await life.shows(world.id, "Ready", "WaitingForSecrets")
        assert ready.message == f"there is no value yet of {PATH}"
    assert await names(world, "statefulsets") == {"airflow-database", "airflow-broker"}, "what does not want it goes on"


async def test_the_agent_s_own_namespace_is_no_source(world: World) -> None:
    async with world.living(referring(world, ref(namespace=world.namespace))) as life:
        await life.shows(world.id, "SecretsResolved", "SecretProtected")


@pytest.mark.parametrize("shared", [True, False])
async def test_another_namespace_is_a_source_only_where_the_settings_share_it(world: World, shared: bool) -> None:
    other = renamed(world)
    await home(other)
    await create(other, a_secret(opened=world.id), "secrets")
    shelf = SecretShelf(world.client, world.namespace)
    places = Places(world.client, ClusterVerbs(world.client, Observation()))
    values = ResolvedSecrets(shelf, places, OPENING, shared=[other.home] if shared else [])
    place = KeyPlace(world.id, world.home, "airflow-secrets", {})
    want = SecretWant(PATH, SecretRef("theirs", "token", other.home))
    found = await values.find(place, [want], known={})
    assert found.values == ({PATH: b"s3cret"} if shared else {})
    assert [problem.reason for problem in found.problems.values()] == ([] if shared else ["SecretNotAllowed"])
    assert "s3cret" not in repr(found)


async def test_what_comes_later_lets_the_instance_go_on(world: World) -> None:
    document = referring(world, ref())
    async with world.living(document) as life:
        await life.shows(world.id, "SecretsResolved", "SecretMissing")
        await create(world, a_secret(), "secrets")
        await life.settles(document)
        await life.shows(world.id, "SecretsResolved", "NoneMissing")
    assert await value(world) == "s3cret"


async def test_the_last_value_stays_while_its_source_is_away(world: World) -> None:
    await home(world)
    await create(world, a_secret(), "secrets")
    document = referring(world, ref())
    async with world.living(document) as life:
        await life.settles(document)
        before = await template(world)
        await world.send("delete", "DELETE", f"/api/v1/namespaces/{world.home}/secrets/theirs")
        await life.looks(world.id, CLOSER)
        await life.shows(world.id, "SecretsResolved", "SecretMissing")
        ready = life.condition(world.id, "Ready")
        assert ready is not None
        assert ready.reason == "AllComponentsReady"
        more = referring(world, ref(), 2, components={"apiServer": {"replicas": 2}})
        life.want(more)
        await life.shows(world.id, "Ready", "AllComponentsReady")
    assert await template(world) == before
    assert await value(world) == "s3cret"


async def test_another_source_that_is_missing_does_not_go_on_with_the_value_of_the_one_before(world: World) -> None:
    await home(world)
    await create(world, a_secret(), "secrets")
    document = referring(world, ref())
    async with world.living(document) as life:
        await life.settles(document)
        life.want(referring(world, ref("nowhere"), 2))
        await life.shows(world.id, "Ready", "WaitingForSecrets")
    assert await value(world) == "s3cret", "pods that run keep what they have"


async def test_who_edits_our_copy_is_overruled(world: World) -> None:
    await home(world)
    await create(world, a_secret(), "secrets")
    document = referring(world, ref())
    async with world.living(document) as life:
        await life.settles(document)
        theirs = {"data": {"airflow.secretEnv.TOKEN": base64.b64encode(b"mine").decode()}}
        await edit(world, SECRETS, theirs)
        await life.looks(world.id, Look(survey=True))
    assert await value(world) == "s3cret"


async def test_a_secret_of_somebody_else_under_our_name_is_left_alone(world: World) -> None:
    await home(world)
    await create(world, a_secret(), "secrets")
    theirs = await create(
        world, {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "airflow-secrets"}}, "secrets"
    )
    async with world.living(referring(world, ref())) as life:
        await life.shows(world.id, "Stalled", "ObjectRefused")
    assert await live(world, SECRETS) == theirs


async def test_a_sealed_value_is_opened_in_the_cluster(world: World) -> None:
    document = referring(world, sealed(world))
    async with world.living(document) as life:
        await life.settles(document)
        before = checksum(await template(world))
        again = referring(world, sealed(world), 2)
        life.want(again)
        await life.settles(again)
    assert await value(world) == "s3cret"
    assert checksum(await template(world)) == before, "sealed anew, it is the same value"


async def test_a_value_sealed_for_another_field_does_not_open(world: World) -> None:
    elsewhere = sealed(world, path="spec.airflow.secretEnv.OTHER")
    async with world.living(referring(world, elsewhere)) as life:
        found = await life.shows(world.id, "SecretsResolved", "SealedForAnotherPlace")
    assert found.message.startswith(f"{PATH}: ")


async def test_a_generated_value_is_made_once_and_restored(world: World) -> None:
    document = referring(world, {"generate": {"length": 40}})
    async with world.living(document) as life:
        await life.settles(document)
        made = await value(world, KEYS)
        assert made is not None
        assert len(made) == 40
        await world.send("delete", "DELETE", f"/api/v1/namespaces/{world.home}/{KEYS}")
        await life.looks(world.id, Look(survey=True))
    assert await value(world, KEYS) == made
    assert variable(await template(world)) == {
        "name": "TOKEN",
        "valueFrom": {"secretKeyRef": {"name": "airflow-keys", "key": "airflow.secretEnv.TOKEN"}},
    }


async def test_values_that_are_no_longer_wanted_go(world: World) -> None:
    await home(world)
    await create(world, a_secret(), "secrets")
    document = referring(world, ref())
    plain = world.document(2)
    async with world.living(document) as life:
        await life.settles(document)
        life.want(plain)
        await life.settles(plain)
        inventory = await world.inventory()
    assert inventory is not None
    assert inventory.secrets == {}
    assert "airflow-secrets" not in await names(world, "secrets")
    assert variable(await template(world)) is None


async def test_a_sleeper_sleeps_also_without_its_values(world: World) -> None:
    await home(world)
    await create(world, a_secret(), "secrets")
    document = referring(world, ref())
    async with world.living(document) as life:
        await life.settles(document)
        life.want(referring(world, ref("nowhere"), 2, state="hibernated"))
        await life.shows(world.id, "Ready", "Hibernated")
        await life.shows(world.id, "SecretsResolved", "SecretMissing")
        await life.looks(world.id)
    assert (await live(world, SCHEDULER))["spec"]["replicas"] == 0


@pytest.mark.parametrize("after", range(1, 12))
async def test_a_death_at_any_write_leaves_nothing_that_is_believed_wrongly(world: World, after: int) -> None:
    await home(world)
    await create(world, a_secret(), "secrets")
    document = referring(world, ref())
    async with world.living(document) as life:
        await life.settles(document)
    await edit(world, "secrets/theirs", {"stringData": {"token": "another"}}, manager="kubectl")
    async with world.living(document, dies_after=after):
        pass
    async with world.living(document) as life:
        await life.settles(document)
        await life.looks(world.id, CLOSER)
    assert await value(world) == "another"
