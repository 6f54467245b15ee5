"""``perigee audit …``: what agents did, out of a control plane into a file, and judged without one."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer

from agent.model.errors import Misconfigured
from agent.wire.audit import Verified
from agent.wire.audit import verify as judge
from control_plane.commands.access import Access, Ask
from control_plane.commands.exits import run
from control_plane.commands.options import Plane, on_a_control_plane_or_directory

audit = typer.Typer(name="audit", help="What agents did, as a chain of records.", no_args_is_help=True)

_PAGE = 500


@audit.command()
@on_a_control_plane_or_directory
def export(plane: Plane, *, cluster: Annotated[str, typer.Option("--cluster", help="Whose agent.")]) -> None:
    """Print a cluster's audit records, one a line, each as its agent wrote it. What did not fit into its chain when it
    came is named on standard error.
    """

    async def work() -> None:
        async with plane.connect() as access:
            async for record in _records(access, cluster):
                typer.echo(record["text"])
                if record["fault"]:
                    typer.echo(f"perigee: record {record['id']}: {record['fault']}", err=True)

    run(work())


@audit.command()
def verify(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Records, one a line, as exported; - is the input.")],
) -> None:
    """Judge a chain of audit records: whether each is as it was written and none is missing. Needs no control plane."""

    async def work() -> Verified:
        with _opened(file) as lines:
            return judge(lines)

    found = run(work())
    told = [f"{found.records} records in {found.chains} chains are as they were written"]
    if found.cut:
        told.append(f"{found.cut} of these chains begin in the middle: what was before is not here")
    if found.dropped:
        told.append(f"{found.dropped} records are missing of which the agent says that it had no room for them")
    typer.echo("\n".join(told))


async def _records(access: Access, cluster: str) -> AsyncIterator[dict[str, Any]]:
    after = 0
    while True:
        query = (("after", str(after)), ("limit", str(_PAGE)))
        page = (await access.ask(Ask("GET", "/clusters/{cluster}/audit", {"cluster": cluster}, query)))["records"]
        for record in page:
            yield record
        if not page:
            return
        after = page[-1]["id"]


@contextmanager
def _opened(file: Path) -> Iterator[BinaryIO]:
    if str(file) == "-":
        yield sys.stdin.buffer
        return
    try:
        with file.open("rb") as lines:
            yield lines
    except OSError as error:
        raise Misconfigured(f"{file} cannot be read: {error.strerror}") from None
