"""What the journal holds, and its fold into the tables: log by log, many rows at a time, in slices
that ride in later transactions, or when nothing else is to be written.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Container, Iterable, Mapping
from operator import attrgetter

import msgspec

from webchat.adapters.sqlite import journal
from webchat.adapters.sqlite.damage import FoldFailed, put_off
from webchat.adapters.sqlite.keyjournal import KeyJournal
from webchat.adapters.sqlite.openlog import LogTail, OpenLog
from webchat.adapters.sqlite.rows import EntryRow, PositionRow, add_entries, write_positions
from webchat.adapters.sqlite.settings import SqliteSettings
from webchat.model import Position, Uid


class _Fold(msgspec.Struct):
    """The logs that are still to be written, before the journal's first batches can go.

    `until`: the last of these batches; `records`, `size`: what all of them hold. `gone`: the
    last batch that is away, once this transaction is durable.
    """

    logs: list[OpenLog]
    until: int
    records: int
    size: int
    gone: int


class Folding:
    """How much is in the journal, and how far the fold that is under way has come."""

    def __init__(self, settings: SqliteSettings, keys: KeyJournal) -> None:
        self._settings = settings
        self._keys = keys
        self._newest = self._gone = self._records = self._size = 0
        self._fold: _Fold | None = None
        self._slice: list[tuple[OpenLog, LogTail, int]] = []
        self._again_s = 0.0

    @property
    def is_over(self) -> bool:
        """Whether the journal holds nothing, or is not to be folded for now."""
        return not self._records or (self._again_s > 0 and time.monotonic() < self._again_s)

    @property
    def is_due(self) -> bool:
        """Whether the journal holds as much as it should at most, or more."""
        settings = self._settings
        if self._records < settings.journal_entries and self._size < settings.journal_bytes:
            return False
        return time.monotonic() >= self._again_s

    @property
    def has_written(self) -> bool:
        """Whether this transaction folds something."""
        return bool(self._slice)

    def take_up(self, id_: int, records: int, size: int) -> None:
        """The journal has this batch from before, with so many records and bytes."""
        if not self._records:
            self._gone = id_ - 1
        self._newest = id_
        self._records += records
        self._size += size

    def wait(self, until_s: float) -> None:
        """Fold nothing until then, on the monotonic clock."""
        self._again_s = until_s

    def begin(self, unfolded: Iterable[OpenLog]) -> None:
        """Fold these, which are all that the journal speaks of, unless a fold is under way."""
        if self._fold is None:
            by_number = sorted(unfolded, key=attrgetter("id"), reverse=True)
            self._fold = _Fold(by_number, self._newest, self._records, self._size, self._gone)

    def note(
        self, db: sqlite3.Connection, entries: list[EntryRow], positions: list[PositionRow]
    ) -> int:
        """Put what a transaction added into the journal; returns how many records that are."""
        added = len(entries) + len(positions)
        if added:
            # Counted up even if the transaction fails, so that no number comes twice.
            self._newest += 1
            self._size += journal.note(db, self._newest, journal.Batch(entries, positions))
            self._records += added
        return added

    def go_on(self, db: sqlite3.Connection, added: int, settled: Container[int]) -> None:
        """Fold a slice, after a transaction that added so many records.

        The numbers of logs in `settled`: it has written these already. Raises FoldFailed.
        """
        fold = self._fold
        if fold is None:
            return
        # More than comes in, or the fold would never end.
        at_once = self._settings.fold_slice
        try:
            if fold.logs:
                self._write(db, fold.logs, max(at_once, 2 * added), settled)
            else:
                fold.gone = min(fold.gone + 2 * at_once, fold.until)
                journal.remove(db, fold.gone)
        except sqlite3.Error as error:
            self._again_s = put_off(error)
            raise FoldFailed(str(error)) from error

    def committed(self) -> list[OpenLog]:
        """The slice is durable; returns its logs."""
        for _, tail, taken in self._slice:
            tail.fold(taken)
        logs = [log for log, _, _ in self._slice]
        self._slice = []
        fold = self._fold
        if fold is not None:
            self._gone = fold.gone
            if fold.gone == fold.until and not fold.logs:
                self._records -= fold.records
                self._size -= fold.size
                self._fold = None
        return logs

    def rolled_back(self) -> None:
        """The slice was not written: the fold begins again."""
        self._fold = None
        self._slice = []

    def forget(self) -> None:
        """Another process has written all to the tables and emptied the journal."""
        self._fold = None
        self._gone = self._newest
        self._records = self._size = 0
        self._again_s = 0.0

    def _write(
        self, db: sqlite3.Connection, logs: list[OpenLog], records: int, settled: Container[int]
    ) -> None:
        """Write about as many records of `logs`; those that are done go from the list."""
        moved: list[tuple[OpenLog, Mapping[Uid, Position]]] = []
        while logs and records > 0:
            log = logs[-1]
            if log.tail is not None and log.id not in settled:
                committed = log.tail.committed
                taken = min(records, committed)
                self._slice.append((log, log.tail, taken))
                if taken < committed:
                    break
                records -= taken + len(log.tail.moved)
                moved.append((log, log.tail.moved))
            logs.pop()
        rows = [row for _, tail, taken in self._slice for row in tail.rows[:taken]]
        self._keys.note(db, add_entries(db, rows))
        write_positions(db, position_rows(moved))


def position_rows(
    moved: Iterable[tuple[OpenLog, Mapping[Uid, Position]]],
) -> list[PositionRow]:
    """Positions of logs as rows of their table."""
    return [
        (log.id, uid, at.delivered, at.displayed, at.n)
        for log, positions in moved
        for uid, at in positions.items()
    ]
