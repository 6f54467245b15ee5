"""How a command ends: which exit code, and one line on standard error that says what happened and what to do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from enum import IntEnum
from typing import Any, TypeVar

import typer

from agent.model.errors import AgentError, Misconfigured, NotAuthorised, Refused, Unreachable
from control_plane.commands.access import Access, Ask
from control_plane.faults import Fault

T = TypeVar("T")


class Exit(IntEnum):
    """The exit codes of every ``perigee`` command."""

    OK = 0
    FAILED = 1
    USAGE = 2
    CONFIGURATION = 3
    NOT_AUTHORISED = 4
    UNREACHABLE = 5
    REFUSED = 6


_OF_STATUS = {
    400: Exit.REFUSED,
    401: Exit.NOT_AUTHORISED,
    403: Exit.NOT_AUTHORISED,
    409: Exit.REFUSED,
    412: Exit.REFUSED,
    413: Exit.REFUSED,
    422: Exit.REFUSED,
    503: Exit.CONFIGURATION,
}
_OF_KIND: tuple[tuple[type[AgentError], Exit], ...] = (
    (Misconfigured, Exit.CONFIGURATION),
    (NotAuthorised, Exit.NOT_AUTHORISED),
    (Unreachable, Exit.UNREACHABLE),
    (Refused, Exit.REFUSED),
)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's work; whatever can be explained ends the program with its code and one line of explanation."""
    try:
        return asyncio.run(work)
    except Fault as fault:
        raise ended(_OF_STATUS.get(fault.status, Exit.FAILED), _told(fault), fault.hint) from None
    except AgentError as error:
        code = next((code for kind, code in _OF_KIND if isinstance(error, kind)), Exit.FAILED)
        raise ended(code, str(error), error.hint) from None
    except ModuleNotFoundError as error:
        raise ended(
            Exit.CONFIGURATION, f"{error.name} is not installed", "install perigee-agent[control-plane]"
        ) from None
    except OSError as error:
        raise ended(Exit.CONFIGURATION, str(error)) from None


def ask(connect: Callable[[], AbstractAsyncContextManager[Access]], call: Ask) -> dict[str, Any]:
    """The answer to one call of the admin API, as ``run`` runs it."""

    async def work() -> dict[str, Any]:
        async with connect() as access:
            return await access.ask(call)

    return run(work())


def ended(code: Exit, message: str, hint: str = "") -> typer.Exit:
    """Say it on standard error, and the exception that ends the program with that code."""
    explained = f"{message}. {hint}" if hint else message
    typer.echo(f"perigee: {explained}.", err=True)
    return typer.Exit(int(code))


def _told(fault: Fault) -> str:
    return f"{fault.path}: {fault.message}" if fault.path else fault.message
