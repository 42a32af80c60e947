"""A store in one SQLite file: the default of a single server process."""

from webchat.adapters.sqlite.settings import SqliteSettings
from webchat.adapters.sqlite.store import SqliteStore

__all__ = ["SqliteSettings", "SqliteStore"]
