"""PostgreSQL stores in databases that are used again: to make one takes longer than most tests."""

from __future__ import annotations

from typing import Final

from tests.engines.postgresql import shared_server
from webchat.adapters.postgresql import PostgresSettings, PostgresStore
from webchat.adapters.postgresql.schema import migrate
from webchat.ports.clock import Clock

_free: Final[list[str]] = []
"""Databases of this process that no store has."""

# Whoever was connected is gone first, with what it may still have been about to write.
_EMPTY: Final = """
DO $$
DECLARE
    each text;
BEGIN
    PERFORM pg_terminate_backend(pid, 10000) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid();
    CREATE SCHEMA IF NOT EXISTS made;
    FOR each IN SELECT tablename FROM pg_tables WHERE schemaname = 'webchat' LOOP
        EXECUTE format('CREATE TABLE IF NOT EXISTS made.%1$I AS TABLE webchat.%1$I', each);
        EXECUTE format('DELETE FROM webchat.%1$I', each);
        EXECUTE format('INSERT INTO webchat.%1$I OVERRIDING SYSTEM VALUE TABLE made.%1$I', each);
    END LOOP;
    PERFORM setval(format('webchat.%I', sequencename)::regclass, start_value, false)
        FROM pg_sequences WHERE schemaname = 'webchat';
END $$
"""


class EmptiedStore(PostgresStore):
    """Has a database to itself until it is closed, and then another store has it."""

    def __init__(self, settings: PostgresSettings, clock: Clock) -> None:
        self._lent = _free.pop() if _free else shared_server().new_database()
        super().__init__(self._lent, settings, clock)

    async def init(self) -> None:
        """Make the tables, or have in them what was there when they were made."""
        async with self._connected() as connection:
            await migrate(connection, self._lent)
            await connection.execute("SET client_min_messages = warning")
            await connection.execute(_EMPTY)

    async def close(self) -> None:
        """Let go of the connections, and of the database."""
        await super().close()
        _free.append(self._lent)
