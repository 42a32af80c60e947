"""A store in one SQLite file: the default of a single server process."""

from webchat.adapters.sqlite.backup import backup
from webchat.adapters.sqlite.check import check, check_not_older
from webchat.adapters.sqlite.files import can_be_written, check_exists
from webchat.adapters.sqlite.recovery import restore
from webchat.adapters.sqlite.settings import SqliteSettings
from webchat.adapters.sqlite.store import SqliteStore

__all__ = [
    "SqliteSettings",
    "SqliteStore",
    "backup",
    "can_be_written",
    "check",
    "check_exists",
    "check_not_older",
    "restore",
]
