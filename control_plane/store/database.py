"""Connections and transactions. Writers take SQLite's write lock at once, so none can fail half-way for want of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from control_plane.store.migrations import migrate

_WRITES = "perigee_writes"
BUSY_SECONDS = 30
"""How long a writer waits for another process (the command line beside the server) to finish its transaction: long,
since on a starved machine a commit that is synchronised to disk takes seconds.
"""


class Database:
    """The store's connections: ``reading`` for a consistent look, ``writing`` for a transaction."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._writers = engine.execution_options(**{_WRITES: True})
        # SQLite has one writer at a time, and its own waiting is polling: within this process we queue instead.
        self._turn = asyncio.Lock() if engine.dialect.name == "sqlite" else None

    @classmethod
    async def open(cls, url: str) -> Database:
        """Connect, and bring the schema to the newest version."""
        # Parameters hold hashes and documents: they never go into an error's text.
        # Making an engine looks the file's path up, which blocks.
        engine = await asyncio.to_thread(create_async_engine, url, hide_parameters=True)
        if engine.dialect.name == "sqlite":
            _tune_sqlite(engine)
        database = cls(engine)
        try:
            async with database.writing() as connection:
                await connection.run_sync(migrate)
        except BaseException:
            await engine.dispose()
            raise
        return database

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A connection to read from; it sees one consistent state."""
        async with self._engine.connect() as connection:
            yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """A transaction: committed if the block ends well, rolled back if it raises."""
        async with AsyncExitStack() as stack:
            if self._turn is not None:
                await stack.enter_async_context(self._turn)
            yield await stack.enter_async_context(self._writers.begin())

    async def close(self) -> None:
        """Give every connection back."""
        await self._engine.dispose()


def _tune_sqlite(engine: AsyncEngine) -> None:
    # At DEBUG the driver logs every statement with its parameters, whatever the engine hides.
    logging.getLogger("aiosqlite").setLevel(logging.INFO)

    @event.listens_for(engine.sync_engine, "connect")
    def on_connect(dbapi_connection: Any, _record: object) -> None:
        # Transactions are begun below, in the mode that they need; the driver shall not begin its own.
        dbapi_connection.isolation_level = None
        cursor = dbapi_connection.cursor()
        for pragma in (
            f"busy_timeout={BUSY_SECONDS * 1000}",  # first: what follows may have to wait as well
            "journal_mode=WAL",
            # FULL, not NORMAL: a version of an index that an agent has seen must survive a power failure, or another
            # index would go out under the same version.
            "synchronous=FULL",
            "foreign_keys=ON",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def on_begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(_WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
