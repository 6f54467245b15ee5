"""How configuration and the document's variables reach the containers. Not here: what they come to (config)."""

from __future__ import annotations

from agent.model.objects import Manifest
from agent.rendering import labels, names
from agent.rendering.blueprint import Blueprint

LOG_FOLDER = "/var/log/airflow"


def config_map(blueprint: Blueprint) -> Manifest:
    """The configuration as all of the instance's Airflow containers load it."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": labels.metadata(blueprint, names.CONFIG_MAP, labels.common(blueprint)),
        "data": dict(blueprint.airflow.settings),
    }


def variables(blueprint: Blueprint) -> list[Manifest]:
    """The document's own variables, literally: ``$(NAME)`` in them is text."""
    return [{"name": name, "value": text.replace("$", "$$")} for name, text in sorted(blueprint.airflow.env.items())]
