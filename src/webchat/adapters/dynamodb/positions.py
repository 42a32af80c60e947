"""How far members have come: in their own rows, and for the last senders in the log's head."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final, Protocol

from webchat.adapters.dynamodb import keys
from webchat.adapters.dynamodb.head import LogHead, further
from webchat.adapters.dynamodb.reader import LogReader
from webchat.adapters.dynamodb.rows import MemberRow, RowCache, forward, read_row, uid_of
from webchat.adapters.dynamodb.steady import SteadyTable, as_refusal
from webchat.adapters.dynamodb.table import Item
from webchat.model import NO_POSITION, ConvID, Position, Seq, Uid
from webchat.ports.positions import Move, Moved, MoveDone

Queued = tuple[Sequence[Move], MoveDone]
_AT_ONCE: Final = 4
"""Members of a conversation that are moved at once: what is asked of one that is throttled, or that
fails, leaves most connections to the others."""


class Heads(Protocol):
    """Who knows ends of logs without asking, and has what was queued for them written."""

    async def head_behind(self, conv: ConvID, seq: Seq) -> LogHead:
        """The head, maybe an older one, if that reaches `seq` already."""


class Hidden(Protocol):
    """Who knows who hides how far it has read."""

    async def hiding_among(self, uids: Sequence[Uid]) -> set[Uid]:
        """Those of `uids` whose display receipts are off."""


class DynamoPositions:
    """See `ports/positions.py`. A move is one write if this node knows the row.

    What is queued while moves of the same conversation are written waits for them: so those of one
    member are told of in the order in which they were queued.
    """

    def __init__(
        self,
        table: SteadyTable,
        reader: LogReader,
        heads: Heads,
        hidden: Hidden,
        cache: RowCache,
        parallel: int,
    ) -> None:
        """`parallel`: members that are moved at once."""
        self._table = table
        self._reader = reader
        self._heads = heads
        self._hidden = hidden
        self._cache = cache
        self._gate = asyncio.Semaphore(parallel)
        self._queued: dict[ConvID, list[Queued]] = {}
        self._tasks: dict[ConvID, asyncio.Task[None]] = {}

    def move(self, moves: Sequence[Move], done: MoveDone) -> None:
        """Queue all `moves`; `done` is called for those of each conversation when they are durable,
        and for none when all that was queued before is."""
        by_conv: dict[ConvID, list[Move]] = {}
        for move in moves:
            by_conv.setdefault(move.conv, []).append(move)
        if not moves:
            by_conv = {conv: [] for conv in self._tasks}
            done = _called_last(done, len(by_conv))
        for conv, of_conv in by_conv.items():
            self._queued.setdefault(conv, []).append((of_conv, done))
            if conv not in self._tasks:
                task = asyncio.get_running_loop().create_task(self._run(conv))
                self._tasks[conv] = task
        if not by_conv:
            asyncio.get_running_loop().call_soon(done, [])

    async def of_user(self, uid: Uid, convs: Sequence[ConvID]) -> Mapping[ConvID, Position]:
        """The user's positions in these conversations."""
        heads = await self._reader.heads(convs)
        rows = await self._table.get_many(keys.member(conv, uid) for conv in convs)
        found = {
            conv: _position(rows.get(keys.member(conv, uid)), heads.get(conv), uid)
            for conv in convs
        }
        return {conv: position for conv, position in found.items() if position is not None}

    async def of_members(self, conv: ConvID, uids: Sequence[Uid]) -> Mapping[Uid, Position]:
        """These members' positions in the conversation."""
        head = await self._reader.head(conv)
        rows = await self._table.get_many(keys.member(conv, uid) for uid in uids)
        found = {uid: _position(rows.get(keys.member(conv, uid)), head, uid) for uid in uids}
        return {uid: position for uid, position in found.items() if position is not None}

    async def counts(
        self, conv: ConvID, author: Uid, seqs: Sequence[Seq]
    ) -> Mapping[Seq, tuple[int, int]]:
        """How many others have these entries: (delivered, displayed)."""
        head = await self._reader.head(conv)
        span = keys.prefixed(keys.log(conv), keys.MEMBER)
        readers = {
            uid_of(item): (read_row(item), _position(item, head, uid_of(item)) or NO_POSITION)
            async for item in self._table.items(span)
            if uid_of(item) != author and read_row(item).is_present
        }
        first = min(seqs, default=0)
        shown = [uid for uid, (_, position) in readers.items() if position.displayed >= first]
        hiding = await self._hidden.hiding_among(shown) if seqs else set()
        return {seq: _count(seq, readers, hiding) for seq in seqs}

    async def before_sending(self, conv: ConvID, uid: Uid) -> Position:
        """Where a sender's row was, for what its message moved; remembered if it can be."""
        key = keys.member(conv, uid)
        item = self._cache.get(key)
        if item is None:
            item = await self._table.get(key)
            self._cache.put(key, item or {})
        return read_row(item or None).position or NO_POSITION

    async def close(self) -> None:
        """Finish what is queued."""
        while self._tasks:
            await asyncio.wait(self._tasks.values())

    async def _run(self, conv: ConvID) -> None:
        try:
            while taken := self._queued.pop(conv, ()):
                await self._move_all(taken)
        finally:
            del self._tasks[conv]

    async def _move_all(self, taken: Sequence[Queued]) -> None:
        """All that is queued for one conversation."""
        tell = asyncio.get_running_loop().call_soon
        by_uid: dict[Uid, list[Move]] = {}
        for moves, _ in taken:
            for move in moves:
                by_uid.setdefault(move.uid, []).append(move)
        outcomes = await self._table.each(self._outcomes, by_uid.values(), _AT_ONCE)
        told = {uid: iter(moved) for uid, moved in zip(by_uid, outcomes, strict=True)}
        for moves, done in taken:
            tell(done, [next(told[move.uid]) for move in moves])

    async def _outcomes(self, moves: list[Move]) -> list[Moved]:
        async with self._gate:
            try:
                return await self._move_one(moves)
            except Exception as error:
                refused = as_refusal(error)
                return [Moved(m.conv, m.uid, NO_POSITION, NO_POSITION, refused) for m in moves]

    async def _move_one(self, moves: list[Move]) -> list[Moved]:
        """All moves of one member, in one write."""
        conv, uid = moves[0].conv, moves[0].uid
        head = await self._heads.head_behind(
            conv, max(max(m.delivered, m.displayed) for m in moves)
        )
        steps = [await self._step(head, move) for move in moves]
        places: list[Position] = []

        def step(item: Item | None) -> Item | None:
            row = read_row(item)
            start = _position(item, head, uid) or NO_POSITION
            places[:] = [start]
            for to in steps:
                places.append(forward(places[-1], to))
            after = forward(row.position, places[-1])
            unmoved = places[-1] == start or after == row.position
            return None if unmoved else {**(item or {}), **row.at(after).item()}

        key = keys.member(conv, uid)
        guess = self._cache.get(key)
        self._cache.put(key, await self._table.change(key, step, guess=guess))
        return [Moved(conv, uid, before, after) for before, after in pairwise(places)]

    async def _step(self, head: LogHead, move: Move) -> Position:
        displayed = max(min(move.displayed, head.last), 0)
        delivered = max(min(move.delivered, head.last), displayed)
        entries = await self._reader.at(head, [displayed]) if displayed else []
        return Position(delivered, displayed, entries[0].n if entries else 0)


def _called_last(done: MoveDone, times: int) -> MoveDone:
    """Calls `done`, with no moves, where it is called for the last of so many times."""
    left = times

    def told(_: Sequence[Moved] | Exception) -> None:
        nonlocal left
        left -= 1
        if left <= 0:
            done([])

    return told


def _position(item: Item | None, head: LogHead | None, uid: Uid) -> Position | None:
    moved = head.moved.get(uid) if head else None
    return further(read_row(item or None).position, moved)


def _count(
    seq: Seq, readers: Mapping[Uid, tuple[MemberRow, Position]], hiding: set[Uid]
) -> tuple[int, int]:
    delivered = displayed = 0
    for uid, (row, position) in readers.items():
        if row.spans[-1][0] < seq:
            delivered += position.delivered >= seq
            displayed += position.displayed >= seq and uid not in hiding
    return delivered, displayed
