"""The settings of a PostgreSQL store, and the store."""

from __future__ import annotations

from webchat.adapters.postgresql import PostgresSettings, PostgresStore
from webchat.config import Settings
from webchat.ports.clock import Clock


def store(settings: Settings, clock: Clock) -> PostgresStore:
    """For any process."""
    return PostgresStore(settings.store, store_settings(settings), clock)


def store_settings(settings: Settings) -> PostgresSettings:
    """Bounds and times of the store."""
    return PostgresSettings(
        read_connections=settings.postgresql_read_connections,
        statement_timeout_ms=settings.postgresql_statement_timeout_ms,
        connect_timeout_ms=settings.postgresql_connect_timeout_ms,
        reconnect_min_ms=settings.postgresql_reconnect_min_ms,
        reconnect_max_ms=settings.postgresql_reconnect_max_ms,
        idle_transaction_timeout_ms=settings.postgresql_idle_transaction_timeout_ms,
        max_attempts=settings.postgresql_attempts,
    )
