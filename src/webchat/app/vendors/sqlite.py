"""The settings of a SQLite store, and the store."""

from __future__ import annotations

from webchat.adapters.sqlite import SqliteSettings, SqliteStore
from webchat.config import Settings
from webchat.ports.clock import Clock


def serving(settings: Settings, clock: Clock) -> SqliteStore:
    """For the one process that serves the file."""
    return SqliteStore(settings.sqlite_path(), store_settings(settings), clock)


def beside(settings: Settings, clock: Clock) -> SqliteStore:
    """For a command, whether or not a process serves the file."""
    return SqliteStore.beside(settings.sqlite_path(), store_settings(settings), clock)


def store_settings(settings: Settings) -> SqliteSettings:
    """Bounds and times of the store."""
    return SqliteSettings(
        gather_ms=settings.sqlite_gather_ms,
        journal_entries=settings.sqlite_journal_entries,
        journal_bytes=settings.sqlite_journal_bytes,
        journal_keys=settings.sqlite_journal_keys,
        key_filter_bytes=settings.sqlite_key_filter_bytes,
        fold_interval_ms=settings.sqlite_fold_interval_ms,
    )
