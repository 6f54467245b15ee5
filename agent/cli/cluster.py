"""The commands on a cluster: ``status``, ``diff`` and ``explain``. They look, and never write.

Here: their options, and from what was found to an exit code. Not here: looking (inspection), how it reads (the modules
beside this one).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sized
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from agent.cli.files import documents
from agent.model.errors import Misconfigured, NotAuthorised, Refused, Retryable, Terminal, Unreachable
from agent.settings import DEFAULT_FILE, ReconcileSettings, effective

if TYPE_CHECKING:  # at run time only where they are used: the daemon starts without them
    from agent.inspection.comparison import Given
    from agent.inspection.kept import Kept
    from agent.inspection.sight import Sight, Target

OK = 0
DIFFERS = 1
USAGE = 2
REFUSED = 6

commands = typer.Typer()
T = TypeVar("T")


class Output(StrEnum):
    """How an answer is written."""

    TABLE = "table"
    JSON = "json"


_One = Annotated[str, typer.Argument(metavar="[NAME|ID]", help="One instance. Without: all of them.")]
_Which = Annotated[str, typer.Argument(metavar="NAME|ID", help="The instance.")]
_Object = Annotated[
    str, typer.Argument(metavar="[KIND/NAME]", help="One of its objects, as in Deployment/airflow-web.")
]
_Kubeconfig = Annotated[
    Path | None,
    typer.Option(
        "--kubeconfig",
        envvar=["PERIGEE_CLUSTER__KUBECONFIG", "KUBECONFIG"],
        metavar="FILE",
        help="How to reach the cluster. Without: as the settings say; else ~/.kube/config, or the pod's own account.",
    ),
]
_Namespace = Annotated[
    str,
    typer.Option("--namespace", "-n", envvar="PERIGEE_CLUSTER__NAMESPACE", help="The agent's own namespace."),
]
_Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        envvar="PERIGEE_CONFIG",
        metavar="FILE",
        help="The agent's settings, for all of this at once. Without: /etc/perigee/agent.yaml, if there is one.",
    ),
]
_Form = Annotated[Output, typer.Option("--output", "-o", help="For people, or for programs.")]
_NAMESPACE = "perigee-system"


@commands.command()
def status(  # noqa: PLR0913 - each is an option that a person types
    context: typer.Context,
    *,
    which: _One = "",
    kubeconfig: _Kubeconfig = None,
    namespace: _Namespace = _NAMESPACE,
    config: _Config = None,
    output: _Form = Output.TABLE,
) -> None:
    """Show how the instances of a cluster fare, as its agent would judge them. Only looks."""
    from agent.cli import forms, standings
    from agent.cli.console import console, told
    from agent.inspection.fleet import fleet

    target = _target(context, kubeconfig, namespace, config)
    looked, now = _answer(_looking(target, lambda sight: fleet(sight, which)))
    if output is Output.JSON:
        told(forms.of_fleet(looked, now))
    else:
        standings.show(looked, now, console(), closely=bool(which))
    raise typer.Exit(_disbelief(looked.kept, [one for one in looked.found if one.refusal is not None]))


@commands.command()
def diff(  # noqa: PLR0913 - as above
    context: typer.Context,
    *,
    which: _One = "",
    file: Annotated[
        Path | None,
        typer.Option("--file", "-f", metavar="FILE", help="Compare with this document instead; - is stdin."),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Compare who owns what, without trying each apply.")] = False,
    kubeconfig: _Kubeconfig = None,
    namespace: _Namespace = _NAMESPACE,
    config: _Config = None,
    output: _Form = Output.TABLE,
) -> None:
    """Show what the agent would change now, object by object. Exit code 1: something differs. Only looks."""
    from agent.cli import differences, forms
    from agent.cli.console import console, told
    from agent.inspection.comparison import comparison

    given = [] if file is None else _given(file)
    target = _target(context, kubeconfig, namespace, config)
    compared, _ = _answer(_looking(target, lambda sight: comparison(sight, which, given, quick=quick)))
    if output is Output.JSON:
        told(forms.of_comparison(compared))
    else:
        differences.show(compared, console())
    errors = [error for one in compared.proposals for error in one.errors]
    differing = any(one.changes for one in compared.proposals) or errors or compared.damages
    believed = not given and _disbelief(compared.records.kept, compared.refusals)
    refused = believed or any(isinstance(error, Refused) for error in errors)
    raise typer.Exit(REFUSED if refused else DIFFERS if differing else OK)


@commands.command()
def explain(  # noqa: PLR0913 - as above
    context: typer.Context,
    *,
    which: _Which,
    named: _Object = "",
    kubeconfig: _Kubeconfig = None,
    namespace: _Namespace = _NAMESPACE,
    config: _Config = None,
    output: _Form = Output.TABLE,
) -> None:
    """Show why an instance is as it is: what it waits for, who holds what, what was done to it. Only looks."""
    from agent.cli import forms, stories
    from agent.cli.console import console, told
    from agent.inspection.explanation import account, explanation

    async def work(sight: Sight) -> Any:
        explained = await explanation(sight, which)
        return explained, await account(sight, explained, named) if named else None

    (explained, one), now = _answer(_looking(_target(context, kubeconfig, namespace, config), work))
    if output is Output.JSON:
        told(forms.of_account(one) if one is not None else forms.of_explanation(explained, now))
    elif one is not None:
        stories.show_object(one, console())
    else:
        stories.show(explained, now, console())
    raise typer.Exit(_disbelief(explained.fleet.kept, [explained.found.refusal] if explained.found.refusal else []))


def _target(context: typer.Context, kubeconfig: Path | None, namespace: str, config: Path | None) -> Target:
    """Which agent is meant: what stands on the command line counts before the settings, and those before the rest."""
    from agent.inspection.sight import Target

    if config is None and not DEFAULT_FILE.is_file():
        return Target(kubeconfig or _usual(), namespace, ReconcileSettings().prune_limit)
    settings = effective(config).settings
    told = {name for name in context.params if _is_typed(context, name)}
    return Target(
        kubeconfig if "kubeconfig" in told else settings.cluster.kubeconfig,
        namespace if "namespace" in told else settings.cluster.namespace,
        settings.reconcile.prune_limit,
        settings.cluster.name,
        settings.uplink.root_fingerprint,
        settings.cluster.service_account,
        settings.cluster.namespaces,
    )


def _is_typed(context: typer.Context, name: str) -> bool:
    """Whether an option stands on the command line, and not only in a variable or nowhere."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _usual() -> Path | None:
    """Where kubectl looks, if something is there."""
    usual = Path.home() / ".kube" / "config"
    return usual if usual.is_file() else None


def _given(file: Path) -> list[Given]:
    from agent.inspection.comparison import Given
    from agent.wire.codec import instance_of

    given = []
    for document in documents(file):
        try:
            given.append(Given(*instance_of(document)))
        except Refused as refused:
            raise Refused(f"{file}: {refused}", reason=refused.reason, hint=refused.hint) from None
    return given


async def _looking(target: Target, work: Callable[[Sight], Awaitable[T]]) -> tuple[T, datetime]:
    """The answer, and when it was given."""
    from agent import wiring

    async with wiring.inspecting(target) as sight:
        return await work(sight), sight.clock.now()


def _answer(work: Coroutine[Any, Any, T]) -> T:
    """Run it. Every failure has a code of its own: 1 must not mean that something differs or that nobody knows."""
    from agent.inspection.fleet import UnknownName

    try:
        return asyncio.run(work)
    except UnknownName as unknown:
        typer.echo(f"perigee: {unknown.explain().rstrip('.')}.", err=True)
        raise typer.Exit(USAGE) from None
    except (Misconfigured, NotAuthorised, Refused, Unreachable):
        raise
    except Retryable as error:
        raise Unreachable(
            str(error), hint=error.hint or "the API server did not answer as it should: try again"
        ) from None
    except Terminal as error:
        raise Misconfigured(str(error), hint=error.hint) from None


def _disbelief(kept: Kept, refusals: Sized) -> int:
    """The exit code of an answer: what does not verify is no success, though the rest was shown."""
    return REFUSED if kept.problem is not None or len(refusals) else OK
