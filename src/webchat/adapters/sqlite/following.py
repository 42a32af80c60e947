"""What a user follows, on SQLite: one statement, which gives all it finds as one row of JSON, as in
`heads.py`.

Only the tables say which logs these are, so here tails are looked into after them. That misses what
is folded in between: then the tables are read once more. Where a page of them is damaged, each log
is asked for by itself.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from functools import partial
from heapq import nlargest
from operator import attrgetter
from typing import Final

import msgspec

from webchat.adapters.sqlite.damage import is_damage
from webchat.adapters.sqlite.entries import after_each
from webchat.adapters.sqlite.heads import NEWEST, Heads
from webchat.adapters.sqlite.ledger import Ledger
from webchat.adapters.sqlite.reader import MAX_INTEGER, Reading, around_damage
from webchat.errors import WebchatError
from webchat.model import NO_HEAD, ConvID, Head, Membership, Seq, Uid, user_log
from webchat.ports.following import Activity, Followed, Seen

# No span comes after one that is open.
_IS_NEWEST: Final = """uid = ?1 AND (until IS NULL OR since =
    (SELECT max(since) FROM member AS own WHERE own.log = member.log AND own.uid = ?1))"""
_SPANS: Final = f"""
    SELECT json_group_array(json_array(log.name, since, until, role, seq, n, at, members_seq))
    FROM member JOIN log ON log.id = member.log JOIN entry ON entry.id = (
        SELECT id FROM entry WHERE log = member.log AND seq <= ifnull(until, {MAX_INTEGER})
        ORDER BY seq DESC LIMIT 1
    ) WHERE {_IS_NEWEST}"""  # noqa: S608
_OWN_HEAD: Final = f"""
    SELECT json_array(seq, n, at, members_seq)
    FROM log JOIN entry ON entry.log = log.id AND seq = {NEWEST} WHERE log.name = ?2"""  # noqa: S608

_SPANS_ALONE: Final = f"""
    SELECT log.name, since, until, role
    FROM member JOIN log ON log.id = member.log WHERE {_IS_NEWEST}"""  # noqa: S608
_END: Final = """
    SELECT seq, n, at, members_seq FROM entry
    WHERE log = (SELECT id FROM log WHERE name = ?) AND seq <= ? ORDER BY seq DESC LIMIT 1"""
_NOWHERE: Final = (0, 0, 0, 0)

_FEW: Final = 100
_MANY: Final = f"EXISTS (SELECT 1 FROM member WHERE uid = ?1 LIMIT 1 OFFSET {_FEW})"  # noqa: S608

_ALL: Final = f"SELECT ({_SPANS}), ({_OWN_HEAD})"
_IF_FEW: Final = f"SELECT iif({_MANY}, NULL, ({_SPANS})), ({_OWN_HEAD})"


class _FollowsMany(Exception):  # noqa: N818
    """More than a brief read should find."""


class _Span(msgspec.Struct, array_like=True, gc=False):
    """The newest span of a conversation, and where its log ends or, if it was left, ended then:
    `last` is 0 where that cannot be read."""

    conv: ConvID
    since: Seq
    until: Seq | None
    role: str
    last: Seq
    n: int
    at: int
    members_seq: Seq

    def membership(self, uid: Uid) -> Membership:
        return Membership(self.conv, uid, self.since, self.until, self.role)


_decode_spans: Final = msgspec.json.Decoder(list[_Span]).decode
_decode_head: Final = msgspec.json.Decoder(tuple[Seq, int, int, Seq]).decode
_activity: Final = attrgetter("at", "conv")

_Tables = Callable[[sqlite3.Connection, Uid, ConvID], tuple[list[_Span], Head]]
"""What they have of a user, whose own log is named: its spans, and where that log ends."""


class SqliteFollowing:
    """See `ports/following.py`."""

    def __init__(self, reader: Reading, ledger: Ledger) -> None:
        self._reader = reader
        self._ledger = ledger
        self._tails = ledger.tails
        self._heads = Heads(ledger)

    async def of(self, uid: Uid) -> Followed:
        """What the user follows; mostly it is a few conversations, and a brief read."""

        def run(
            spans: Sequence[_Span], own: Head, unreadable: AbstractSet[ConvID] = frozenset()
        ) -> Followed:
            # Written out: a device that comes back waits for twenty of each, or thousands.
            heads = {
                span.conv: Head(span.last, span.n, span.at, span.members_seq)
                for span in spans
                if span.until is None
            }
            if own.last:
                heads[user_log(uid)] = own
            memberships = [
                Membership(span.conv, uid, span.since, span.until, span.role) for span in spans
            ]
            return Followed(memberships, heads, own, unreadable)

        try:
            return await self._reader.brief(lambda db: run(*self._read(db, uid, _if_few)))
        except _FollowsMany:
            pass
        except WebchatError as error:
            if not is_damage(error.__cause__):
                raise
        return await around_damage(
            self._reader,
            lambda db: run(*self._read(db, uid, _all)),
            lambda db: run(*self._read_apart(db, uid)),
        )

    async def newest(self, uid: Uid, before: Activity | None, limit: int) -> Sequence[Seen]:
        """Up to `limit` conversations of the user, those with the greatest activity first."""

        def run(db: sqlite3.Connection, spans: Sequence[_Span]) -> Sequence[Seen]:
            if before is not None:
                spans = [span for span in spans if _activity(span) < before]
            shown = nlargest(limit, spans, key=_activity)
            places = {span.conv: span.last - 1 for span in shown}
            found = after_each(db, self._tails(places), places, 1)
            return [Seen(span.membership(uid), found[span.conv][0]) for span in shown]

        return await around_damage(
            self._reader,
            lambda db: run(db, self._read(db, uid, _all)[0]),
            lambda db: run(db, self._read_apart(db, uid)[0]),
        )

    def _read_apart(
        self, db: sqlite3.Connection, uid: Uid
    ) -> tuple[Sequence[_Span], Head, AbstractSet[ConvID]]:
        """The same as `_read`, without the logs of which nothing says where they end; and these."""
        spans, own = self._read(db, uid, _apart)
        unreadable = {span.conv for span in spans if not span.last}
        if not own.last:
            # Or it has no entry: its first one lets the user in.
            unreadable.add(user_log(uid))
        return [span for span in spans if span.last], own, unreadable

    def _read(self, db: sqlite3.Connection, uid: Uid, tables: _Tables) -> tuple[list[_Span], Head]:
        """The user's spans, and where its own log ends. Raises _FollowsMany, if `tables` do."""
        own = user_log(uid)
        own_end = self._heads.ends([own]).get(own, NO_HEAD)  # before the rest: see `Followed`
        folds = self._ledger.folds
        spans, own_head = tables(db, uid, own)
        ends = self._heads.ends([span.conv for span in spans])
        if self._ledger.folds != folds:
            # What went from a tail to the tables in between is in neither; now it is in the tables.
            spans, own_head = tables(db, uid, own)
        for span in spans if ends else ():
            end = ends.get(span.conv, NO_HEAD)
            if span.until is None and end.last > span.last:
                span.last, span.n, span.at, span.members_seq = msgspec.structs.astuple(end)
        return spans, max(own_head, own_end)


def _at_once(query: str, db: sqlite3.Connection, uid: Uid, own: ConvID) -> tuple[list[_Span], Head]:
    spans, own_head = db.execute(query, (uid, own)).fetchone()
    if spans is None:
        raise _FollowsMany
    return _decode_spans(spans), NO_HEAD if own_head is None else Head(*_decode_head(own_head))


_all: Final[_Tables] = partial(_at_once, _ALL)
_if_few: Final[_Tables] = partial(_at_once, _IF_FEW)


def _apart(db: sqlite3.Connection, uid: Uid, own: ConvID) -> tuple[list[_Span], Head]:
    rows = db.execute(_SPANS_ALONE, (uid,)).fetchall()
    spans = [
        _Span(conv, since, until, role, *_end_of(db, conv, until))
        for conv, since, until, role in rows
    ]
    return spans, Head(*_end_of(db, own, None))


def _end_of(db: sqlite3.Connection, conv: ConvID, until: Seq | None) -> tuple[Seq, int, int, Seq]:
    """Zeros where it cannot be read."""
    place = conv, MAX_INTEGER if until is None else until
    end = None
    try:
        end = db.execute(_END, place).fetchone()
    except sqlite3.Error as error:
        if not is_damage(error):
            raise
    return end or _NOWHERE
