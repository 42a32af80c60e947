"""Which keys of idempotence are certainly new, without a look into their table.

The table lies by hash: where it is large, each look is a page at random. A Bloom filter with one
hash function (Bloom, "Space/Time Trade-offs in Hash Coding with Allowable Errors", CACM 1970) has a
bit for each key, and is filled from the table a slice at a time (docs/adr/0008-journal.md).
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterable
from typing import Final, TypeVar

from webchat.adapters.sqlite.damage import is_damage

T = TypeVar("T")

_LEAST_BYTES: Final = 1024 * 1024
_SLICE: Final = 500
"""So many rows at least are read at a time, in a quarter of a millisecond."""

_ROWS: Final = """
    SELECT log, hash FROM entry_key WHERE (log, hash) > (?, ?) ORDER BY log, hash LIMIT ?"""
_FIRST: Final = (0, 0)
"""A place before all others: logs are numbered from 1 on."""

_GIVEN_UP: Final = "keys are looked up one by one: %s"
_log = logging.getLogger(__name__)


class KeyFilter:
    """A bit for each hash that was added, of `keys.key_hash`. Used by the writer's thread.

    It begins with 32 bits a key or more, with which 97 of 100 new keys are known to be new, and
    should begin again when it has come down to 8: as far as `max_bytes` allow. Where these are less
    than 2 bits a key there is none, and each key may have been met before.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bits = bytearray()
        self._count = 0
        self._after: tuple[int, int] | None = None
        self._is_whole = False

    @property
    def is_filling(self) -> bool:
        """Whether the table was not read to its end yet."""
        return self._after is not None

    @property
    def is_outgrown(self) -> bool:
        """Whether it is time to begin again, with more bits."""
        size = len(self._bits)
        return self._is_whole and self._count > size and 2 * size <= self._max_bytes

    def begin(self, db: sqlite3.Connection) -> None:
        """Forget all, to read the table from its start."""
        self._give_up()
        try:
            (entries,) = db.execute("SELECT ifnull(max(id), 0) FROM entry").fetchone()
        except sqlite3.Error as error:
            if not is_damage(error):
                raise
            _log.warning(_GIVEN_UP, error)
            return
        size = _LEAST_BYTES
        while size < 4 * entries:
            size *= 2
        while size > self._max_bytes:
            size //= 2
        if 0 < size >= entries / 4:
            self._bits, self._after = bytearray(size), _FIRST

    def add(self, hashes: Iterable[int]) -> None:
        """Know these from now on."""
        bits, mask = self._bits, 8 * len(self._bits) - 1
        if bits:
            for hashed in hashes:
                at = hashed & mask
                bits[at >> 3] |= 1 << (at & 7)
                self._count += 1

    def go_on(self, db: sqlite3.Connection, writes: int) -> None:
        """Read a slice of the table, after a transaction of so many writes; not within one, which
        could not be written to any more if a page is damaged."""
        # More than comes in, or it would never end.
        limit = max(_SLICE, 2 * writes)
        try:
            rows = db.execute(_ROWS, (*(self._after or _FIRST), limit)).fetchall()
            self.add(hashed for _, hashed in rows)
        except Exception as error:
            # What does not need a damaged page can be served.
            _log.warning(_GIVEN_UP, error)
            self._give_up()
        else:
            self._is_whole = len(rows) < limit
            self._after = None if self._is_whole else rows[-1]

    def maybe_known(self, places: Iterable[tuple[T, int]]) -> list[tuple[T, int]]:
        """Those of (log, hash) that may have been met before: all others are new."""
        if not self._is_whole:
            return list(places)
        bits, mask = self._bits, 8 * len(self._bits) - 1
        return [place for place in places if bits[(at := place[1] & mask) >> 3] & 1 << (at & 7)]

    def _give_up(self) -> None:
        self._bits = bytearray()
        self._count = 0
        self._after = None
        self._is_whole = False
