"""``perigee instances`` and ``perigee instance …``: what Airflows there shall be, and how they fare."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer

from agent.model.errors import Missing, Refused
from agent.wire.refusals import Reason
from control_plane.commands.access import Access, Ask
from control_plane.commands.documents import read_documents
from control_plane.commands.exits import run
from control_plane.commands.options import Output, Plane, on_a_control_plane
from control_plane.commands.shown import Column, show_json, show_rows

instance = typer.Typer(name="instance", help="Apply, delete and look at one instance.", no_args_is_help=True)

_ONE = "/clusters/{cluster}/instances/{instance}"
Which = Annotated[str, typer.Argument(metavar="INSTANCE", help="Its name or its id.")]
Cluster = Annotated[str | None, typer.Option("--cluster", help="Its cluster, where the name alone is ambiguous.")]
_LIST = (
    Column("CLUSTER", "cluster"),
    Column("NAME", "name"),
    Column("STATE", "state"),
    Column("REVISION", "revision"),
    Column("LISTED", "listed"),
    Column("NAMESPACE", "namespace"),
    Column("ID", "id"),
)
_HISTORY = (
    Column("REVISION", "revision"),
    Column("ACTION", "action"),
    Column("OF", "restored"),
    Column("AUTHOR", "author"),
    Column("AT", "at"),
    Column("DIGEST", "digest"),
)
_CONDITIONS = (
    Column("CONDITION", "type"),
    Column("STATUS", "status"),
    Column("REASON", "reason"),
    Column("SINCE", "since"),
    Column("MESSAGE", "message"),
)
_COMPONENTS = (Column("COMPONENT", "name"), Column("READY", "ready"), Column("DESIRED", "desired"))


@on_a_control_plane
def instances(plane: Plane, *, cluster: Cluster = None) -> None:
    """List instances."""

    async def work() -> dict[str, Any]:
        query = () if cluster is None else (("cluster", cluster),)
        async with plane.connect() as access:
            return await access.ask(Ask("GET", "/instances", query=query))

    show_rows(run(work())["instances"], _LIST, output=plane.output)


@instance.command()
@on_a_control_plane
def apply(
    plane: Plane,
    *,
    file: Annotated[Path, typer.Option("--file", "-f", help="YAML or JSON, one or more documents; - is stdin.")],
    cluster: Annotated[str, typer.Option("--cluster", help="The cluster where it shall run.")],
    if_revision: Annotated[int | None, typer.Option(help="Only if the instance is at this revision.")] = None,
) -> None:
    """Make documents the next revision of their instances."""
    published: list[dict[str, Any]] = []

    async def work() -> None:
        documents = await asyncio.to_thread(read_documents, file)
        identities = [_identity(document) for document in documents]
        async with plane.connect() as access:
            for found, document in zip(identities, documents, strict=True):
                place = {"cluster": cluster, "instance": found}
                published.append(await access.ask(Ask("PUT", _ONE, place, (), document, if_revision)))

    try:
        run(work())
    finally:  # what was applied before one was refused is applied
        _show_published(published, output=plane.output)


@instance.command()
@on_a_control_plane
def delete(
    plane: Plane,
    *,
    which: Which,
    cluster: Cluster = None,
    retain: Annotated[
        list[str] | None,
        typer.Option(help="What outlives it: database, volumes, logs, keys, or none. Default: everything."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete an instance by a signed tombstone; its data stays unless --retain says otherwise."""
    kept = "nothing" if retain == ["none"] else ", ".join(retain) if retain else "all its data"
    if not yes:
        typer.confirm(f"Delete {which}, retaining {kept}?", abort=True)

    async def work() -> list[dict[str, Any]]:
        async with plane.connect() as access:
            path = await place_of(access, which, cluster=cluster)
            query = tuple(("retain", thing) for thing in retain or ())
            return [await access.ask(Ask("DELETE", _ONE, path, query))]

    _show_published(run(work()), output=plane.output)


@instance.command()
@on_a_control_plane
def rollback(
    plane: Plane,
    *,
    which: Which,
    revision: Annotated[int, typer.Option("--to", help="The revision whose document comes back.")],
    cluster: Cluster = None,
) -> None:
    """Bring an older revision back, as a new one."""

    async def work() -> list[dict[str, Any]]:
        async with plane.connect() as access:
            path = await place_of(access, which, cluster=cluster)
            return [await access.ask(Ask("POST", f"{_ONE}/rollback", path, body={"revision": revision}))]

    _show_published(run(work()), output=plane.output)


@instance.command()
@on_a_control_plane
def unlist(plane: Plane, *, which: Which, cluster: Cluster = None) -> None:
    """Stop managing an instance without deleting it."""

    async def work() -> list[dict[str, Any]]:
        async with plane.connect() as access:
            return [await access.ask(Ask("POST", f"{_ONE}/unlist", await place_of(access, which, cluster=cluster)))]

    _show_published(run(work()), output=plane.output)


@instance.command()
@on_a_control_plane
def history(plane: Plane, *, which: Which, cluster: Cluster = None) -> None:
    """List an instance's revisions, newest first."""

    async def work() -> dict[str, Any]:
        async with plane.connect() as access:
            return await access.ask(Ask("GET", f"{_ONE}/history", await place_of(access, which, cluster=cluster)))

    show_rows(run(work())["revisions"], _HISTORY, output=plane.output)


@instance.command()
@on_a_control_plane
def status(plane: Plane, *, which: Which, cluster: Cluster = None) -> None:
    """Tell how an instance fares."""

    async def work() -> dict[str, Any]:
        async with plane.connect() as access:
            return await access.ask(Ask("GET", f"{_ONE}/status", await place_of(access, which, cluster=cluster)))

    found = run(work())
    if plane.output is Output.JSON:
        show_json(found)
        return
    told, row = found.get("status"), found["instance"]
    applied = "applied" if found["applied"] else "not applied yet"
    typer.echo(f"{row['name']} in {row['cluster']}: revision {row['revision']}, {applied}")
    if told is None:
        typer.echo("its agent has not told anything about it yet")
        return
    typer.echo(f"told at {found['receivedAt']}")
    show_rows(told["conditions"], _CONDITIONS, output=plane.output)
    show_rows(told["components"], _COMPONENTS, output=plane.output)


def _show_published(answers: list[dict[str, Any]], *, output: Output) -> None:
    if output is Output.JSON:
        show_json(answers)
        return
    for answer in answers:
        row = answer["instance"]
        what = f"revision {row['revision']}" if answer["changed"] else f"unchanged at revision {row['revision']}"
        typer.echo(f"{row['name']} in {row['cluster']}: {what} ({row['state']})")
        for unknown in answer["unknownFields"]:
            typer.echo(f"  warning: {unknown} is not known to this control plane", err=True)


def _identity(document: dict[str, Any]) -> str:
    metadata = document.get("metadata")
    found = metadata.get("id") if isinstance(metadata, dict) else None
    if not isinstance(found, str):
        raise Refused("is missing", path="metadata.id", reason=Reason.MALFORMED, hint="make one, as with uuidgen")
    return found


async def place_of(access: Access, which: str, *, cluster: str | None) -> dict[str, str]:
    """Where the instance of that id or name is. A name may be that of a deleted instance and of a living one."""
    query = () if cluster is None else (("cluster", cluster),)
    rows = (await access.ask(Ask("GET", "/instances", query=query)))["instances"]
    found = [row for row in rows if row["id"] == which] or [row for row in rows if row["name"] == which]
    found = [row for row in found if row["state"] != "deleted"] or found
    if not found:
        raise Missing(f"there is no instance {which}", hint="`perigee instances` lists what there is")
    if len(found) > 1:
        places = ", ".join(f"{row['id']} in {row['cluster']}" for row in found)
        raise Missing(f"{which} is not one instance but {len(found)}: {places}", hint="name it by its id")
    return {"cluster": found[0]["cluster"], "instance": found[0]["id"]}
