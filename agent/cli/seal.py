"""``perigee seal``: closes a secret value to the key of one cluster's agent. Needs no cluster.

The value comes from the standard input or a file, never from the command line, which every process of the machine can
read. Not here: how sealing works (wire), or how a key is fetched (uplink).
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from agent.cli.files import content
from agent.model.errors import Misconfigured, Refused

_PATH = re.compile(r"(?P<field>[A-Za-z.]+)\.(?P<name>[A-Za-z_][A-Za-z0-9_]*)")
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Output(StrEnum):
    """How the sealed value is written."""

    YAML = "yaml"
    JSON = "json"


def seal(  # noqa: PLR0913 - each is an option that a person types
    *,
    cluster: Annotated[str, typer.Option(help="The cluster whose agent shall open it.")],
    instance: Annotated[str, typer.Option(metavar="ID", help="The id of the instance that it is for.")],
    path: Annotated[str, typer.Option(help="The field that it is for, as in spec.airflow.secretEnv.NAME.")],
    key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The cluster's sealing key, as the admin API shows it.")
    ] = None,
    control_plane: Annotated[
        str | None,
        typer.Option(envvar="PERIGEE_CONTROL_PLANE", metavar="URL", help="Ask this admin API for the key."),
    ] = None,
    token_file: Annotated[
        Path | None, typer.Option(envvar="PERIGEE_ADMIN_TOKEN_FILE", help="File with the bearer token for it.")
    ] = None,
    ca_file: Annotated[
        Path | None, typer.Option(envvar="PERIGEE_CA_FILE", help="The control plane's root.crt; without: the system's.")
    ] = None,
    fingerprint: Annotated[
        str, typer.Option(metavar="sha256:HEX", help="Refuse any key but this; the agent tells its own.")
    ] = "",
    from_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Read the value from here, byte for byte, not from the input.")
    ] = None,
    output: Annotated[Output, typer.Option("--output", "-o", help="For a document, or for programs.")] = Output.YAML,
) -> None:
    """Seal a secret value, read from the input without its last line break, for one field of one instance."""
    from agent.wire import sealing, sealing_key

    _check(instance, path)
    pinned = _pinned(fingerprint)
    card = content(key, what="--key") if key is not None else _asked(control_plane, token_file, ca_file, cluster)
    public = sealing_key.proven(card, cluster=cluster)
    found = f"sha256:{sealing.keyid(public)}"
    typer.echo(f"sealing to the key {found} of cluster {cluster}", err=True)
    if pinned and pinned != found:
        raise Refused(
            f"the key of cluster {cluster} is {found}, and --fingerprint says {pinned}",
            reason="WrongKey",
            hint="nothing was sealed: the agent enrolled anew, or somebody put another key in its place; compare with"
            " what the agent tells",
        )
    sealed = sealing.seal(_value(from_file), public, sealing.SealedFor(cluster, instance, path))
    typer.echo(_shown(path, sealed, output=output), nl=False)


def _check(instance: str, path: str) -> None:
    from agent.model.secrets import FIELDS

    if _ID.fullmatch(instance) is None:
        raise typer.BadParameter("must be the instance's id, a UUID in lower case", param_hint="--instance")
    match = _PATH.fullmatch(path)
    if match is None or match["field"] not in FIELDS:
        known = ", ".join(f"{field}.NAME" for field in FIELDS)
        raise typer.BadParameter(f"no secret value stands there; such fields are {known}", param_hint="--path")


def _pinned(text: str) -> str:
    plain = text.lower().removeprefix("sha256:").replace(":", "")
    if text and re.fullmatch(r"[0-9a-f]{64}", plain) is None:
        raise typer.BadParameter("must be sha256: and 64 hexadecimal digits", param_hint="--fingerprint")
    return f"sha256:{plain}" if text else ""


def _asked(url: str | None, token_file: Path | None, ca_file: Path | None, cluster: str) -> bytes:
    from agent.uplink.sealing_key import Desk, card_of

    if url is None:
        raise Misconfigured("it is not said which key", hint="give --key FILE or --control-plane URL")
    if not url.startswith("https://"):
        raise Misconfigured("--control-plane must begin with https://", hint="the admin API speaks TLS only")
    if token_file is None:
        raise Misconfigured("there is no bearer token", hint="give --token-file, or set PERIGEE_ADMIN_TOKEN_FILE")
    token = content(token_file, what="--token-file").decode("utf-8", "replace").strip()
    return asyncio.run(card_of(Desk(url, token, ca_file), cluster))


def _value(file: Path | None) -> bytes:
    if file is not None:
        return content(file, what="--from-file")
    if sys.stdin.isatty():
        hidden: str = typer.prompt("value", hide_input=True, err=True)
        return hidden.encode()
    # What echo and editors add at the end is not part of a password.
    return content(Path("-"), what="the value").removesuffix(b"\n").removesuffix(b"\r")


def _shown(path: str, sealed: str, *, output: Output) -> str:
    if output is Output.JSON:
        return json.dumps({"path": path, "sealed": sealed}) + "\n"
    snippet: dict[str, Any] = {"sealed": sealed}
    for part in reversed(path.split(".")):
        snippet = {part: snippet}
    return str(yaml.safe_dump(snippet, width=1_000_000))
