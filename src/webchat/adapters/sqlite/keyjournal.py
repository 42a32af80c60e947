"""Keys of idempotence whose entries are in their table, before they come into that of the keys.

The table `entry_key` lies by hash, so each key of a long log has a page to itself, to be read and
written. Here keys are noted, a batch in a row of `key_journal`, and kept in memory until there are
many; then they come into their table in its order, several to a page (docs/adr/0008-journal.md).
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Final

import msgspec

from webchat.adapters.sqlite.damage import FoldFailed, put_off
from webchat.adapters.sqlite.keyfilter import KeyFilter
from webchat.adapters.sqlite.keys import Columns, at_key, at_place, has_key, key_hash
from webchat.adapters.sqlite.openlog import OpenLog
from webchat.adapters.sqlite.rows import write_keys
from webchat.adapters.sqlite.settings import SqliteSettings
from webchat.model import Uid

_Keys = dict[int, dict[int, int]]
"""By log: ids of entries by `key_hash`."""

_INSERT: Final = "INSERT INTO key_journal VALUES (?, ?)"
_BATCHES: Final = "SELECT id, batch FROM key_journal ORDER BY id"
_DELETE: Final = """
    DELETE FROM key_journal WHERE id IN
    (SELECT id FROM key_journal WHERE id <= ? ORDER BY id LIMIT ?)"""
_NONE: Final[Mapping[int, int]] = {}
_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(_Keys).decode


class KeyJournal:
    """The keys that are not in their table yet. Used by the writer's thread, but for `find`.

    One whose hash another one here has, which 64 bits hardly ever do, goes to the table at once.
    """

    def __init__(self, settings: SqliteSettings) -> None:
        self._settings = settings
        self._newest = self._count = 0
        self._keys: _Keys = {}
        self._filter = KeyFilter(settings.key_filter_bytes)
        # Of the transaction that runs.
        self._noted: _Keys = {}
        # Those that are being folded: up to which batch, what is left of them, and the slice;
        # whether nothing is left, and whether their batches are gone, too.
        self._folding: _Keys = {}
        self._until = 0
        self._left: Iterator[int] | None = None
        self._slice: list[int] = []
        self._is_last = self._is_over = False
        # While it waits, since it met a damaged page: until when.
        self._again_s = 0.0

    @property
    def is_empty(self) -> bool:
        """Whether the table has all keys."""
        return not self._count and self._left is None

    @property
    def is_learning(self) -> bool:
        """Whether `learn` has something to do."""
        return self._filter.is_filling

    def load(self, db: sqlite3.Connection) -> None:
        """Read what the file has. Raises sqlite3.DatabaseError if a batch is damaged."""
        for self._newest, keys in batches(db):
            self._add(keys)

    def learn(self, db: sqlite3.Connection, writes: int) -> None:
        """Read a slice of the table, to know which keys are new; after a transaction of so many
        writes."""
        self._filter.go_on(db, writes)

    def learn_anew(self, db: sqlite3.Connection) -> None:
        """Read the table from its start again: there may be keys that came another way."""
        self._filter.begin(db)
        for keys in (self._keys, self._folding):
            for of_log in keys.values():
                self._filter.add(of_log)

    def find(self, db: sqlite3.Connection, log: int, sender: Uid, msg_id: str) -> Columns | None:
        """The entry with that key, if the tables have it. For any thread."""
        hashed = key_hash(sender, msg_id)
        if hashed is None:
            return None
        id_ = self._entry(log, hashed)
        row = None if id_ is None else at_place(db, id_, log, sender, msg_id)
        return row or at_key(db, log, hashed, sender, msg_id)

    def met(
        self, db: sqlite3.Connection, places: Iterable[tuple[OpenLog, int]]
    ) -> set[tuple[OpenLog, int]]:
        """Those of (log, `key_hash`) at which there is a key."""
        return {
            (log, hashed)
            for log, hashed in self._filter.maybe_known(places)
            if self._entry(log.id, hashed) is not None or has_key(db, log.id, hashed)
        }

    def put(self, db: sqlite3.Connection, keys: Sequence[int]) -> None:
        """Write keys, given as to `note`, to the table at once."""
        write_keys(db, keys)
        self._filter.add(keys[1::3])

    def go_on(self, db: sqlite3.Connection, added: int) -> None:
        """Fold a slice, if there is one, in a transaction that adds so many; before its `note`.
        Raises FoldFailed."""
        if self._again_s:
            if time.monotonic() < self._again_s:
                return
            self._again_s = 0.0
        try:
            if self._filter.is_outgrown:
                self.learn_anew(db)
            if self._left is None and self._count >= self._settings.journal_keys:
                self._folding, self._keys, self._count = self._keys, {}, 0
                self._until, self._left = self._newest, _in_order(self._folding)
            if self._left is not None:
                # More than comes in, or the fold would never end.
                at_once = max(self._settings.fold_slice, 2 * added)
                self._take(self._left, 3 * at_once)
                write_keys(db, self._slice)
                if self._is_last:
                    # A quiet server has as many batches as keys.
                    gone = db.execute(_DELETE, (self._until, 2 * at_once)).rowcount
                    self._is_over = gone < 2 * at_once
        except sqlite3.Error as error:
            self._again_s = put_off(error)
            raise FoldFailed(str(error)) from error

    def note(self, db: sqlite3.Connection, keys: Iterable[int]) -> None:
        """Put keys at the end: log, `key_hash` and the entry's id, one after the other."""
        noted = self._noted
        met_again: list[int] = []
        values = iter(keys)
        # Sorted piece by piece, the whole is sorted in half the time.
        for log, hashed, id_ in sorted(zip(values, values, values, strict=True)):
            of_log = noted.get(log)
            if of_log is None:
                of_log = noted[log] = {}
            if hashed in of_log or self._entry(log, hashed) is not None:
                met_again += (log, hashed, id_)
            else:
                of_log[hashed] = id_
        if noted:
            # Counted up even if the transaction fails, so that no number comes twice.
            self._newest += 1
            db.execute(_INSERT, (self._newest, _encode(noted)))
        write_keys(db, met_again)

    def committed(self) -> None:
        """What was noted and folded is durable."""
        if self._noted:
            self._add(self._noted)
            self._noted = {}
        if not self._again_s:
            self._slice = []
        if self._is_over:
            self._end_fold()

    def rolled_back(self) -> None:
        """It is not: the slice comes again."""
        self._noted = {}
        self._is_over = False

    def forget(self) -> None:
        """Another process has brought all of them into their table."""
        self._keys, self._count, self._slice, self._again_s = {}, 0, [], 0.0
        self._end_fold()

    def _end_fold(self) -> None:
        self._folding, self._left = {}, None
        self._is_last = self._is_over = False

    def _take(self, left: Iterator[int], values: int) -> None:
        """Have a slice of so many, or the one that was not written; none after the last."""
        if self._slice or self._is_last:
            return
        try:
            self._slice = list(islice(left, values))
        except MemoryError:
            # An iterator that failed would seem to be at its end.
            self._left = _in_order(self._folding)
            raise
        self._is_last = len(self._slice) < values

    def _entry(self, log: int, hashed: int) -> int | None:
        """The id of the entry with that hash, if its key is here. For any thread."""
        # In the order in which keys go from one to the other.
        found = self._keys.get(log, _NONE).get(hashed)
        return self._folding.get(log, _NONE).get(hashed) if found is None else found

    def _add(self, keys: _Keys) -> None:
        for of_log in keys.values():
            self._count += len(of_log)
            self._filter.add(of_log)
        _merge(keys, self._keys)


def batches(db: sqlite3.Connection) -> Iterator[tuple[int, _Keys]]:
    """All that the file has, in order, with their numbers. Raises sqlite3.DatabaseError if one is
    damaged."""
    for id_, encoded in db.execute(_BATCHES):
        try:
            yield id_, _decode(encoded)
        except msgspec.DecodeError as error:
            raise sqlite3.DatabaseError(f"the keys' batch {id_} is damaged") from error


def fold_all(db: sqlite3.Connection) -> None:
    """Bring all keys into their table, within a transaction."""
    keys: _Keys = {}
    for _, batch in batches(db):
        _merge(batch, keys)
    write_keys(db, list(_in_order(keys)))
    db.execute("DELETE FROM key_journal")


def _merge(keys: _Keys, into: _Keys) -> None:
    for log, of_log in keys.items():
        if log in into:
            into[log].update(of_log)
        else:
            into[log] = of_log


def _in_order(keys: _Keys) -> Iterator[int]:
    """Log, hash and id of each, in the order of their table."""
    for log in sorted(keys):
        of_log = keys[log]
        for hashed in sorted(of_log):
            yield log
            yield hashed
            yield of_log[hashed]
