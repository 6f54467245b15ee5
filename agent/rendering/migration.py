"""The migration Job: brings the metadata database to the schema of the image, and makes the first administrator.

A Job cannot be changed, so its name is a hash of its content: another image, another key, another Job. Running it again
does nothing. Kubernetes' time limit for finished Jobs is not used: a Job that vanished would look like drift.
"""

from __future__ import annotations

from collections.abc import Iterator

from agent.model.instance import Resources
from agent.model.objects import Manifest
from agent.rendering import labels, names, pods, versions
from agent.rendering.blueprint import Blueprint
from agent.rendering.credentials import ADMIN_USER, Need, checksum
from agent.rendering.names import Role
from agent.rendering.pods import AirflowContainer, PodShape

RESOURCES = Resources({"cpu": "100m", "memory": "512Mi"}, {"memory": "1Gi"})
ATTEMPTS = 6
LOCK_TIMEOUT_SECONDS = 30
"""A migration that waits for a lock makes every later reader wait behind it: rather give up and try again."""

MIGRATION_NEEDS = (Need.METADATA, Need.ENCRYPTION)
ADMIN_NEEDS = (Need.METADATA, Need.ENCRYPTION, Need.SESSIONS, Need.ADMIN)

# Without a terminal, Airflow reads the password and its repetition from standard input. An account that exists is left
# as it is: its owner may have chosen another password.
CREATE_ADMIN = (
    'printf "%s\\n%s\\n" "$PERIGEE_ADMIN_PASSWORD" "$PERIGEE_ADMIN_PASSWORD" | '
    f"airflow users create --username {ADMIN_USER} --role Admin --firstname Airflow --lastname Admin "
    f"--email {ADMIN_USER}@example.org"
)


def render(blueprint: Blueprint) -> Iterator[Manifest]:
    """The Job; nothing while the instance hibernates: then there is no database to migrate."""
    if not blueprint.awake:
        return
    spec: Manifest = {
        "backoffLimit": ATTEMPTS,
        # A pod that was evicted has not failed.
        "podFailurePolicy": {
            "rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}],
        },
        "template": _template(blueprint),
    }
    name = names.migration(names.fingerprint(spec, length=10))
    yield {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": labels.metadata(blueprint, name, labels.standard(blueprint, Role.MIGRATION)),
        "spec": spec,
    }


def _template(blueprint: Blueprint) -> Manifest:
    steps = [_migrate(blueprint)]
    needs: tuple[Need, ...] = MIGRATION_NEEDS
    if blueprint.airflow.accounts:
        steps.append(_create_admin(blueprint))
        needs = ADMIN_NEEDS
    shape = PodShape(
        role=Role.MIGRATION,
        init_containers=tuple(steps[:-1]),
        containers=(steps[-1],),
        volumes=pods.scratch(bounded=True),
        user=pods.AIRFLOW_USER,
        group=pods.AIRFLOW_GROUP,
        grace_seconds=60,
        # No checksum of the configuration: another setting is no reason to migrate again.
        annotations={pods.KEYS_CHECKSUM: checksum(needs, blueprint.keys)},
        extra_labels=pods.version_label(blueprint),
        restart="Never",
    )
    return pods.template(blueprint, shape)


def _migrate(blueprint: Blueprint) -> Manifest:
    patience = {"name": "PGOPTIONS", "value": f"-c lock_timeout={LOCK_TIMEOUT_SECONDS}s"}
    return pods.airflow(
        blueprint,
        AirflowContainer(
            name="migrate",
            argv=versions.release(blueprint.airflow.version).migrate,
            needs=MIGRATION_NEEDS,
            resources=RESOURCES,
            variables=(patience,),
        ),
    )


def _create_admin(blueprint: Blueprint) -> Manifest:
    return pods.airflow(
        blueprint,
        AirflowContainer(name="admin", argv=("sh", "-c", CREATE_ADMIN), needs=ADMIN_NEEDS, resources=RESOURCES),
    )
