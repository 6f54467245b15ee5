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
from control_plane.store.migrations import Migration, SchemaTooNew, migrate
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


COLOUR = Migration(2, add_colour)


def test_a_fresh_database_is_made_whole(connection: Connection) -> None:
    assert migrate(connection) == version_of(connection) == 1
    assert set(inspect(connection).get_table_names()) == set(METADATA.tables)


def test_a_second_start_changes_nothing(connection: Connection) -> None:
    migrate(connection)
    assert migrate(connection) == 1


def test_an_older_database_walks_forward(connection: Connection) -> None:
    migrate(connection)
    assert migrate(connection, migrations=[COLOUR]) == version_of(connection) == 2
    assert "colour" in {column["name"] for column in inspect(connection).get_columns("clusters")}
    assert migrate(connection, migrations=[COLOUR]) == 2


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


async def test_a_history_of_statuses_is_bounded(database: Database) -> None:
    async with database.writing() as connection:
        for number in range(9):
            told = StatusRow(
                cluster="east", instance="i", observed_at=BEGIN, received_at=BEGIN, body={"number": number}
            )
            await reports.remember(connection, told, keep=3)
        kept = await reports.history(connection, "east", "i", limit=100)
    assert [one.body["number"] for one in kept] == [8, 7, 6]
