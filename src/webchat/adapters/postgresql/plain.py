"""Plain appends, with nothing to follow, to logs that exist: any number of them is one statement.

It is a transaction of its own, so a commit costs one round trip.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from webchat.adapters.postgresql.connections import Connection
from webchat.model import MESSAGE, NO_POSITION, ConvID, Entry, Position, Seq, Uid, seal
from webchat.ports.log import Append, Appended
from webchat.ports.positions import Moved

# Raising the head locks it: whoever comes next, on any node, goes on after it. The rows of logs and
# of positions are taken in one order on every node, which is that of `tables.py`. A log that is not
# raised keeps its appends out; so does one whose id is another's by now, where a server that lost
# commits has given it out again.
_APPEND: Final = """
    WITH head AS (
        UPDATE log SET last = last + entries, n = log.n + messages, at = $1
        FROM unnest($2::bigint[], $3::bigint[], $4::text[], $5::bigint[], $6::bigint[],
        $7::bigint[])
        AS asked (log, number, name, entries, messages, members_as_of)
        WHERE log.id = asked.log AND log.name = asked.name AND last > 0
        AND members_seq <= members_as_of
        RETURNING number, log.id AS log, last - entries AS last, log.n - messages AS n, members_seq
    ), written AS (
        INSERT INTO entry (log, seq, n, at, members_seq, kind, sender, msg_id, envelope)
        SELECT log, last + place, n + count, $1, members_seq, kind, sender, msg_id, envelope
        FROM unnest($8::bigint[], $9::bigint[], $10::bigint[], $11::text[], $12::text[],
        $13::bytea[], $14::bytea[])
        AS draft (number, place, count, kind, sender, msg_id, envelope) JOIN head USING (number)
    ), mover AS (
        SELECT number, log, uid, last + place AS seq, n + count AS n
        FROM unnest($15::bigint[], $16::text[], $17::bigint[], $18::bigint[])
        AS mover (number, uid, place, count) JOIN head USING (number)
    ), moved AS (
        INSERT INTO position (log, uid, delivered, displayed, n)
        SELECT log, uid, seq, seq, n FROM mover WHERE uid <> ''
        ORDER BY log, uid COLLATE "C"
        ON CONFLICT (log, uid) DO UPDATE
        SET delivered = excluded.delivered, displayed = excluded.displayed, n = excluded.n
    )
    SELECT mover.number, mover.uid, mover.seq, mover.n, delivered, displayed, was.n
    FROM mover LEFT JOIN LATERAL (
        SELECT * FROM position WHERE log = mover.log AND uid = mover.uid LIMIT 1
    ) AS was ON true"""
_ANY_MEMBERS: Final = 2**63 - 1
_NOBODY: Final = ""


def is_plain(request: Append) -> bool:
    """Whether `request` can be appended here if its log exists."""
    return request.follow is None and not request.is_membership and not request.must_be_new


class Plain:
    """Plain appends, in order, to be written together. `ids`: of their logs."""

    def __init__(self, requests: Sequence[Append], ids: Mapping[ConvID, int]) -> None:
        self._requests = requests
        self._ids = ids
        self._ends: dict[ConvID, _End] = {}
        self._movers: dict[tuple[int, Uid], tuple[int, int]] = {}
        self._drafts: list[tuple[Any, ...]] = []
        for request in requests:
            self._add(request)

    async def append(self, connection: Connection, at: int) -> list[Appended | None]:
        """Append them at `at` (ms); None for those that cannot be appended so.

        Raises asyncpg.UniqueViolationError, and nothing was written, if one was appended before.
        """
        ends = sorted((self._ids[conv], *end.counted(conv)) for conv, end in self._ends.items())
        movers = [(*mover, *place) for mover, place in self._movers.items()]
        rows = await connection.fetch(
            _APPEND, at, *_columns(ends), *_columns(self._drafts), *_columns(movers)
        )
        heads: dict[int, tuple[Seq, int]] = {}
        was: dict[tuple[int, Uid], Position] = {}
        for number, uid, seq, n, *position in rows:
            place, count = self._movers[number, uid]
            heads[number] = (seq - place, n - count)
            if position[0] is not None:
                was[number, uid] = Position(*position)
        return self._outcomes(heads, was, at)

    def _add(self, request: Append) -> None:
        end = self._ends.get(request.conv)
        if end is None:
            end = self._ends[request.conv] = _End(len(self._ends))
        for draft in request.drafts:
            end.entries += 1
            end.messages += draft.kind == MESSAGE
            place = (end.number, end.entries, end.messages)
            said = (draft.kind, draft.sender, draft.msg_id.encode(), draft.envelope)
            self._drafts.append(place + said)
        if request.members_as_of is not None and request.members_as_of < end.members_as_of:
            end.members_as_of = max(request.members_as_of, 0)
        mover = request.drafts[-1].sender if request.moves_sender else _NOBODY
        self._movers[end.number, mover] = (end.entries, end.messages)

    def _outcomes(
        self,
        heads: Mapping[int, tuple[Seq, int]],
        was: dict[tuple[int, Uid], Position],
        at: int,
    ) -> list[Appended | None]:
        outcomes: list[Appended | None] = []
        drafts = iter(self._drafts)
        for request in self._requests:
            places = [next(drafts) for _ in request.drafts]
            number = self._ends[request.conv].number
            if (head := heads.get(number)) is None:
                outcomes.append(None)
                continue
            last, n = head
            entries = tuple(
                seal(draft, request.conv, last + place, n + count, at)
                for draft, (_, place, count, *_) in zip(request.drafts, places, strict=True)
            )
            moved = _moved(was, number, entries[-1]) if request.moves_sender else None
            outcomes.append(Appended(entries, (), fresh=True, moved=moved))
        return outcomes


class _End:
    """What is added to the end of a log, and as of which membership entry; `number`: the log's
    among those that are appended to together."""

    __slots__ = ("entries", "members_as_of", "messages", "number")

    def __init__(self, number: int) -> None:
        self.number = number
        self.entries = 0
        self.messages = 0
        self.members_as_of = _ANY_MEMBERS

    def counted(self, name: ConvID) -> tuple[int, ConvID, int, int, int]:
        return self.number, name, self.entries, self.messages, self.members_as_of


def _moved(was: dict[tuple[int, Uid], Position], number: int, entry: Entry) -> Moved:
    before = was.get((number, entry.sender), NO_POSITION)
    after = was[number, entry.sender] = Position(entry.seq, entry.seq, entry.n)
    return Moved(entry.conv, entry.sender, before, after)


def _columns(rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return list(zip(*rows, strict=True))
