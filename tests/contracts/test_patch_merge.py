"""Merge patches (RFC 7386), and what the server makes of the result."""

from tests.support.objects import MERGE_PATCH, Objects, but, config_map, container, deployment


async def test_a_merge_patch_sets_and_removes(objects: Objects) -> None:
    await objects.create(config_map(a="1", b="1"), "carl")
    stored = await objects.patch(config_map(), {"data": {"a": None, "c": "1", "d": None}}, "pete", form=MERGE_PATCH)
    assert stored["data"] == {"b": "1", "c": "1"}


async def test_a_merge_patch_replaces_lists_whole(objects: Objects) -> None:
    document = deployment()
    container(document)["env"] = [{"name": "A", "value": "1"}]
    await objects.create(document, "carl")
    whole = {"name": "web", "image": "web:2"}
    patch = {"spec": {"template": {"spec": {"containers": [whole]}}}}
    stored = await objects.patch(document, patch, "pete", form=MERGE_PATCH)
    assert container(stored)["image"] == "web:2"
    assert "env" not in container(stored)


async def test_a_map_takes_the_place_of_what_is_none(objects: Objects) -> None:
    await objects.create(config_map(), "carl")
    patch = {"metadata": {"labels": {"a": "1", "b": None}}}
    stored = await objects.patch(config_map(), patch, "pete", form=MERGE_PATCH)
    assert stored["metadata"]["labels"] == {"a": "1"}


async def test_a_patch_that_changes_nothing_writes_nothing(objects: Objects) -> None:
    labelled = but(config_map(a="1"), "metadata", "labels", value={"a": "1"})
    stored = await objects.create(labelled, "carl")
    assert await objects.patch(config_map(), {"data": {"a": "1"}}, "pete", form=MERGE_PATCH) == stored
