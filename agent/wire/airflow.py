"""Which Airflow: its version, image, configuration and environment, and what of these a document may not set.

Settings that the agent makes itself (addresses, keys, ports of its probes) are refused with their path rather than
overwritten: a document that sets them means something that would not happen.
"""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal, NoReturn

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from agent.model.errors import Refused
from agent.wire.arrays import AtMost
from agent.wire.frames import Frame
from agent.wire.refusals import Reason, broken, shown
from agent.wire.scalars import ConfigName, DnsSubdomain, EnvName, ImageReference, SecretEnvName
from agent.wire.secrets import SecretValueV1

SUPPORTED: Final = ((3, 3),)
"""The minor versions of Airflow that this agent can render, oldest first."""

DEFAULT_IMAGE: Final = "apache/airflow:{version}"

RESERVED_CONFIG: Final = frozenset(
    {
        ("api", "host"),
        ("api", "port"),
        ("api", "secret_key"),
        ("api_auth", "jwt_private_key_path"),
        ("api_auth", "jwt_secret"),
        ("api_auth", "trusted_jwks_url"),
        ("celery", "broker_url"),
        ("celery", "result_backend"),
        ("celery", "worker_concurrency"),
        ("celery", "worker_enable_remote_control"),
        ("celery_broker_transport_options", "global_keyprefix"),
        ("core", "dags_folder"),
        ("core", "execution_api_server_url"),
        ("core", "executor"),
        ("core", "fernet_key"),
        ("core", "hostname_callable"),
        ("database", "check_migrations"),
        ("database", "sql_alchemy_conn"),
        ("database", "sql_alchemy_conn_async"),
        ("logging", "base_log_folder"),
        ("logging", "trigger_log_server_port"),
        ("logging", "worker_log_server_port"),
        ("scheduler", "enable_health_check"),
        ("scheduler", "scheduler_health_check_server_port"),
    }
)
"""Section and key of what the agent sets or relies on, also in Airflow's forms ``<key>_cmd``, ``<key>_secret``."""

RESERVED_ENV: Final = frozenset({"AIRFLOW_CONFIG", "AIRFLOW_HOME", "DUMB_INIT_SETSID"})
RESERVED_ENV_PREFIXES: Final = ("_AIRFLOW_", "PERIGEE_")
"""The entrypoint of Airflow's image migrates and makes users by ``_AIRFLOW_*``; the agent does these in its own way."""

READ_BY_THE_AGENT: Final = frozenset({("core", "auth_manager")})
"""What the agent has to know of the configuration, and so cannot be secret."""

_ENV_OF_CONFIG = re.compile(r"AIRFLOW__([A-Z0-9_]+?)__([A-Z0-9_]+)", re.IGNORECASE)
_VERSION = re.compile(r"(0|[1-9][0-9]{0,2})\.(0|[1-9][0-9]{0,2})\.(0|[1-9][0-9]{0,2})")


def supported_version(version: str) -> str:
    """The version itself, if this agent can run it; raises pydantic's error (UnsupportedVersion) if not."""
    match = _VERSION.fullmatch(version)
    if match is None:
        raise broken(Reason.MALFORMED, f"{shown(version)} is not a version of Airflow such as 3.3.2")
    minor = (int(match[1]), int(match[2]))
    if minor in SUPPORTED:
        return version
    known = ", ".join(f"{major}.{minor}" for major, minor in SUPPORTED)
    judgement = "is newer than this agent knows" if minor > SUPPORTED[-1] else "is not among those this agent knows"
    raise broken(Reason.UNSUPPORTED_VERSION, f"Airflow {minor[0]}.{minor[1]} {judgement} ({known})")


def _setting(value: object) -> object:
    """YAML's booleans and numbers as Airflow writes them; any other value as it is, to be judged as text."""
    return str(value) if isinstance(value, bool | int | float) else value


def _without_nul(value: str) -> str:
    if "\x00" in value:
        raise broken(Reason.MALFORMED, "contains a NUL character, which no environment can hold")
    return value


Setting = Annotated[
    str,
    Field(max_length=32768),
    AfterValidator(_without_nul),
    BeforeValidator(_setting),
    WithJsonSchema({"type": ["string", "number", "boolean"], "maxLength": 32768}),
]


class AirflowV1(Frame):
    """Which Airflow runs. ``image`` must contain that very version; without one it is Apache's own image.

    ``secret_env``: variables of every Airflow container whose values are in no document.
    """

    version: Annotated[str, AfterValidator(supported_version)]
    image: ImageReference | None = None
    pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    pull_secrets: Annotated[tuple[DnsSubdomain, ...], AtMost(16)] = ()
    config: dict[ConfigName, dict[ConfigName, Setting]] = Field(default={}, max_length=200)
    env: dict[EnvName, Setting] = Field(default={}, max_length=500)
    secret_env: dict[SecretEnvName, SecretValueV1] = Field(default={}, max_length=200)


def config_of_env(name: str) -> tuple[str, str] | None:
    """The section and key of Airflow's configuration that an environment variable sets; None if it sets none."""
    match = _ENV_OF_CONFIG.fullmatch(name)
    return (match[1].lower(), match[2].lower()) if match else None


def reserved(section: str, key: str) -> bool:
    """Whether the agent sets this itself, in whichever of Airflow's ways it is written."""
    plain = key.removesuffix("_cmd").removesuffix("_secret")
    return (section, key) in RESERVED_CONFIG or (section, plain) in RESERVED_CONFIG


def refuse_reserved(airflow: AirflowV1) -> None:
    """Refuse settings that the agent makes itself (ReservedSetting), and settings made twice (Malformed)."""
    for section, keys in airflow.config.items():
        for key in keys:
            if reserved(section, key):
                _refuse("config", f"{section}.{key}", why="the agent decides it")
    for name in airflow.env:
        _refuse_env("env", name, airflow)
    for name in airflow.secret_env:
        _refuse_env("secretEnv", name, airflow)
        if config_of_env(name) in READ_BY_THE_AGENT:
            _refuse("secretEnv", name, why="the agent must be able to read it")
        if name in airflow.env:
            _refuse_twice("secretEnv", name, "env", name)


def _refuse_env(where: str, name: str, airflow: AirflowV1) -> None:
    setting = config_of_env(name)
    if setting is None:
        if name.upper() in RESERVED_ENV or name.upper().startswith(RESERVED_ENV_PREFIXES):
            _refuse(where, name, why="the agent decides it")
        return
    section, key = setting
    if reserved(section, key):
        _refuse(where, name, why=f"the agent decides {section}.{key}")
    if key in airflow.config.get(section, {}):
        _refuse_twice(where, name, "config", f"{section}.{key}")


def _refuse_twice(where: str, name: str, other: str, what: str) -> NoReturn:
    message = f"sets the same as spec.airflow.{other}.{what}"
    raise Refused(message, path=f"spec.airflow.{where}.{name}", reason=Reason.MALFORMED, hint="keep one of the two")


def _refuse(where: str, name: str, *, why: str) -> NoReturn:
    raise Refused(
        f"cannot be set by a document: {why}",
        path=f"spec.airflow.{where}.{name}",
        reason=Reason.RESERVED_SETTING,
        hint="leave it out",
    )
