"""The store: versions of its schema, moments, and every bound that it keeps."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, inspect, select, text

from control_plane.store import audit, clusters, reports
from control_plane.store.audit import STRANGER, AuditRow, Bounds
from control_plane.store.clusters import ClusterRow, ClusterState
from control_plane.store.database import Database
from control_plane.store.migrations import MIGRATIONS, Migration, SchemaTooNew, migrate
from control_plane.store.reports import Position, StatusRow
from control_plane.store.schema import METADATA, SCHEMA_VERSION
from tests.support.clock import BEGIN


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await Database.open(f"sqlite+aiosqlite:///{tmp_path / 'store.db'}")
    async with opened.writing() as connection:
        await clusters.add(connection, ClusterRow(name="east", state="active", labels={}, created_at=BEGIN))
    yield opened
    await opened.close()


@pytest.fixture
def connection() -> Iterator[Connection]:
    engine = create_engine("sqlite://")
    with engine.begin() as open_connection:
        yield open_connection
    engine.dispose()


def version_of(connection: Connection) -> int:
    return int(connection.execute(select(SCHEMA_VERSION.c.version)).scalar_one())


def add_colour(connection: Connection) -> None:
    connection.execute(text("ALTER TABLE clusters ADD COLUMN colour TEXT"))


NEWEST = MIGRATIONS[-1].to
COLOUR = Migration(NEWEST + 1, add_colour)


def test_a_fresh_database_is_made_whole(connection: Connection) -> None:
    assert migrate(connection) == version_of(connection) == NEWEST
    assert set(inspect(connection).get_table_names()) == set(METADATA.tables)


def test_a_second_start_changes_nothing(connection: Connection) -> None:
    migrate(connection)
    assert migrate(connection) == NEWEST


def test_an_older_database_walks_forward(connection: Connection) -> None:
    migrate(connection)
    assert migrate(connection, migrations=[COLOUR]) == version_of(connection) == COLOUR.to
    assert "colour" in {column["name"] for column in inspect(connection).get_columns("clusters")}
    assert migrate(connection, migrations=[COLOUR]) == COLOUR.to


def test_certificates_of_an_older_version_are_kept_when_more_is_known_of_each(connection: Connection) -> None:
    migrate(connection)
    for table, column in (("certificates", "keyid"), ("certificates", "authority"), ("certificates", "chain"),
                          ("clusters", "certificate")):  # fmt: skip
        connection.execute(text(f"ALTER TABLE {table} DROP COLUMN {column}"))
    connection.execute(text("INSERT INTO clusters (name, state, labels, sealing_key, created_at) "
                            "VALUES ('east', 'active', '{}', '', 0)"))  # fmt: skip
    connection.execute(text("INSERT INTO certificates (serial, cluster, not_before, not_after) "
                            "VALUES ('1', 'east', 0, 0)"))  # fmt: skip
    connection.execute(text("UPDATE schema_version SET version = 2"))
    assert migrate(connection) == NEWEST
    assert connection.execute(text("SELECT serial, keyid, authority, chain FROM certificates")).all() == [
        ("1", "", "", "")
    ]
    assert connection.execute(text("SELECT certificate FROM clusters")).scalar_one() == ""


def test_a_newer_database_is_not_touched(connection: Connection) -> None:
    migrate(connection, migrations=[])
    connection.execute(text("UPDATE schema_version SET version = 7"))
    with pytest.raises(SchemaTooNew, match="version 7"):
        migrate(connection)
    assert version_of(connection) == 7


async def test_moments_keep_their_microseconds_and_come_back_in_utc(database: Database) -> None:
    moment = datetime(2026, 3, 4, 5, 6, 7, 891011, tzinfo=UTC)
    async with database.writing() as connection:
        await clusters.add(
            connection, ClusterRow(name="west", state=ClusterState.PENDING, labels={"a": "b"}, created_at=moment)
        )
    async with database.reading() as connection:
        found = await clusters.find(connection, "west")
    assert found == ClusterRow(name="west", state="pending", labels={"a": "b"}, created_at=moment)


async def test_what_raises_is_rolled_back(database: Database) -> None:
    async def add_and_fail() -> None:
        async with database.writing() as connection:
            await clusters.add(connection, ClusterRow(name="west", state="pending", labels={}, created_at=BEGIN))
            raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await add_and_fail()
    async with database.reading() as connection:
        assert await clusters.find(connection, "west") is None


def a_record(who: str) -> AuditRow:
    return AuditRow(at=BEGIN, listener="admin", who=who, role="", method="GET", path="/", object="", outcome="200",
                    remote="")  # fmt: skip


async def test_strangers_cannot_wash_out_what_known_callers_did(database: Database) -> None:
    bounds = Bounds(known=10, strangers=5)
    async with database.writing() as connection:
        await audit.add(connection, a_record("alice"), bounds=bounds)
        for _ in range(300):
            await audit.add(connection, a_record(STRANGER), bounds=bounds)
        rows = await audit.page(connection, before=None, limit=1000)
    assert [row.who for row in rows].count("alice") == 1
    assert len(rows) <= 1 + bounds.strangers + 64


async def test_known_callers_are_bounded_too_and_the_oldest_go(database: Database) -> None:
    async with database.writing() as connection:
        for _ in range(256):
            await audit.add(connection, a_record("alice"), bounds=Bounds(known=10, strangers=5))
        rows = await audit.page(connection, before=None, limit=1000)
    assert [row.id for row in rows] == list(range(256, 246, -1))


async def test_the_trail_is_paged_from_the_newest(database: Database) -> None:
    async with database.writing() as connection:
        for number in range(5):
            await audit.add(connection, a_record(f"user-{number}"), bounds=Bounds(100, 100))
        first = await audit.page(connection, before=None, limit=2)
        second = await audit.page(connection, before=first[-1].id, limit=2)
    assert [row.who for row in (*first, *second)] == ["user-4", "user-3", "user-2", "user-1"]


async def test_a_stream_only_goes_forward(database: Database) -> None:
    async with database.writing() as connection:
        moves = [
            await reports.advance(
                connection, Position(cluster="east", stream="pod", sequence=number), now=BEGIN, keep=4
            )
            for number in (1, 1, 3, 2, 4)
        ]
    assert moves == [True, False, True, False, True]


async def test_the_oldest_streams_are_forgotten(database: Database) -> None:
    async with database.writing() as connection:
        for number in range(6):
            position = Position(cluster="east", stream=f"pod-{number}", sequence=9)
            await reports.advance(connection, position, now=BEGIN + timedelta(seconds=number), keep=3)
        rows = (await connection.execute(text("SELECT stream FROM streams ORDER BY stream"))).scalars().all()
    assert rows == ["pod-3", "pod-4", "pod-5"]


def a_status(number: int, instance: str = "i") -> StatusRow:
    return StatusRow(cluster="east", instance=instance, observed_at=BEGIN, received_at=BEGIN, body={"number": number})


async def test_a_history_of_statuses_is_bounded(database: Database) -> None:
    async with database.writing() as connection:
        for number in range(9):
            await reports.remember(connection, "east", [a_status(number)], keep=3)
        kept = await reports.history(connection, "east", "i", limit=100)
    assert [one.body["number"] for one in kept] == [8, 7, 6]


async def test_a_history_is_bounded_for_each_instance_of_a_batch_by_itself(database: Database) -> None:
    async with database.writing() as connection:
        await reports.remember(connection, "east", [a_status(0, "bystander")] * 2, keep=9)
        await reports.remember(
            connection, "east", [a_status(one, "i") for one in range(5)] + [a_status(7, "j")], keep=2
        )
        kept = {one: await reports.history(connection, "east", one, limit=100) for one in ("i", "j", "bystander")}
    assert {one: [past.body["number"] for past in history] for one, history in kept.items()} == {
        "i": [4, 3],
        "j": [7],
        "bystander": [0, 0],
    }


async def test_last_statuses_are_replaced_one_by_one_and_read_by_id(database: Database) -> None:
    async with database.writing() as connection:
        await reports.add_statuses(connection, [a_status(1, one) for one in ("i", "j", "k")])
        await reports.replace_statuses(connection, [a_status(2, "i"), a_status(3, "k")])
        found = await reports.statuses_of(connection, "east", ["i", "j", "nobody"])
        everything = await reports.statuses(connection, "east")
    assert {row.instance: row.body["number"] for row in found} == {"i": 2, "j": 1}
    assert [row.body["number"] for row in everything] == [2, 1, 3]


def test_revisions_of_an_older_store_are_found_by_their_digest_too(connection: Connection) -> None:
    migrate(connection)
    connection.execute(text("DROP INDEX ix_revisions_digest"))
    connection.execute(text("UPDATE schema_version SET version = 1"))
    migrate(connection)
    assert "ix_revisions_digest" in {index["name"] for index in inspect(connection).get_indexes("revisions")}
