"""The schema's versions. A fresh database is made whole; an older one walks forward step by step, in one transaction.

To change the schema: change the tables, add a Migration that brings version N to N+1, and try it on a copy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Column, Connection, Table, insert, inspect, select, text, update

from control_plane.faults import Fault
from control_plane.store.schema import AGENT_AUDIT, CERTIFICATES, CLUSTERS, METADATA, ORDERS, REVISIONS, SCHEMA_VERSION

FIRST = 1


@dataclass(frozen=True, slots=True)
class Migration:
    """One step: ``to`` is the version that it leads to, ``apply`` what it does to a database one version older."""

    to: int
    apply: Callable[[Connection], None]


def _find_revisions_by_digest(connection: Connection) -> None:
    (index,) = (index for index in REVISIONS.indexes if index.name == "ix_revisions_digest")
    index.create(connection, checkfirst=True)


def _keep_what_agents_did(connection: Connection) -> None:
    AGENT_AUDIT.create(connection, checkfirst=True)


def _keep_the_proof_of_sealing_keys(connection: Connection) -> None:
    _add_texts(connection, CLUSTERS, "sealing_key_signature", "certificate")


def _know_certificates(connection: Connection) -> None:
    _add_texts(connection, CERTIFICATES, "keyid", "authority", "chain")
    _add_texts(connection, CLUSTERS, "told_with")


def _add_texts(connection: Connection, table: Table, *names: str) -> None:
    present = {column["name"] for column in inspect(connection).get_columns(table.name)}
    for name in names:
        if name not in present:
            _add_text(connection, table, table.c[name])


def _add_text(connection: Connection, table: Table, column: Column[str]) -> None:
    kind = column.type.compile(connection.dialect)
    connection.execute(text(f"ALTER TABLE {table.name} ADD COLUMN {column.name} {kind} NOT NULL DEFAULT ''"))


def _keep_orders(connection: Connection) -> None:
    ORDERS.create(connection, checkfirst=True)


MIGRATIONS: tuple[Migration, ...] = (
    Migration(2, _find_revisions_by_digest),
    Migration(3, _keep_what_agents_did),
    Migration(4, _keep_the_proof_of_sealing_keys),
    Migration(5, _know_certificates),
    Migration(6, _keep_orders),
)


class SchemaTooNew(Fault):
    """The database was written by a newer control plane."""

    status = 503


def migrate(connection: Connection, *, migrations: Sequence[Migration] = MIGRATIONS) -> int:
    """Bring the database to the newest version, and return it. Raises SchemaTooNew rather than guess."""
    newest = migrations[-1].to if migrations else FIRST
    if not inspect(connection).has_table(SCHEMA_VERSION.name):
        METADATA.create_all(connection)
        connection.execute(insert(SCHEMA_VERSION).values(version=newest))
        return newest
    present = connection.execute(select(SCHEMA_VERSION.c.version)).scalar_one()
    if present > newest:
        raise SchemaTooNew(
            "SchemaTooNew",
            f"the database has schema version {present}, this control plane knows {newest}",
            hint="run the newer control plane, or restore the backup taken before it ran",
        )
    for migration in migrations:
        if migration.to > present:
            migration.apply(connection)
    connection.execute(update(SCHEMA_VERSION).values(version=newest))
    return newest
