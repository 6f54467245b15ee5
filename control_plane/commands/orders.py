"""``perigee instance order`` and ``perigee instance orders``: what is to be done once, and what became of it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from agent.model.errors import Misconfigured
from control_plane.commands.access import Ask
from control_plane.commands.exits import run
from control_plane.commands.instances import Cluster, Which, instance, place_of
from control_plane.commands.options import Output, Plane, on_a_control_plane
from control_plane.commands.periods import seconds
from control_plane.commands.shown import Column, show_json, show_rows

_ORDERS = "/clusters/{cluster}/instances/{instance}/orders"
_LIST = (
    Column("ORDER", "id"),
    Column("KIND", "kind"),
    Column("ARGUMENTS", "args"),
    Column("STATE", "state"),
    Column("REASON", "reason"),
    Column("GIVEN", "createdAt"),
    Column("NOT AFTER", "notAfter"),
    Column("ENDED", "endedAt"),
    Column("BY", "author"),
    Column("MESSAGE", "message"),
)


@instance.command("order")
@on_a_control_plane
def order(  # noqa: PLR0913 - each is an option of the command
    plane: Plane,
    *,
    which: Which,
    kind: Annotated[str, typer.Argument(help="What to do once, such as restart or reconcile.")],
    arg: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="An argument, such as component=scheduler.")
    ] = None,
    ttl: Annotated[str, typer.Option(help="How long it may take until it begins: 10m, 1h, 7d at most.")] = "1h",
    cluster: Cluster = None,
) -> None:
    """Order something once; `perigee instance orders` tells what became of it."""

    async def work() -> dict[str, Any]:
        body = {"kind": kind, "args": dict(map(_argument, arg or ())), "ttlSeconds": seconds(ttl)}
        async with plane.connect() as access:
            return await access.ask(Ask("POST", _ORDERS, await place_of(access, which, cluster=cluster), body=body))

    given = run(work())
    if plane.output is Output.JSON:
        show_json(given)
    else:
        typer.echo(f"{given['id']}: {given['kind']} waits, until {given['notAfter']}")


@instance.command("orders")
@on_a_control_plane
def orders(plane: Plane, *, which: Which, cluster: Cluster = None) -> None:
    """List an instance's orders and what became of them, newest first."""

    async def work() -> dict[str, Any]:
        async with plane.connect() as access:
            return await access.ask(Ask("GET", _ORDERS, await place_of(access, which, cluster=cluster)))

    show_rows(run(work())["orders"], _LIST, output=plane.output)


def _argument(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise Misconfigured(f"--arg {text} is not NAME=VALUE", hint="write it as component=scheduler")
    return name, value
