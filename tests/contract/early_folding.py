"""A SQLite store that folds after four entries and four keys, and never because it is quiet."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest

from tests.contract.asking import message
from tests.memory import ManualClock
from webchat.adapters.sqlite import SqliteSettings, SqliteStore, check
from webchat.ports.log import Append

SETTINGS: Final = SqliteSettings(journal_entries=4, journal_keys=4, fold_interval_ms=60_000)


@pytest.fixture
async def store(path: Path, clock: ManualClock) -> AsyncIterator[SqliteStore]:
    """An open, empty store; a test must leave it whole."""
    made = SqliteStore(path, SETTINGS, clock)
    await made.open("secured")
    yield made
    await made.close()
    assert check(path) == []


def one(msg_id: str) -> Append:
    """A message of ann's to a group."""
    return Append("group_x", (message("ann", msg_id),))
