"""Options that many commands share, and the decorators that give them to a command as one value."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from agent.model.errors import Misconfigured
from control_plane.commands.access import Access, Connection, by_http


class Output(StrEnum):
    """How an answer is shown."""

    TABLE = "table"
    JSON = "json"


_URL = Annotated[
    str | None,
    typer.Option(
        "--control-plane", envvar="PERIGEE_CONTROL_PLANE", metavar="URL", help="The admin API: https://host:8444."
    ),
]
_TOKEN_FILE = Annotated[
    Path | None,
    typer.Option("--token-file", envvar="PERIGEE_ADMIN_TOKEN_FILE", help="File with the bearer token."),
]
_TOKEN = Annotated[
    str | None,
    # Hidden: what stands on a command line can be read by every process of the machine.
    typer.Option("--token", envvar="PERIGEE_ADMIN_TOKEN", hidden=True),
]
_CA_FILE = Annotated[
    Path | None,
    typer.Option("--ca-file", envvar="PERIGEE_CA_FILE", help="The control plane's ca.crt; without: the system's."),
]
_OUTPUT = Annotated[Output, typer.Option("--output", "-o", help="As a table, or as JSON for programs.")]
_DIRECTORY = Annotated[
    Path | None,
    typer.Option("--directory", help="The control plane's state directory, instead of --control-plane."),
]


_ROOT_KEY = Annotated[
    Path | None,
    typer.Option("--root-key", help="The root role's private key, where it is kept elsewhere; with --directory."),
]
_BY_HTTP: dict[str, Any] = {
    "control_plane": _URL,
    "token_file": _TOKEN_FILE,
    "token": _TOKEN,
    "ca_file": _CA_FILE,
    "output": _OUTPUT,
}
_BOTH_WAYS: dict[str, Any] = {"directory": _DIRECTORY} | _BY_HTTP


@dataclass(frozen=True, slots=True)
class Plane:
    """The control plane that a command is about, and how its answer is shown."""

    connect: Callable[[], AbstractAsyncContextManager[Access]]
    output: Output


def on_a_control_plane(command: Callable[..., None]) -> Callable[..., None]:
    """Give the options of a connection to a command, whose first parameter gets them as a ``Plane``."""
    return _with_options(command, _BY_HTTP)


def on_a_control_plane_or_directory(command: Callable[..., None]) -> Callable[..., None]:
    """The same for a command that may also work on the state directory."""
    return _with_options(command, _BOTH_WAYS)


def with_root_key(command: Callable[..., None]) -> Callable[..., None]:
    """The same for a command that signs a trust bundle, for which the root key may lie elsewhere."""
    return _with_options(command, _BOTH_WAYS | {"root_key": _ROOT_KEY})


def _with_options(command: Callable[..., None], options: dict[str, Any]) -> Callable[..., None]:
    plane, *own = inspect.signature(command, eval_str=True).parameters.values()
    assert plane.annotation is Plane, "the first parameter is the control plane"

    @wraps(command)
    def wrapped(**given: Any) -> None:
        shared = {name: given.pop(name) for name in options}
        command(_plane(shared), **given)

    given_options = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            annotation=kind,
            default=Output.TABLE if name == "output" else None,
        )
        for name, kind in options.items()
    ]
    kept = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in own]
    # typer reads both: what a command takes, and of which type.
    wrapped.__signature__ = inspect.Signature([*kept, *given_options])  # type: ignore[attr-defined]
    wrapped.__annotations__ = {one.name: one.annotation for one in [*kept, *given_options]}
    del wrapped.__wrapped__
    return wrapped


def _plane(given: dict[str, Any]) -> Plane:
    @asynccontextmanager
    async def connect() -> AsyncIterator[Access]:
        directory, root_key = given.get("directory"), given.get("root_key")
        if directory is not None:
            from control_plane.commands.directory import by_directory

            async with by_directory(directory, root_key=root_key) as local:
                yield local
        elif root_key is not None:
            raise Misconfigured("--root-key needs --directory", hint="a private key is never sent to a control plane")
        else:
            async with by_http(await asyncio.to_thread(_connection, given)) as remote:
                yield remote

    return Plane(connect, given["output"])


def _connection(given: dict[str, Any]) -> Connection:
    if given["control_plane"] is None:
        where = "--control-plane URL" + (" or --directory DIR" if "directory" in given else "")
        raise Misconfigured("it is not said which control plane", hint=f"give {where}, or set PERIGEE_CONTROL_PLANE")
    if not given["control_plane"].startswith("https://"):
        raise Misconfigured("--control-plane must begin with https://", hint="the admin API speaks TLS only")
    return Connection(given["control_plane"], _token(given), given["ca_file"])


def _token(given: dict[str, Any]) -> str:
    file: Path | None = given["token_file"]
    if file is None:
        token: str = given["token"] or ""
    else:
        try:
            token = file.read_text(encoding="utf-8")
        except OSError as error:
            raise Misconfigured(f"--token-file {file} cannot be read: {error.strerror}") from None
    if not token.strip():
        raise Misconfigured("there is no bearer token", hint="give --token-file, or set PERIGEE_ADMIN_TOKEN")
    return token.strip()
