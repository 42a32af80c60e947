"""What one append or move does, within the writer's transaction.

New entries and positions go to the ledger, which costs no query for a busy log; what follows from
an entry goes to its tables.
Semantics: `ports/log.py`, `ports/positions.py`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import attrgetter

from webchat.adapters.sqlite.changes import apply_change, is_changed_since, save_group
from webchat.adapters.sqlite.damage import PartRefused, is_damage
from webchat.adapters.sqlite.invitations import save_invitations
from webchat.adapters.sqlite.ledger import Ledger
from webchat.adapters.sqlite.members import close_span, count_members, open_span
from webchat.adapters.sqlite.openlog import OpenLog
from webchat.adapters.sqlite.reader import not_answering
from webchat.errors import MembersChanged
from webchat.model import (
    NO_HEAD,
    NO_POSITION,
    ConvID,
    Draft,
    Entry,
    Membership,
    Position,
    user_log,
)  # fmt: skip
from webchat.ports.log import Append, Appended, Follow, check_conditions
from webchat.ports.positions import Move, Moved


class Logs:
    """The writing side of logs, members and positions. Used by the writer's thread alone.

    Acts check first and write then; what they raise, they raise before anything is written.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def append(self, db: sqlite3.Connection, request: Append) -> Appended:
        """Append `request`. Raises MembersChanged, WebchatError(CONFLICT)."""
        ledger = self._ledger
        if (appended := ledger.add_new(db, request)) is not None:
            return appended
        log = ledger.log(db, request.conv)
        if log is not None and (known := ledger.known(db, log, request.drafts)):
            return Appended(tuple(known), self._followed(db, request, known), fresh=False)
        check_conditions(request, NO_HEAD if log is None else log.head)
        if log is not None and request.follow is not None and request.follow.changes:
            self._check_changes(db, log, request.follow)
        if log is None:
            log = ledger.make(db, request.conv)
        entries = ledger.add(log, request)
        followed: list[Entry] = []
        if request.follow is not None or entries[0].seq == 1:
            for follow in request.follows(entries[0].seq):
                followed += self._follow(db, follow, log, entries[0])
        moved = self._move_sender(db, log, entries[-1]) if request.moves_sender else None
        return Appended(tuple(entries), tuple(followed), True, moved)

    def _check_changes(self, db: sqlite3.Connection, log: OpenLog, follow: Follow) -> None:
        """Raises MembersChanged if what is to be changed was changed since that was decided on."""
        self._ledger.settle(db, log)
        for change in follow.conditions:
            if is_changed_since(db, log.id, change):
                raise MembersChanged(log.conv)

    def move(
        self, db: sqlite3.Connection, moves: Sequence[Move], refused: dict[Move, Moved]
    ) -> Sequence[Moved]:
        """Move positions forward, each at most to its log's last, but for those `refused`.

        Those that meet a damaged page are added to these. Raises PartRefused if any were, but not
        all.
        """
        moved: list[Moved] = []
        damage: sqlite3.Error | None = None
        for move in moves:
            try:
                known = refused.get(move) if refused else None
                moved.append(known or self._move(db, move))
            except sqlite3.Error as error:
                if not is_damage(error):
                    raise
                damage, refused[move] = error, _refused(move, error)
        if damage is None:
            return moved
        if refused.keys() >= set(moves):
            raise damage
        # SQLite writes nothing more in a transaction that met one.
        raise PartRefused(str(damage)) from damage

    def settle(self, db: sqlite3.Connection, conv: ConvID) -> None:
        """Make the tables say everything of a log."""
        if (log := self._ledger.log(db, conv)) is not None:
            self._ledger.settle(db, log)

    def settle_all(self, db: sqlite3.Connection, _: None) -> None:
        """Make the tables say everything."""
        self._ledger.settle_all(db)

    def _followed(
        self, db: sqlite3.Connection, request: Append, entries: Sequence[Entry]
    ) -> tuple[Entry, ...]:
        """The entries of user logs that followed from `entries` the first time."""
        found: list[Entry] = []
        seq = entries[0].seq
        for follow in request.follows(seq):
            for draft in follow.said_to_users(request.conv, seq, 0):
                if (log := self._ledger.log(db, user_log(draft.sender))) is not None:
                    found += self._ledger.known(db, log, [draft])
        return tuple(found)

    def _follow(
        self, db: sqlite3.Connection, follow: Follow, log: OpenLog, cause: Entry
    ) -> list[Entry]:
        """Do what follows from `cause`; returns the new entries of user logs."""
        self._ledger.settle(db, log)
        for conv, spans in groupby(follow.spans_at(cause.seq), attrgetter("conv")):
            self._write_spans(db, conv, spans)
        for change in follow.changes:
            apply_change(db, log.id, change, cause)
        if follow.group is not None:
            save_group(db, log.id, follow.group)
        save_invitations(db, follow.invitations, cause.at)
        announced: list[Entry] = []
        for draft in follow.said_to_users(log.conv, cause.seq, cause.at):
            announced += self._announce(db, draft)
        return announced

    def _announce(self, db: sqlite3.Connection, draft: Draft) -> list[Entry]:
        """Append to a user's log what it does not have yet."""
        request = Append(user_log(draft.sender), (draft,))
        log = self._ledger.log(db, request.conv)
        if log is None:
            log = self._ledger.make(db, request.conv)
        elif self._ledger.known(db, log, request.drafts):
            return []
        entries = self._ledger.add(log, request)
        # The tables must say why there is what they have: an invitation, a membership.
        self._ledger.settle(db, log)
        return entries

    def _write_spans(
        self, db: sqlite3.Connection, conv: ConvID, spans: Iterable[Membership]
    ) -> None:
        log = self._ledger.log(db, conv)
        if log is None:
            raise ValueError(f"a membership of {conv}, which has no log")
        self._ledger.settle(db, log)
        came = 0
        for span in spans:
            if span.until is not None:
                came -= close_span(db, log.id, span)
            elif open_span(db, log.id, span):
                came += 1
                seq = span.since - 1
                position = Position(seq, seq, self._ledger.n_at(db, log, seq))
                self._ledger.place(log, span.uid, position)
        count_members(db, log.id, came)

    def _move_sender(self, db: sqlite3.Connection, log: OpenLog, entry: Entry) -> Moved:
        before = log.positions.get(entry.sender)
        if before is None:
            before = self._ledger.position(db, log, entry.sender)
        after = Position(entry.seq, entry.seq, entry.n)
        self._ledger.place(log, entry.sender, after)
        return Moved(log.conv, entry.sender, before, after)

    def _move(self, db: sqlite3.Connection, move: Move) -> Moved:
        ledger, uid = self._ledger, move.uid
        log = ledger.log(db, move.conv)
        if log is None:
            return Moved(move.conv, uid, NO_POSITION, NO_POSITION)
        before = ledger.position(db, log, uid)
        last = log.head.last
        displayed = max(before.displayed, min(move.displayed, last))
        delivered = max(before.delivered, min(move.delivered, last), displayed)
        if displayed != before.displayed:
            after = Position(delivered, displayed, ledger.n_at(db, log, displayed))
        elif delivered != before.delivered:
            after = Position(delivered, displayed, before.n)
        else:
            return Moved(move.conv, uid, before, before)
        ledger.place(log, uid, after)
        return Moved(move.conv, uid, before, after)


def _refused(move: Move, damage: sqlite3.Error) -> Moved:
    error = not_answering()
    error.__cause__ = damage
    return Moved(move.conv, move.uid, NO_POSITION, NO_POSITION, error)
