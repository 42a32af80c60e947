"""Moving positions forward: any number of moves is one statement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from webchat.adapters.postgresql.connections import Connection, in_transaction
from webchat.adapters.postgresql.values import bounded
from webchat.model import NO_POSITION, ConvID, Position, Uid
from webchat.ports.positions import Move, Moved

# Rows are taken in one order on every node, which is that of `tables.py`. What another node moved
# meanwhile is kept by the upsert; `was` may then be told too low, so that a receipt is told twice.
_MOVE: Final = """
    WITH asked AS MATERIALIZED (
        SELECT log.id AS log, said.uid, least(said.displayed, log.last) AS displayed,
        greatest(least(said.delivered, log.last), least(said.displayed, log.last)) AS delivered
        FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[])
        AS said (conv, uid, delivered, displayed) JOIN log ON log.name = said.conv
    ), was AS MATERIALIZED (
        SELECT asked.log, asked.uid,
        asked.delivered AS to_delivered, asked.displayed AS to_displayed,
        coalesce(position.delivered, 0) AS delivered, coalesce(position.displayed, 0) AS displayed,
        coalesce(position.n, 0) AS n
        FROM asked LEFT JOIN position ON position.log = asked.log AND position.uid = asked.uid
    ), moved AS (
        INSERT INTO position (log, uid, delivered, displayed, n)
        SELECT log, uid, greatest(delivered, to_delivered), greatest(displayed, to_displayed),
        CASE WHEN to_displayed <= displayed THEN n
        ELSE (SELECT n FROM entry WHERE entry.log = was.log AND seq = to_displayed) END
        FROM was WHERE to_delivered > delivered OR to_displayed > displayed
        ORDER BY log, uid COLLATE "C"
        ON CONFLICT (log, uid) DO UPDATE SET
        delivered = greatest(position.delivered, excluded.delivered),
        displayed = greatest(position.displayed, excluded.displayed),
        n = greatest(position.n, excluded.n)
        RETURNING log, uid, delivered, displayed, n
    )
    SELECT log.name, uid, was.delivered, was.displayed, was.n,
    moved.delivered, moved.displayed, moved.n
    FROM was JOIN log ON log.id = was.log LEFT JOIN moved USING (log, uid)"""

Person = tuple[ConvID, Uid]


async def move(requests: Sequence[Sequence[Move]], connection: Connection) -> list[list[Moved]]:
    """What each of all moves of all `requests` did, in their order."""
    turns = _turns(requests)

    async def run(connection: Connection) -> list[list[Moved]]:
        moved = [[_nothing(each) for each in moves] for moves in requests]
        for turn in turns:
            found = await _move(connection, [requests[at][place] for at, place in turn])
            for at, place in turn:
                each = requests[at][place]
                moved[at][place] = found.get((each.conv, each.uid), moved[at][place])
        return moved

    # A turn that was kept while a later one was broken off would, tried again, have moved nothing.
    return await (in_transaction(connection, run) if len(turns) > 1 else run(connection))


def _turns(requests: Sequence[Sequence[Move]]) -> list[list[tuple[int, int]]]:
    """Where the moves are, parted so that nobody moves twice in a log in one statement."""
    turns = []
    left = [(at, place) for at, moves in enumerate(requests) for place in range(len(moves))]
    while left:
        turn: dict[Person, tuple[int, int]] = {}
        later = []
        for at, place in left:
            each = requests[at][place]
            if turn.setdefault((each.conv, each.uid), (at, place)) != (at, place):
                later.append((at, place))
        turns.append(list(turn.values()))
        left = later
    return turns


async def _move(connection: Connection, moves: Sequence[Move]) -> dict[Person, Moved]:
    convs, uids = [each.conv for each in moves], [each.uid for each in moves]
    delivered = [bounded(each.delivered) for each in moves]
    displayed = [bounded(each.displayed) for each in moves]
    rows = await connection.fetch(_MOVE, convs, uids, delivered, displayed)
    return {(row[0], row[1]): _moved(*row) for row in rows}


def _moved(conv: ConvID, uid: Uid, *places: Any) -> Moved:
    before = Position(*places[:3])
    # No row was written where nothing moved.
    return Moved(conv, uid, before, before if places[3] is None else Position(*places[3:]))


def _nothing(move: Move) -> Moved:
    return Moved(move.conv, move.uid, NO_POSITION, NO_POSITION)
