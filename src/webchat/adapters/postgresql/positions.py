"""The port of positions on PostgreSQL: moves are queued, reads go beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from webchat.adapters.postgresql.connections import Connections
from webchat.adapters.postgresql.values import bounded
from webchat.adapters.postgresql.writer import Writer
from webchat.model import ConvID, Position, Seq, Uid
from webchat.ports.positions import Move, MoveDone

_OF_USER: Final = """
    SELECT log.name, delivered, displayed, position.n FROM unnest($2::text[]) AS asked (name)
    JOIN log ON log.name = asked.name JOIN position ON position.log = log.id AND uid = $1"""
# LATERAL with a LIMIT: or a plan may read the positions of a large group to find a few.
_OF_MEMBERS: Final = """
    SELECT uid, delivered, displayed, n
    FROM unnest($2::text[]) AS asked (one) CROSS JOIN LATERAL (
        SELECT * FROM position
        WHERE log = (SELECT id FROM log WHERE name = $1) AND uid = one LIMIT 1
    ) AS place"""
# $4: before all the entries asked for, where all places are the same. Readers at the same place
# are one row before they meet the entries.
_COUNTS: Final = """
    WITH reader AS MATERIALIZED (
        SELECT since, delivered, shown, count(*) AS readers FROM (
            SELECT greatest(since, $4::bigint) AS since, delivered,
            greatest(CASE WHEN display_receipts IS FALSE THEN 0 ELSE displayed END, $4) AS shown
            FROM member JOIN position USING (log, uid) LEFT JOIN account USING (uid)
            WHERE log = (SELECT id FROM log WHERE name = $1) AND until IS NULL AND uid <> $2
            AND delivered > $4
        ) AS place GROUP BY since, delivered, shown
    )
    SELECT asked,
    coalesce(sum(readers) FILTER (WHERE delivered >= asked), 0)::bigint,
    coalesce(sum(readers) FILTER (WHERE shown >= asked), 0)::bigint
    FROM unnest($3::bigint[]) AS asked LEFT JOIN reader ON since < asked GROUP BY asked"""


class PostgresPositions:
    """How far members have come. See `ports/positions.py`."""

    def __init__(self, writer: Writer, reader: Connections) -> None:
        self._submit = writer.submit
        self._fetch = reader.fetch

    def move(self, moves: Sequence[Move], done: MoveDone) -> None:
        """Queue `moves` for the next commit."""
        self._submit(moves, done)

    async def of_user(self, uid: Uid, convs: Sequence[ConvID]) -> Mapping[ConvID, Position]:
        """The user's positions in these conversations."""
        rows = await self._fetch(_OF_USER, uid, convs)
        return {conv: Position(*position) for conv, *position in rows}

    async def of_members(self, conv: ConvID, uids: Sequence[Uid]) -> Mapping[Uid, Position]:
        """These members' positions in the conversation."""
        rows = await self._fetch(_OF_MEMBERS, conv, uids)
        return {uid: Position(*position) for uid, *position in rows}

    async def counts(
        self, conv: ConvID, author: Uid, seqs: Sequence[Seq]
    ) -> Mapping[Seq, tuple[int, int]]:
        """How many others have these entries (delivered, displayed)."""
        asked = {bounded(seq) for seq in seqs}
        before = min(asked, default=0) - 1
        rows = await self._fetch(_COUNTS, conv, author, list(asked), before)
        counted = {seq: (delivered, displayed) for seq, delivered, displayed in rows}
        return {seq: counted[bounded(seq)] for seq in seqs}
