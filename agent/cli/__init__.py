"""The command ``perigee``: the only reader of the command line, and the last stop of every error that was foreseen.

Here: the daemon and what needs no cluster, the groups that extras add through the entry points ``perigee.commands``,
and the table from errors to exit codes; beside it, what looks at a cluster (``cluster``). Not here: what a command does
beyond reading, calling and printing.
"""

from __future__ import annotations

import hashlib
import json
import platform
import sys
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Any, Protocol

import typer
import yaml

from agent import __version__
from agent.cli import cluster, guard
from agent.cli.files import content, documents
from agent.cli.seal import seal
from agent.model.errors import AgentError, Misconfigured, NotAuthorised, Refused, Unreachable
from agent.settings import Setting, effective

GROUP = "perigee.commands"
"""Entry points of this group are callables ``commands(app: typer.Typer) -> None``; each has the name of its extra."""

FAILED = 1
EXIT_CODES: tuple[tuple[type[AgentError], int], ...] = (
    (Misconfigured, 3),
    (NotAuthorised, 4),
    (Unreachable, 5),
    (Refused, 6),
)
"""How the process ends for each kind of error; any other is 1, a command line that makes no sense is 2."""

_FAST_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)  # libyaml where PyYAML was built with it


class Extra(Protocol):
    """What adds commands: an entry point of our group."""

    @property
    def name(self) -> str:
        """The name of the extra, as pip knows it."""
        ...

    def load(self) -> Any:
        """The callable that adds the commands; raises ImportError if the extra is not installed."""
        ...


class Output(StrEnum):
    """How an answer is written."""

    YAML = "yaml"
    JSON = "json"


ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        envvar="PERIGEE_CONFIG",
        metavar="FILE",
        help="The settings file. Without: /etc/perigee/agent.yaml, if there is one.",
    ),
]
Form = Annotated[Output, typer.Option("--output", "-o", help="For people, or for programs.")]


def main() -> None:
    """The entry point of the command."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str], *, extras: Iterable[Extra] | None = None) -> int:
    """Run one command and return its exit code; what went wrong and was foreseen is one line on standard error."""
    app = root()
    if not arguments or arguments[0] not in _own_names(app):  # the agent does not pay for what only others need
        _extend(app, entry_points(group=GROUP) if extras is None else extras)
    try:
        app(list(arguments), prog_name="perigee")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else FAILED
    except AgentError as error:
        return _explained(error)
    except ExceptionGroup as group:  # a TaskGroup's way to fail
        return _explained(_only_foreseen(group))
    return 0


def _explained(error: AgentError) -> int:
    sys.stderr.write(f"perigee: {error.explain().rstrip('.')}.\n")
    return next((code for kind, code in EXIT_CODES if isinstance(error, kind)), FAILED)


def _only_foreseen(group: ExceptionGroup[Exception]) -> AgentError:
    """The first foreseen error of a group; if there is any other in it, that one deserves its traceback."""
    foreseen, unforeseen = group.split(AgentError)
    if foreseen is None or unforeseen is not None:
        raise group
    first: BaseException = foreseen
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    assert isinstance(first, AgentError)
    return first


def root() -> typer.Typer:
    """The command with its own subcommands; those of extras are added by who needs them."""
    app = typer.Typer(
        help="Perigee runs Apache Airflow in your own Kubernetes clusters, as a remote control plane wishes.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,  # they print local variables, and some of those are keys
    )
    app.command("agent")(agent)
    app.command("render")(render)
    app.command("seal")(seal)
    app.command("version")(version)
    config = typer.Typer(help="The agent's own settings.", no_args_is_help=True)
    config.command("show")(config_show)
    config.command("check")(config_check)
    app.add_typer(config, name="config")
    app.add_typer(guard.commands, name="guard")
    app.registered_commands += cluster.commands.registered_commands
    return app


def _own_names(app: typer.Typer) -> set[str | None]:
    return {command.name for command in app.registered_commands} | {str(group.name) for group in app.registered_groups}


def _extend(app: typer.Typer, extras: Iterable[Extra]) -> None:
    """Add the commands of every extra that is installed, and a word of advice in the place of every other."""
    for extra in sorted(extras, key=lambda entry: entry.name):
        try:
            commands = extra.load()
        except ImportError as missing:
            _advise(app, extra.name, missing=missing.name or str(missing))
        else:
            commands(app)


def _advise(app: typer.Typer, name: str, *, missing: str) -> None:
    install = f"pip install 'perigee-agent[{name}]'"

    def advise() -> None:
        raise Misconfigured(
            f"`perigee {name}` needs the Python package {missing}, which is not installed", hint=install
        )

    anything = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}
    app.command(name, help=f"Not installed: {install}", context_settings=anything)(advise)


def agent(config: ConfigFile = None) -> None:
    """Run the agent until it is told to stop (SIGTERM, SIGINT)."""
    settings = effective(config).settings
    from agent import wiring  # a second's worth of imports: only after the settings are known to be good

    raise typer.Exit(wiring.run(settings))


def config_show(config: ConfigFile = None, output: Form = Output.YAML) -> None:
    """Show every setting that is in effect and where it comes from."""
    values = effective(config).values
    if output is Output.JSON:
        shown = {setting.path: {"value": _plain(setting.value), "source": setting.source} for setting in values}
        typer.echo(json.dumps(shown, indent=2))
        return
    for line in _annotated(values):
        typer.echo(line)


def config_check(config: ConfigFile = None) -> None:
    """Check the settings, and that the files which they name can be read."""
    resolved = effective(config)
    uplink, cluster = resolved.settings.uplink, resolved.settings.cluster
    for name, file in (("uplink.caFile", uplink.ca_file), ("cluster.kubeconfig", cluster.kubeconfig)):
        if file is not None:
            content(file, what=name)
    given = sum(setting.source != "default" for setting in resolved.values)
    typer.echo(f"the settings are valid: {given} given, {len(resolved.values) - given} defaults")
    if not uplink.token_file.is_file():
        typer.echo(f"note: no enrolment token at {uplink.token_file}; fine once the cluster keeps an identity")
    if uplink.ca_file is None and uplink.root_fingerprint is None:
        typer.echo("note: neither uplink.caFile nor uplink.rootFingerprint is set; one of them is needed to enrol")


def render(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Instance documents in YAML; - is the input.")],
    output: Form = Output.YAML,
) -> None:
    """Show the Kubernetes objects that the agent would apply for these documents. Needs no cluster."""
    manifests = [manifest for file in files for manifest in _rendered(file)]
    if output is Output.JSON:
        typer.echo(json.dumps({"apiVersion": "v1", "kind": "List", "items": manifests}, indent=2))
        return
    typer.echo("# Checksums of keys and secret values are placeholders: only the cluster knows them.")
    typer.echo(yaml.dump_all(manifests, Dumper=_FAST_DUMPER, sort_keys=False, explicit_start=True, width=120), nl=False)


def version(output: Form = Output.YAML) -> None:
    """Show which version this is and what it runs on."""
    facts = {"perigee": __version__, "python": platform.python_version(), "platform": platform.platform()}
    typer.echo(json.dumps(facts) if output is Output.JSON else "\n".join(f"{key}: {facts[key]}" for key in facts))


def _rendered(file: Path) -> Iterator[dict[str, Any]]:
    from agent.model.secrets import wants
    from agent.rendering import RenderInputs, demanded_keys
    from agent.rendering import render as rendering
    from agent.wire.codec import instance_of

    for document in documents(file):
        try:
            instance, unknown = instance_of(document)
        except Refused as refused:
            raise Refused(f"{file}: {refused}", reason=refused.reason, hint=refused.hint) from None
        for path in unknown:
            typer.echo(f"perigee: {file}: {path} is not known to this version and has no effect", err=True)
        checksums = {
            demand.name: hashlib.sha256(demand.name.encode()).hexdigest() for demand in demanded_keys(instance)
        }
        resolved = {want.path: hashlib.sha256(want.path.encode()).hexdigest() for want in wants(instance)}
        yield from (one.manifest for one in rendering(RenderInputs(instance, checksums, None, resolved)))


def _annotated(values: Iterable[Setting]) -> Iterator[str]:
    """The settings as YAML that could be read again, each with its source as a comment."""
    shown: list[str] = []
    for setting in values:
        *branches, leaf = setting.path.split(".")
        for depth, branch in enumerate(branches):
            if shown[: depth + 1] != branches[: depth + 1]:
                yield f"{'  ' * depth}{branch}:"
                shown = branches[: depth + 1]
        yield f"{'  ' * len(branches)}{leaf}: {json.dumps(_plain(setting.value))}  # {setting.source}"
        shown = branches


def _plain(value: Any) -> Any:
    """50.0 is written as people write it: 50."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
