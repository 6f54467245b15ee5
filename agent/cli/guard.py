"""The command ``guard test``: what a customer's rules would refuse of a document, without a cluster.

Here: its options, reading the two files, and the exit code. Not here: rendering, and judging by the rules (planning).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent.cli.cluster import Output
from agent.cli.files import content, documents
from agent.model.errors import Misconfigured, Refused

if TYPE_CHECKING:  # at run time only where they are used: the daemon starts without them
    from agent.model.guard import Guard, Violation
    from agent.model.instance import Instance

OK = 0
REFUSED = 6

commands = typer.Typer(help="Your rules over what the control plane may ask for.", no_args_is_help=True)


@commands.callback()
def _group() -> None:
    """A group also with one command in it."""


@commands.command("test")
def tried(
    file: Annotated[
        Path, typer.Option("--file", "-f", metavar="FILE", help="Instance documents in YAML; - is the standard input.")
    ],
    guard: Annotated[
        Path | None,
        typer.Option(
            "--guard", metavar="FILE", help="The rules: guard.yaml or its ConfigMap. Without: what holds always."
        ),
    ] = None,
    output: Annotated[Output, typer.Option("--output", "-o", help="For people, or for programs.")] = Output.TABLE,
) -> None:
    """Show what the guard would refuse of these documents. Exit code 6: something. Needs no cluster."""
    from agent.cli.console import told

    rules = _rules(guard)
    judged = [(instance, _violations(instance, rules)) for instance in _instances(file)]
    if output is Output.JSON:
        told({"instances": [_form(instance, found) for instance, found in judged], "frozen": rules.freeze is not None})
    else:
        _show(judged, rules)
    raise typer.Exit(REFUSED if any(found for _, found in judged) else OK)


def _rules(file: Path | None) -> Guard:
    """The rules of a file; whatever is wrong with them is a fault of the configuration."""
    from agent.cluster.guard import guard_in, read_guard
    from agent.model.guard import Guard
    from agent.settings.plain_yaml import NotYaml, parse

    if file is None:
        return Guard()
    text = content(file, what="the guard")
    try:
        found = parse(text)
    except NotYaml as error:
        raise Misconfigured(f"{file} is not valid YAML{error}", hint="correct the file") from None
    whole = found[0] if len(found) == 1 and isinstance(found[0], dict) else {}
    try:
        return guard_in(whole) if whole.get("kind") == "ConfigMap" else read_guard(text)
    except Refused as refused:
        raise Misconfigured(f"{file}: {refused}", hint=refused.hint or "see config/guard.yaml") from None


def _instances(file: Path) -> list[Instance]:
    from agent.wire.codec import instance_of

    try:
        return [instance_of(document)[0] for document in documents(file)]
    except Refused as refused:
        raise Refused(f"{file}: {refused}", reason=refused.reason, hint=refused.hint) from None


def _violations(instance: Instance, rules: Guard) -> tuple[Violation, ...]:
    from agent.planning.guarding import Case, Known, judge, protected
    from agent.rendering import RenderInputs, render

    manifests = tuple(one.manifest for one in render(RenderInputs(instance, {})))
    case = Case(rules, instance, manifests)
    return (*protected(case, Known()), *judge(case))


def _form(instance: Instance, found: tuple[Violation, ...]) -> dict[str, Any]:
    violations = [
        {"rule": str(one.rule), "object": one.where, "path": one.path, "message": one.message} for one in found
    ]
    return {"id": instance.id, "name": instance.name, "namespace": instance.namespace, "violations": violations}


def _show(judged: list[tuple[Instance, tuple[Violation, ...]]], rules: Guard) -> None:
    from agent.cli.console import console, counted, styled, table

    told = console()
    for instance, found in judged:
        verdict = counted(len(found), "violation") if found else "nothing is refused"
        told.print(styled(f"{instance.name}: {verdict}", "red" if found else "green"))
        if found:
            rows = table("RULE", "OBJECT", "FIELD", "WHY")
            for one in found:
                rows.add_row(*(styled(cell) for cell in (one.rule, one.where, one.path, one.message)))
            told.print(rows)
    if rules.freeze is not None:
        told.print(styled("frozen: while that holds, nothing is changed at all", "cyan"))
