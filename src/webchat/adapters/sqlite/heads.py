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
        self._tails = ledger.tails

    def read(self, db: sqlite3.Connection, convs: Iterable[ConvID]) -> dict[ConvID, Head]:
        """The heads of those that exist."""
        asked = list(convs)
        ends = self.ends(asked)
        (found,) = db.execute(_HEADS, (as_list(asked),)).fetchone()
        heads = {conv: Head(*head) for conv, *head in _decode(found)}
        for conv, end in ends.items():
            heads[conv] = max(heads.get(conv, NO_HEAD), end)
        return heads

    def read_less(self, db: sqlite3.Connection, convs: Iterable[ConvID]) -> dict[ConvID, Head]:
        """The same, where the tables are damaged: of logs that have a tail they are not asked."""
        asked = list(convs)
        ends = self.ends(asked)
        return self.read(db, [conv for conv in asked if conv not in ends]) | ends

    def ends(self, convs: Iterable[ConvID]) -> dict[ConvID, Head]:
        """Where the tails of logs end; those are left out of which the tables say it all."""
        tails = self._tails(convs)
        return {conv: end for conv, tail in tails.items() if (end := tail.end()) is not None}
