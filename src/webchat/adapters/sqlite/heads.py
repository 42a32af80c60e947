"""Where logs end, as committed: the tail of each is looked into before the tables.

All heads come as one row of JSON: between rows SQLite lets go of the interpreter's lock, and to get
it back while the loop is busy costs more than to read the row.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Final

import msgspec

from webchat.adapters.sqlite.ledger import Ledger
from webchat.adapters.sqlite.reader import as_list
from webchat.model import NO_HEAD, ConvID, Head, Seq

NEWEST: Final = "(SELECT max(seq) FROM entry WHERE log = log.id)"
_HEADS: Final = f"""
    SELECT json_group_array(json_array(log.name, seq, n, at, members_seq))
    FROM json_each(?) AS asked CROSS JOIN log ON log.name = asked.value
    CROSS JOIN entry ON entry.log = log.id AND seq = {NEWEST}"""  # noqa: S608
_decode: Final = msgspec.json.Decoder(list[tuple[ConvID, Seq, int, int, Seq]]).decode


class Heads:
    """Reads them; for any thread."""

    def __init__(self, ledger: Ledger) -> None:
        self._tail = ledger.tail

    def read(self, db: sqlite3.Connection, convs: Iterable[ConvID]) -> dict[ConvID, Head]:
        """The heads of those that exist."""
        ends = {conv: self.end(conv) for conv in convs}
        (found,) = db.execute(_HEADS, (as_list(ends),)).fetchone()
        heads = {conv: Head(*head) for conv, *head in _decode(found)}
        for conv, end in ends.items():
            if end is not NO_HEAD:
                heads[conv] = max(heads.get(conv, NO_HEAD), end)
        return heads

    def end(self, conv: ConvID) -> Head:
        """Where a log's tail ends; NO_HEAD: the tables say it all."""
        tail = self._tail(conv)
        return (tail and tail.end()) or NO_HEAD
