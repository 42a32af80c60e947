"""The port of positions on SQLite: moves are queued, reads go beside them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from operator import attrgetter
from typing import Final

from webchat.adapters.sqlite.ledger import Ledger
from webchat.adapters.sqlite.logs import Logs
from webchat.adapters.sqlite.reader import Reading, as_list, bounded
from webchat.adapters.sqlite.writer import Writer
from webchat.model import ConvID, Position, Seq, Uid
from webchat.ports.positions import Move, MoveDone

# ?4: before all the entries asked for, where all places are the same. Readers at the same place
# are one row before they meet the entries. CROSS JOIN: few of a large group have the newest
# entries, and for the others nothing more is looked up.
_COUNTS: Final = """
    WITH reader AS MATERIALIZED (
        SELECT since, delivered, shown, count(*) AS readers FROM (
            SELECT max(since, ?4) AS since, delivered,
            max(iif(display_receipts = 0, 0, displayed), ?4) AS shown
            FROM position CROSS JOIN member USING (log, uid) LEFT JOIN account USING (uid)
            WHERE log = (SELECT id FROM log WHERE name = ?1) AND until IS NULL AND uid <> ?2
            AND delivered > ?4
        ) GROUP BY since, delivered, shown
    )
    SELECT asked.value,
    ifnull(sum(readers) FILTER (WHERE delivered >= asked.value), 0),
    ifnull(sum(readers) FILTER (WHERE shown >= asked.value), 0)
    FROM json_each(?3) AS asked LEFT JOIN reader ON since < asked.value GROUP BY asked.value"""
_how_far: Final = attrgetter("delivered", "displayed")


class SqlitePositions:
    """How far members have come. See `ports/positions.py`.

    Reads look into the tail first, then into the tables: what is folded between is seen twice.
    """

    def __init__(self, logs: Logs, writer: Writer, reader: Reading, ledger: Ledger) -> None:
        self._logs = logs
        self._writer = writer
        self._reader = reader
        self._tail = ledger.tail
        self._tails = ledger.tails

    def move(self, moves: Sequence[Move], done: MoveDone) -> None:
        """Queue `moves` for the next transaction."""
        self._writer.submit(partial(self._logs.move, refused={}), moves, done)

    async def of_user(self, uid: Uid, convs: Sequence[ConvID]) -> Mapping[ConvID, Position]:
        """The user's positions in these conversations."""
        query = """
            SELECT log.name, delivered, displayed, n
            FROM json_each(?) AS asked JOIN log ON log.name = asked.value
            JOIN position ON position.log = log.id AND uid = ?"""
        tails = self._tails(convs)
        moved = {conv: tail.moved.get(uid) for conv, tail in tails.items()}
        return _newer(await self._read(query, convs, uid), moved)

    async def of_members(self, conv: ConvID, uids: Sequence[Uid]) -> Mapping[Uid, Position]:
        """These members' positions in the conversation."""
        # CROSS JOIN: or SQLite may read the positions of a large group to find a few.
        query = """
            SELECT uid, delivered, displayed, n
            FROM json_each(?) AS asked CROSS JOIN position
            ON position.log = (SELECT id FROM log WHERE name = ?) AND uid = asked.value"""
        tail = self._tail(conv)
        moved = {uid: tail.moved.get(uid) for uid in uids} if tail is not None else {}
        return _newer(await self._read(query, uids, conv), moved)

    async def counts(
        self, conv: ConvID, author: Uid, seqs: Sequence[Seq]
    ) -> Mapping[Seq, tuple[int, int]]:
        """How many others have these entries (delivered, displayed)."""
        asked = {bounded(seq) for seq in seqs}
        parameters = (conv, author, as_list(asked), min(asked, default=0) - 1)
        if (tail := self._tail(conv)) is not None and tail.moved:
            await self._writer.write(self._logs.settle, conv)
        rows = await self._reader.read(lambda db: db.execute(_COUNTS, parameters).fetchall())
        counted = {seq: (delivered, displayed) for seq, delivered, displayed in rows}
        return {seq: counted[bounded(seq)] for seq in seqs}

    async def _read(self, query: str, asked: Iterable[str], of: str) -> dict[str, Position]:
        parameters = (as_list(asked), of)
        rows = await self._reader.read(lambda db: db.execute(query, parameters).fetchall())
        return {name: Position(*position) for name, *position in rows}


def _newer(
    stored: dict[str, Position], moved: Mapping[str, Position | None]
) -> Mapping[str, Position]:
    """Of each the position further on: none ever goes back."""
    for name, position in moved.items():
        if position is not None:
            stored[name] = max(stored.get(name, position), position, key=_how_far)
    return stored
