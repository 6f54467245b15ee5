"""Airflow's configuration: defaults of the version, the document's overrides, and what must not be overridden.

Here: what a document's configuration comes to, by environment variable. Not here: how it reaches the containers
(environment), keys and addresses that contain keys (credentials). Airflow reads ``AIRFLOW__SECTION__KEY`` before any
file, and a value in a variable is taken as it stands, while a file would need escapes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from agent.model.errors import Refused
from agent.model.instance import Instance
from agent.rendering import versions
from agent.rendering.credentials import Need, variable_names
from agent.rendering.environment import LOG_FOLDER

VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
OWN_PREFIX = "PERIGEE_"
OWN_VARIABLES = frozenset({"AIRFLOW_CONFIG", "AIRFLOW_HOME", "DUMB_INIT_SETSID"})
AUTH_MANAGER = "AIRFLOW__CORE__AUTH_MANAGER"

_BECAUSE_OF_PROBES = "health checks and network policies rely on it"
_BECAUSE_OF_KEYS = "it is made of generated keys"
FIXED: Mapping[tuple[str, str], str] = {
    ("core", "executor"): "the workers are Celery workers",
    ("core", "dags_folder"): "spec.dags.path sets it",
    ("core", "execution_api_server_url"): "tasks reach the API server through its Service",
    ("database", "check_migrations"): "the agent migrates the schema before it starts anything",
    ("scheduler", "enable_health_check"): _BECAUSE_OF_PROBES,
    ("scheduler", "scheduler_health_check_server_port"): _BECAUSE_OF_PROBES,
    ("api", "host"): _BECAUSE_OF_PROBES,
    ("api", "port"): _BECAUSE_OF_PROBES,
    ("logging", "base_log_folder"): "a volume is mounted there",
    ("logging", "worker_log_server_port"): _BECAUSE_OF_PROBES,
    ("logging", "trigger_log_server_port"): _BECAUSE_OF_PROBES,
    ("celery", "worker_enable_remote_control"): _BECAUSE_OF_PROBES,
    ("celery_broker_transport_options", "global_keyprefix"): _BECAUSE_OF_PROBES,
    ("core", "hostname_callable"): "logs and health checks find pods by their names",
    ("celery", "worker_concurrency"): "spec.components.workers.queues[].concurrency sets it",
    ("core", "fernet_key"): _BECAUSE_OF_KEYS,
    ("database", "sql_alchemy_conn"): _BECAUSE_OF_KEYS,
    ("database", "sql_alchemy_conn_async"): _BECAUSE_OF_KEYS,
    ("celery", "broker_url"): _BECAUSE_OF_KEYS,
    ("celery", "result_backend"): _BECAUSE_OF_KEYS,
    ("api_auth", "jwt_secret"): _BECAUSE_OF_KEYS,
    ("api", "secret_key"): _BECAUSE_OF_KEYS,
}
"""Settings that the rest of the rendering depends on, and why: overriding one would be a lie or a breakage."""


def variable(section: str, key: str) -> str:
    """The environment variable of a setting, as Airflow spells it."""
    return f"AIRFLOW__{section.replace('.', '_').upper()}__{key.upper()}"


_FIXED_VARIABLES: Mapping[str, str] = {
    variable(section, f"{key}{source}"): why
    for (section, key), why in FIXED.items()
    for source in ("", "_cmd", "_secret")
}
_KEY_VARIABLES = variable_names(Need)


def settings(instance: Instance) -> dict[str, str]:
    """The effective configuration by environment variable; raises Refused for an override that cannot work."""
    effective = dict(_defaults(instance))
    for section, keys in instance.airflow.config.items():
        for key, text in keys.items():
            name, path = variable(section, key), f"spec.airflow.config.{section}.{key}"
            refuse_reserved(name, path=path)
            effective[name] = text
    return dict(sorted(effective.items()))


def own_variables(instance: Instance) -> Mapping[str, str]:
    """The document's own variables; raises Refused for a reserved name."""
    for name in instance.airflow.env:
        refuse_reserved(name, path=f"spec.airflow.env.{name}")
    return instance.airflow.env


def has_accounts(settings: Mapping[str, str], env: Mapping[str, str]) -> bool:
    """Whether accounts are kept in the metadata database: what decides is who manages access."""
    return (env.get(AUTH_MANAGER) or settings[AUTH_MANAGER]) == versions.FAB_AUTH_MANAGER


def _defaults(instance: Instance) -> Iterator[tuple[str, str]]:
    for section, keys in versions.release(instance.airflow.version).defaults.items():
        for key, text in keys.items():
            yield variable(section, key), text
    yield variable("core", "executor"), "CeleryExecutor"
    yield variable("core", "dags_folder"), instance.dags_path
    yield variable("logging", "base_log_folder"), LOG_FOLDER


def refuse_reserved(name: str, *, path: str) -> None:
    """Raise Refused for a variable that a document may not set."""
    if not VARIABLE.fullmatch(name):
        raise Refused(f"{name!r} is not a name for an environment variable", path=path, reason="BadSetting")
    if name in _FIXED_VARIABLES:
        raise Refused(f"this setting is not open: {_FIXED_VARIABLES[name]}", path=path, reason="ReservedSetting")
    if name in _KEY_VARIABLES or name.startswith(OWN_PREFIX) or name in OWN_VARIABLES:
        raise Refused(f"the variable {name} is Perigee's own", path=path, reason="ReservedSetting")
