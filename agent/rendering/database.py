"""The embedded PostgreSQL: for development and small instances; larger ones bring a server of their own.

The script works with any image that has PostgreSQL's programs on its PATH and a user for its uid. A volume counts as
initialised only once everything on it is there: a crash on the way starts over. Passwords are set from the Secret at
each start, so the Secret is always right; they pass through the environment and standard input, never an argument.
"""

from __future__ import annotations

from collections.abc import Iterator

from agent.model.instance import Retain
from agent.model.objects import Manifest
from agent.rendering import services
from agent.rendering.blueprint import Blueprint
from agent.rendering.checks import Check, Command
from agent.rendering.credentials import DATABASE_NAME, DATABASE_PORT, DATABASE_USER, Need
from agent.rendering.names import Role
from agent.rendering.services import VOLUME_PATH, Served

SUPERUSER = "postgres"
MAX_CONNECTIONS = 200
"""Each Airflow process holds up to 15 connections, and an upgrade has two sets of processes for a while."""

SCRIPT = f"""set -eu
umask 077
data={VOLUME_PATH}/postgres
export PGHOST=/tmp PGUSER={SUPERUSER} PGDATABASE=postgres
closed="-c listen_addresses='' -c unix_socket_directories=/tmp -c log_min_error_statement=panic"
if [ ! -s "$data/PG_VERSION" ]; then
  rm -rf "$data.new"
  initdb --pgdata="$data.new" --username={SUPERUSER} --encoding=UTF8 --locale=C.UTF-8 \\
    --auth-local=trust --auth-host=scram-sha-256
  echo 'host all all all scram-sha-256' >>"$data.new/pg_hba.conf"
  pg_ctl --pgdata="$data.new" --options="$closed" --wait start
  psql --quiet --no-psqlrc --set=ON_ERROR_STOP=1 <<SQL
CREATE ROLE {DATABASE_USER} LOGIN;
CREATE DATABASE {DATABASE_NAME} OWNER {DATABASE_USER};
SQL
  pg_ctl --pgdata="$data.new" --mode=fast --wait stop
  mv "$data.new" "$data"
fi
chmod 700 "$data"
pg_ctl --pgdata="$data" --options="$closed" --timeout=86400 --wait start
psql --quiet --no-psqlrc --set=ON_ERROR_STOP=1 <<SQL
SET password_encryption = 'scram-sha-256';
ALTER ROLE {SUPERUSER} PASSWORD '$PERIGEE_DATABASE_ADMIN_PASSWORD';
ALTER ROLE {DATABASE_USER} PASSWORD '$PERIGEE_DATABASE_PASSWORD';
SQL
pg_ctl --pgdata="$data" --mode=fast --wait stop
postgres -D "$data" -k /tmp -c listen_addresses='*' -c max_connections={MAX_CONNECTIONS} &
server=$!
trap 'kill -INT $server' TERM INT
wait $server || wait $server
"""

SERVED = Served(
    role=Role.DATABASE,
    script=SCRIPT,
    need=Need.SERVE_DATABASE,
    port={"postgres": DATABASE_PORT},
    startup=Check(Command(("pg_isready", "--host=127.0.0.1", "--quiet")), period=2, timeout=5, failures=1800),
    # 2 means no answer at all. Refusing connections, as in recovery, is not a reason to start over.
    liveness=Check(
        Command(("sh", "-c", "pg_isready --host=127.0.0.1 --quiet || [ $? -ne 2 ]")),
        period=20,
        timeout=10,
        failures=6,
    ),
    readiness=Check(Command(("pg_isready", "--host=127.0.0.1", "--quiet")), period=5, timeout=5, failures=3),
    retain=Retain.DATABASE,
    memory="512Mi",
    scratch={"/tmp": {"sizeLimit": "256Mi"}, "/dev/shm": {"medium": "Memory", "sizeLimit": "128Mi"}},  # noqa: S108
)


def render(blueprint: Blueprint) -> Iterator[Manifest]:
    """The objects of the embedded database."""
    yield from services.render(blueprint, blueprint.database, served=SERVED)
