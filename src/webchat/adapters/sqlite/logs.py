"""What one append or move changes in the tables, within the writer's transaction.

Remembers the ends of logs, so that an append to a busy log reads nothing but its key. Semantics:
`ports/log.py`, `ports/positions.py`.
"""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from collections.abc import Sequence

import msgspec

from webchat.adapters.sqlite.schema import entry_hash
from webchat.errors import Code, MembersChanged, WebchatError
from webchat.model import (
    NO_HEAD,
    NO_POSITION,
    ConvID,
    Draft,
    Entry,
    Head,
    Membership,
    Position,
    Seq,
    Uid,
    seal,
    user_log,
)  # fmt: skip
from webchat.ports.clock import Clock
from webchat.ports.log import Append, Appended, Follow, conversation_entry
from webchat.ports.positions import Move, Moved

_FIND = """
    SELECT seq, n, at, kind, sender, msg_id, envelope FROM entry
    WHERE log = ? AND hash = ? AND sender = ? AND msg_id = ?"""
_INSERT = "INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_HEAD = """
    SELECT log.id, entry.seq, entry.n, entry.at, entry.members_seq
    FROM log LEFT JOIN entry ON entry.log = log.id WHERE log.name = ?
    ORDER BY entry.seq DESC LIMIT 1"""
_SAVE_MEMBER = "INSERT OR REPLACE INTO member VALUES (?, ?, ?, ?, ?)"
_SAVE_POSITION = "INSERT OR REPLACE INTO position VALUES (?, ?, ?, ?, ?)"


class _Log(msgspec.Struct, frozen=True, gc=False):
    id: int
    name: ConvID
    head: Head


class Logs:
    """The writing side of logs, members and positions. Used by the writer's thread alone.

    Methods check first and write then; what they raise, they raise before anything is written.
    """

    def __init__(self, clock: Clock, max_heads: int) -> None:
        self._clock = clock
        self._max_heads = max_heads
        self._known: OrderedDict[ConvID, _Log] = OrderedDict()

    def forget(self) -> None:
        """The file may say otherwise than what is remembered."""
        self._known.clear()

    def append(self, db: sqlite3.Connection, request: Append) -> Appended:
        """Append `request`. Raises MembersChanged, WebchatError(CONFLICT)."""
        log = self._log(db, request.conv)
        if log is not None and (known := _appended_before(db, log, request)) is not None:
            return known
        _check_conditions(request, NO_HEAD if log is None else log.head)
        at = self._clock.now_ms()
        log, entries = self._write(db, log, request, at)
        followed: list[Entry] = []
        for follow in request.follows(entries[0].seq):
            followed += self._follow(db, follow, log, entries[-1])
        moved = _move_sender(db, log, entries[-1]) if request.moves_sender else None
        return Appended(tuple(entries), tuple(followed), fresh=True, moved=moved)

    def move(self, db: sqlite3.Connection, moves: Sequence[Move]) -> Sequence[Moved]:
        """Move positions forward, each at most to its log's last."""
        return [self._move(db, move) for move in moves]

    def _log(self, db: sqlite3.Connection, name: ConvID) -> _Log | None:
        """The log of that name; None: it does not exist."""
        log = self._known.get(name)
        if log is not None:
            self._known.move_to_end(name)
            return log
        row = db.execute(_HEAD, (name,)).fetchone()
        if row is None:
            return None
        return self._remember(_Log(row[0], name, Head(*row[1:]) if row[1] else NO_HEAD))

    def _remember(self, log: _Log) -> _Log:
        self._known[log.name] = log
        if len(self._known) > self._max_heads:
            self._known.popitem(last=False)
        return log

    def _write(
        self, db: sqlite3.Connection, log: _Log | None, request: Append, at: int
    ) -> tuple[_Log, list[Entry]]:
        """Put the drafts at the end of their log, making it if need be."""
        if log is None:
            cursor = db.execute("INSERT INTO log (name) VALUES (?)", (request.conv,))
            log = _Log(cursor.lastrowid or 0, request.conv, NO_HEAD)
        head, entries = log.head, []
        for draft in request.drafts:
            seq = head.last + 1
            n = head.n + (draft.kind == "message")
            head = Head(seq, n, at, seq if request.is_membership else head.members_seq)
            hashed = entry_hash(draft.sender, draft.msg_id)
            db.execute(
                _INSERT,
                (log.id, seq, n, at, head.members_seq, hashed, draft.kind, draft.sender,
                 draft.msg_id, draft.envelope),
            )  # fmt: skip
            entries.append(seal(draft, log.name, seq, n, at))
        return self._remember(_Log(log.id, log.name, head)), entries

    def _follow(
        self, db: sqlite3.Connection, follow: Follow, log: _Log, cause: Entry
    ) -> list[Entry]:
        """Do what follows from `cause`; returns the new entries of user logs."""
        for span in follow.spans_at(cause.seq):
            self._write_span(db, span)
        announced = []
        for uid, state in follow.announce:
            draft = conversation_entry(uid, log.name, state, cause.seq, cause.at)
            name = user_log(uid)
            own = self._log(db, name)
            if own is None or _find(db, own, uid, draft.msg_id) is None:
                announced += self._write(db, own, Append(name, (draft,)), cause.at)[1]
        return announced

    def _write_span(self, db: sqlite3.Connection, span: Membership) -> None:
        log = self._log(db, span.conv)
        if log is None:
            raise ValueError(f"a membership of {span.conv}, which has no log")
        if span.until is None:
            _open_span(db, log, span)
        else:
            _close_span(db, log, span)

    def _move(self, db: sqlite3.Connection, move: Move) -> Moved:
        log = self._log(db, move.conv)
        if log is None:
            return Moved(move.conv, move.uid, NO_POSITION, NO_POSITION)
        before = _position(db, log, move.uid)
        last = log.head.last
        displayed = max(before.displayed, min(move.displayed, last))
        delivered = max(before.delivered, min(move.delivered, last), displayed)
        n = before.n if displayed == before.displayed else _n_at(db, log, displayed)
        after = Position(delivered, displayed, n)
        if after != before:
            db.execute(_SAVE_POSITION, (log.id, move.uid, delivered, displayed, n))
        return Moved(move.conv, move.uid, before, after)


def _appended_before(db: sqlite3.Connection, log: _Log, request: Append) -> Appended | None:
    """What the request did the first time, if one of its keys was met before."""
    found = [_find(db, log, draft.sender, draft.msg_id) for draft in request.drafts]
    entries = [entry for entry in found if entry is not None]
    if not entries:
        return None
    key = f"{request.conv}:{entries[-1].seq}"
    followed = [
        find_entry(db, user_log(uid), uid, key)
        for follow in request.follows(entries[0].seq)
        for uid, _ in follow.announce
    ]
    return Appended(tuple(entries), tuple(e for e in followed if e is not None), fresh=False)


def _check_conditions(request: Append, head: Head) -> None:
    if request.must_be_new and head.last:
        raise WebchatError(Code.CONFLICT, f"{request.conv} exists already")
    if request.members_as_of is not None and head.members_seq > request.members_as_of:
        raise MembersChanged(request.conv)


def _find(db: sqlite3.Connection, log: _Log, sender: Uid, msg_id: str) -> Entry | None:
    hashed = entry_hash(sender, msg_id)
    if hashed is None:
        return None
    row = db.execute(_FIND, (log.id, hashed, sender, msg_id)).fetchone()
    return None if row is None else entry_of(log.name, row)


def find_entry(db: sqlite3.Connection, name: ConvID, sender: Uid, msg_id: str) -> Entry | None:
    """The entry of the log `name` with that key of idempotence."""
    row = db.execute("SELECT id FROM log WHERE name = ?", (name,)).fetchone()
    return None if row is None else _find(db, _Log(row[0], name, NO_HEAD), sender, msg_id)


def entry_of(conv: ConvID, row: Sequence[object]) -> Entry:
    """The Entry of a row (seq, n, at, kind, sender, msg_id, envelope)."""
    seq, n, at, kind, sender, msg_id, envelope = row
    return seal(Draft(kind, sender, msg_id, envelope), conv, seq, n, at)  # type: ignore[arg-type]


def _move_sender(db: sqlite3.Connection, log: _Log, entry: Entry) -> Moved:
    before = _position(db, log, entry.sender)
    db.execute(_SAVE_POSITION, (log.id, entry.sender, entry.seq, entry.seq, entry.n))
    return Moved(log.name, entry.sender, before, Position(entry.seq, entry.seq, entry.n))


def _open_span(db: sqlite3.Connection, log: _Log, span: Membership) -> None:
    is_open = db.execute(
        "SELECT 1 FROM member WHERE log = ? AND uid = ? AND until IS NULL", (log.id, span.uid)
    ).fetchone()
    if is_open:
        return
    db.execute(_SAVE_MEMBER, (log.id, span.uid, span.since, None, span.role))
    _count_members(db, log, 1)
    seq = span.since - 1
    db.execute(_SAVE_POSITION, (log.id, span.uid, seq, seq, _n_at(db, log, seq)))


def _close_span(db: sqlite3.Connection, log: _Log, span: Membership) -> None:
    closed = db.execute(
        "DELETE FROM member WHERE log = ? AND uid = ? AND until IS NULL", (log.id, span.uid)
    ).rowcount
    db.execute(_SAVE_MEMBER, (log.id, span.uid, span.since, span.until, span.role))
    _count_members(db, log, -closed)


def _count_members(db: sqlite3.Connection, log: _Log, change: int) -> None:
    if change:
        db.execute("UPDATE log SET members = members + ? WHERE id = ?", (change, log.id))


def _position(db: sqlite3.Connection, log: _Log, uid: Uid) -> Position:
    row = db.execute(
        "SELECT delivered, displayed, n FROM position WHERE log = ? AND uid = ?", (log.id, uid)
    ).fetchone()
    return NO_POSITION if row is None else Position(*row)


def _n_at(db: sqlite3.Connection, log: _Log, seq: Seq) -> int:
    """The count of messages up to and including `seq`."""
    if seq in (0, log.head.last):
        return log.head.n if seq else 0
    row = db.execute("SELECT n FROM entry WHERE log = ? AND seq = ?", (log.id, seq)).fetchone()
    return int(row[0])
