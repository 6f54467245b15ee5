"""Reads the settings: a YAML file, overridden by variables.

Here: finding every value and where it came from, refusing what nobody knows, and one clear line when something is
wrong. Values are never part of a message: somebody will put a secret into the wrong knob. Not here: what the knobs
mean (``tree``).
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.alias_generators import to_camel

from agent.model.errors import Misconfigured
from agent.settings.branch import Branch
from agent.settings.plain_yaml import NotYaml, parse
from agent.settings.proxy import from_environment
from agent.settings.tree import Settings

DEFAULT_FILE = Path("/etc/perigee/agent.yaml")
"""The file that is read if nobody names one; it may be absent."""

PREFIX = "PERIGEE_"
NESTING = "__"
_LARGEST_FILE_BYTES = 1024 * 1024
# What a wrong name must share with a right one before a suggestion helps more than it confuses.
_NEAR = 0.6
# A variable without "__" is no setting; only one that is nearly a setting's name is taken for a slip of the pen.
_SLIP = 0.9


@dataclass(frozen=True, slots=True)
class Setting:
    """One effective value. ``source`` is a file's path, a variable's name, or ``default``."""

    path: str
    value: Any
    source: str


@dataclass(frozen=True, slots=True)
class Resolved:
    """The settings and, per knob, where its value came from; ``values`` are in the order of the tree."""

    settings: Settings
    values: tuple[Setting, ...]


def effective(file: Path | None, *, default: Path = DEFAULT_FILE) -> Resolved:
    """The settings of this process: from ``file``, or the ``default`` file if there is one, and from the environment.

    Raises Misconfigured. Only the command line calls this; everybody else is handed values.
    """
    if file is None and default.is_file():
        file = default
    return resolve(file, os.environ)  # noqa: TID251  # the one place that reads it


def load(file: Path | None, environ: Mapping[str, str]) -> Settings:
    """The settings from a file (None: no file) and variables; raises Misconfigured naming setting and source."""
    return resolve(file, environ).settings


def resolve(file: Path | None, environ: Mapping[str, str]) -> Resolved:
    """Like :func:`load`, with the source of every value."""
    given = _from_file(file) if file is not None else {}
    given |= _from_variables(environ)
    settings = _validated(given)
    if settings.uplink.proxy.from_environment:
        # An empty value in the file, as the example settings have it, is no wish of anybody's.
        found = from_environment(environ)
        given |= {path: one for path, one in found.items() if not given.get(path, ("", ""))[0]}
        settings = _validated(given)
    sources = {path: source for path, (_, source) in given.items()}
    dumped = settings.model_dump(mode="json", by_alias=True)
    values = (Setting(path, _at(dumped, path), sources.get(path, "default")) for path in KNOBS)
    return Resolved(settings, tuple(values))


def _validated(given: Mapping[str, tuple[Any, str]]) -> Settings:
    tree: dict[str, Any] = {}
    for path, (value, _) in given.items():
        *branches, leaf = path.split(".")
        node = tree
        for branch in branches:
            node = node.setdefault(branch, {})
        node[leaf] = value
    for name in ("cluster", "uplink"):  # so that a missing knob is named, not just its branch
        tree.setdefault(name, {})
    try:
        return Settings.model_validate(tree)
    except ValidationError as invalid:
        raise _misconfigured(invalid, {path: source for path, (_, source) in given.items()}) from None


def variable(path: str) -> str:
    """The variable that sets a knob: ``uplink.agentsUrl`` is ``PERIGEE_UPLINK__AGENTS_URL``."""
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", path)
    return PREFIX + snake.replace(".", NESTING).upper()


def _knobs(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, field in model.model_fields.items():
        path = prefix + to_camel(name)
        if isinstance(field.annotation, type) and issubclass(field.annotation, Branch):
            yield from _knobs(field.annotation, f"{path}.")
        else:
            yield path, field.annotation


KNOBS: Mapping[str, Any] = dict(_knobs(Settings))
"""Every knob's path and the type of its value, in the order of the tree."""
_BRANCHES = frozenset(path[:index] for path in KNOBS for index, letter in enumerate(path) if letter == ".")
_VARIABLES = {variable(path): path for path in KNOBS}
_COMPOUND: Mapping[Any, str] = {Mapping: '{"key": "value"}', tuple: '["one", "another"]'}
"""How values are written that are more than one word, as a variable."""


def _from_file(file: Path) -> dict[str, tuple[Any, str]]:
    content = _parsed(file)
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise Misconfigured(
            f"{file} does not hold settings but a {type(content).__name__}", hint="see config/agent.yaml"
        )
    return dict(_flattened(content, file, ""))


def _parsed(file: Path) -> Any:
    try:
        with file.open("rb") as opened:
            text = opened.read(_LARGEST_FILE_BYTES + 1)
    except OSError as error:
        raise Misconfigured(
            f"cannot read the settings file {file}: {error.strerror}", hint="name a readable file with --config"
        ) from None
    if len(text) > _LARGEST_FILE_BYTES:
        raise Misconfigured(f"{file} is larger than {_LARGEST_FILE_BYTES} bytes", hint="this is no settings file")
    try:
        return next(iter(parse(text)), None)
    except NotYaml as error:
        raise Misconfigured(f"{file} is not valid YAML{error}", hint="correct the file") from None


def _flattened(node: dict[Any, Any], file: Path, prefix: str) -> Iterator[tuple[str, tuple[Any, str]]]:
    for key, value in node.items():
        path = f"{prefix}{key}"
        if path in KNOBS:
            yield path, (value, str(file))
        elif path not in _BRANCHES:
            raise _unknown(path, str(file), near=_nearest(path, [*KNOBS, *_BRANCHES]))
        elif isinstance(value, dict):
            yield from _flattened(value, file, f"{path}.")
        elif value is not None:
            raise Misconfigured(f"{path} in {file} holds several settings, not one value", hint="see config/agent.yaml")


def _from_variables(environ: Mapping[str, str]) -> dict[str, tuple[Any, str]]:
    """Settings among the variables. An empty one counts as not set.

    A name without ``__`` is none of ours: Kubernetes itself puts PERIGEE_AGENT_SERVICE_HOST and the like into every pod
    of a namespace that has such a Service, and PERIGEE_METRICS_PORT=tcp://10.0.0.1:8080 for one named perigee-metrics.
    """
    given = {}
    for name, text in sorted(environ.items()):
        if not name.startswith(PREFIX) or not text:
            continue
        path = _VARIABLES.get(name)
        if path is not None:
            form = _form(KNOBS[path])
            given[path] = (_compound(text, name, form) if form is not None else text, name)
            continue
        near = _nearest(name, _VARIABLES, least=_NEAR if NESTING in name else _SLIP)
        if NESTING in name or (near and "://" not in text):
            raise _unknown(name, "the environment", near=near)
    return given


def _form(kind: Any) -> str | None:
    """How a compound value is written, also where the setting may have none; None: it is one word."""
    kinds = (get_origin(one) for one in (kind, *get_args(kind)))
    return next((_COMPOUND[one] for one in kinds if one in _COMPOUND), None)


def _compound(text: str, name: str, form: str) -> Any:
    try:
        return next(iter(parse(text.encode("utf-8"))), None)
    except NotYaml:
        raise Misconfigured(f"{name} is not valid JSON", hint=f"write it as {form}") from None


def _nearest(name: str, known: Any, *, least: float = _NEAR) -> str:
    return next(iter(difflib.get_close_matches(name, list(known), n=1, cutoff=least)), "")


def _unknown(name: str, source: str, *, near: str) -> Misconfigured:
    hint = f"did you mean {near}" if near else "remove it, or see config/agent.yaml for what there is"
    return Misconfigured(f"{name} in {source} is no setting of the agent", hint=hint)


def _misconfigured(invalid: ValidationError, sources: Mapping[str, str]) -> Misconfigured:
    problems = []
    for error in invalid.errors(include_url=False, include_input=False, include_context=False):
        path = _named(".".join(str(part) for part in error["loc"]))
        if error["type"] == "missing":
            problems.append(f"{path} is not set")
            continue
        source = sources.get(path, "")
        message = error["msg"].removeprefix("Value error, ").removeprefix("Input ")
        problems.append(f"{path}{f' in {source}' if source else ''} {message}")
    first = _named(".".join(str(part) for part in invalid.errors()[0]["loc"]))
    hint = f"set it in the settings file or as {variable(first)}" if first in KNOBS else "correct the settings file"
    return Misconfigured("; ".join(problems), hint=hint)


def _named(loc: str) -> str:
    """The knob that an error's place belongs to: pydantic adds ``.[key]`` and the like below a mapping."""
    return next((path for path in KNOBS if loc == path or loc.startswith(f"{path}.")), loc)


def _at(tree: Mapping[str, Any], path: str) -> Any:
    node: Any = tree
    for part in path.split("."):
        node = node[part]
    return node
