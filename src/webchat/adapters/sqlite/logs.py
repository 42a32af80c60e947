"""What one append or move changes in the tables, within the writer's transaction.

Remembers the ends of logs, the newest keys and recent positions, so that an append to a busy log
reads one index and writes what is new. Semantics: `ports/log.py`, `ports/positions.py`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Final

import msgspec

from webchat.adapters.sqlite.changes import apply_change, save_group
from webchat.adapters.sqlite.invitations import save_invitations
from webchat.adapters.sqlite.keys import Keys, entry_of, key_hash
from webchat.adapters.sqlite.members import PositionRows, close_span, count_members, open_span
from webchat.adapters.sqlite.recent import Recent
from webchat.adapters.sqlite.settings import SqliteSettings
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
    seal,
    user_log,
)  # fmt: skip
from webchat.ports.clock import Clock
from webchat.ports.log import Append, Appended, Follow
from webchat.ports.positions import Move, Moved

_INSERT: Final = """
    INSERT INTO entry (log, seq, n, at, members_seq, kind, sender, msg_id, envelope)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_HEAD: Final = """
    SELECT log.id, entry.seq, entry.n, entry.at, entry.members_seq
    FROM log LEFT JOIN entry ON entry.log = log.id WHERE log.name = ?
    ORDER BY entry.seq DESC LIMIT 1"""


class _Log(msgspec.Struct, frozen=True, gc=False):
    id: int
    name: ConvID
    head: Head


class Logs:
    """The writing side of logs, members and positions. Used by the writer's thread alone.

    Methods check first and write then; what they raise, they raise before anything is written.
    """

    def __init__(self, clock: Clock, settings: SqliteSettings) -> None:
        self._clock = clock
        self._known: Recent[ConvID, _Log] = Recent(settings.max_heads)
        self._keys = Keys(settings.max_unfolded_keys)
        self._positions = PositionRows(settings.max_positions)

    def forget(self) -> None:
        """The file may say otherwise than what is remembered."""
        self._known.clear()
        self._keys.forget()
        self._positions.forget()

    def finish(self, db: sqlite3.Connection) -> None:
        """Write what is left of a batch's acts; the last thing before its commit."""
        self._positions.write(db)

    def append(self, db: sqlite3.Connection, request: Append) -> Appended:
        """Append `request`. Raises MembersChanged, WebchatError(CONFLICT)."""
        hashes = [key_hash(draft.sender, draft.msg_id) for draft in request.drafts]
        log = self._log(db, request.conv)
        if log is not None and (entries := self._known_entries(db, log, request.drafts, hashes)):
            return Appended(tuple(entries), self._followed(db, request, entries), fresh=False)
        _check_conditions(request, NO_HEAD if log is None else log.head)
        log, entries = self._write(db, log, request, hashes, self._clock.now_ms())
        followed: list[Entry] = []
        for follow in request.follows(entries[0].seq):
            followed += self._follow(db, follow, log, entries[0])
        moved = self._move_sender(db, log, entries[-1]) if request.moves_sender else None
        return Appended(tuple(entries), tuple(followed), fresh=True, moved=moved)

    def move(self, db: sqlite3.Connection, moves: Sequence[Move]) -> Sequence[Moved]:
        """Move positions forward, each at most to its log's last."""
        return [self._move(db, move) for move in moves]

    def _log(self, db: sqlite3.Connection, name: ConvID) -> _Log | None:
        """The log of that name; None: it does not exist."""
        log = self._known.get(name)
        if log is None and (row := db.execute(_HEAD, (name,)).fetchone()) is not None:
            log = _Log(row[0], name, Head(*row[1:]) if row[1] else NO_HEAD)
            self._known.put(name, log)
        return log

    def _known_entries(
        self,
        db: sqlite3.Connection,
        log: _Log,
        drafts: Sequence[Draft],
        hashes: Sequence[int | None],
    ) -> list[Entry]:
        """The entries of those drafts whose keys were met before."""
        rows = [
            self._keys.find(db, log.id, hashed, draft.sender, draft.msg_id)
            for draft, hashed in zip(drafts, hashes, strict=True)
            if hashed is not None
        ]
        return [entry_of(log.name, row) for row in rows if row is not None]

    def _followed(
        self, db: sqlite3.Connection, request: Append, entries: Sequence[Entry]
    ) -> tuple[Entry, ...]:
        """The entries of user logs that followed from `entries` the first time."""
        found: list[Entry] = []
        seq = entries[0].seq
        for follow in request.follows(seq):
            for draft in follow.said_to_users(request.conv, seq, 0):
                if (log := self._log(db, user_log(draft.sender))) is not None:
                    hashes = [key_hash(draft.sender, draft.msg_id)]
                    found += self._known_entries(db, log, [draft], hashes)
        return tuple(found)

    def _write(
        self,
        db: sqlite3.Connection,
        log: _Log | None,
        request: Append,
        hashes: Sequence[int | None],
        at: int,
    ) -> tuple[_Log, list[Entry]]:
        """Put the drafts at the end of their log, making it if need be."""
        if log is None:
            cursor = db.execute("INSERT INTO log (name) VALUES (?)", (request.conv,))
            log = _Log(cursor.lastrowid or 0, request.conv, NO_HEAD)
        head, entries = log.head, []
        for draft, hashed in zip(request.drafts, hashes, strict=True):
            seq = head.last + 1
            n = head.n + (draft.kind == "message")
            head = Head(seq, n, at, seq if request.is_membership else head.members_seq)
            place = (log.id, seq, n, at, head.members_seq)
            said = (draft.kind, draft.sender, draft.msg_id, draft.envelope)
            cursor = db.execute(_INSERT, place + said)
            self._keys.add(db, log.id, hashed, cursor.lastrowid or 0)
            entries.append(seal(draft, log.name, seq, n, at))
        log = _Log(log.id, log.name, head)
        self._known.put(log.name, log)
        return log, entries

    def _follow(
        self, db: sqlite3.Connection, follow: Follow, log: _Log, cause: Entry
    ) -> list[Entry]:
        """Do what follows from `cause`; returns the new entries of user logs."""
        for conv, spans in groupby(follow.spans_at(cause.seq), attrgetter("conv")):
            self._write_spans(db, conv, spans)
        for change in follow.changes:
            apply_change(db, log.id, change, cause)
        if follow.group is not None:
            save_group(db, log.id, follow.group)
        save_invitations(db, follow.invitations, cause.at)
        announced: list[Entry] = []
        for draft in follow.said_to_users(log.name, cause.seq, cause.at):
            announced += self._announce(db, Append(user_log(draft.sender), (draft,)), cause.at)
        return announced

    def _announce(self, db: sqlite3.Connection, request: Append, at: int) -> list[Entry]:
        """Append to a user's log what it does not have yet."""
        hashes = [key_hash(draft.sender, draft.msg_id) for draft in request.drafts]
        log = self._log(db, request.conv)
        if log is not None and self._known_entries(db, log, request.drafts, hashes):
            return []
        return self._write(db, log, request, hashes, at)[1]

    def _write_spans(
        self, db: sqlite3.Connection, conv: ConvID, spans: Iterable[Membership]
    ) -> None:
        log = self._log(db, conv)
        if log is None:
            raise ValueError(f"a membership of {conv}, which has no log")
        came = 0
        for span in spans:
            if span.until is not None:
                came -= close_span(db, log.id, span)
            elif open_span(db, log.id, span):
                came += 1
                seq = span.since - 1
                self._positions.put(log.id, span.uid, Position(seq, seq, _n_at(db, log, seq)))
        count_members(db, log.id, came)

    def _move_sender(self, db: sqlite3.Connection, log: _Log, entry: Entry) -> Moved:
        before = self._positions.get(db, log.id, entry.sender)
        after = Position(entry.seq, entry.seq, entry.n)
        self._positions.put(log.id, entry.sender, after)
        return Moved(log.name, entry.sender, before, after)

    def _move(self, db: sqlite3.Connection, move: Move) -> Moved:
        log = self._log(db, move.conv)
        if log is None:
            return Moved(move.conv, move.uid, NO_POSITION, NO_POSITION)
        before = self._positions.get(db, log.id, move.uid)
        last = log.head.last
        displayed = max(before.displayed, min(move.displayed, last))
        delivered = max(before.delivered, min(move.delivered, last), displayed)
        n = before.n if displayed == before.displayed else _n_at(db, log, displayed)
        after = Position(delivered, displayed, n)
        if after != before:
            self._positions.put(log.id, move.uid, after)
        return Moved(move.conv, move.uid, before, after)


def _check_conditions(request: Append, head: Head) -> None:
    if request.must_be_new and head.last:
        raise WebchatError(Code.CONFLICT, f"{request.conv} exists already")
    if request.members_as_of is not None and head.members_seq > request.members_as_of:
        raise MembersChanged(request.conv)


def _n_at(db: sqlite3.Connection, log: _Log, seq: Seq) -> int:
    """The count of messages up to and including `seq`."""
    if seq in (0, log.head.last):
        return log.head.n if seq else 0
    row = db.execute("SELECT n FROM entry WHERE log = ? AND seq = ?", (log.id, seq)).fetchone()
    return int(row[0])
