"""The logs that the writer has open: their entries and positions beyond the tables.

A transaction's additions become one row of the journal and stay in memory, until they are folded
into the tables (`folding.py`). A log whose rows an act must find in the tables is settled first.
Used by the writer's thread alone, but for what says that it is for any.
"""

from __future__ import annotations

import logging
import math
import sqlite3
from collections.abc import Iterable
from typing import Final

from webchat.adapters.sqlite import journal, keyjournal
from webchat.adapters.sqlite.carried import carried
from webchat.adapters.sqlite.damage import damaged, put_off
from webchat.adapters.sqlite.folding import Folding, position_rows
from webchat.adapters.sqlite.keyjournal import KeyJournal
from webchat.adapters.sqlite.keys import entry_of, key_hash
from webchat.adapters.sqlite.openlog import LogTail, OpenLog
from webchat.adapters.sqlite.recent import Recent
from webchat.adapters.sqlite.rows import EntryRow, add_entries, write_keys, write_positions
from webchat.adapters.sqlite.settings import SqliteSettings
from webchat.model import (
    MESSAGE,
    NO_HEAD,
    NO_POSITION,
    ConvID,
    Draft,
    Entry,
    Head,
    Position,
    Seq,
    Uid,
    seal,
)  # fmt: skip
from webchat.ports.clock import Clock
from webchat.ports.log import Append, Appended
from webchat.ports.positions import Moved

_HEAD: Final = """
    SELECT log.id, entry.seq, entry.n, entry.at, entry.members_seq
    FROM log LEFT JOIN entry ON entry.log = log.id WHERE log.name = ?
    ORDER BY entry.seq DESC LIMIT 1"""
_MAKE: Final = "INSERT INTO log (name) VALUES (?)"
_POSITION: Final = "SELECT delivered, displayed, n FROM position WHERE log = ? AND uid = ?"
_N_AT: Final = "SELECT n FROM entry WHERE log = ? AND seq = ?"
_NONE: Final = (None, 0)

_log = logging.getLogger(__name__)


class Ledger:
    """Entries and positions as of now, read from the tables where nothing newer is known.

    `keeps_journal` False: all goes into the tables at once, as it must beside the process that
    serves.

    `_unfolded`: the logs of which something is not in the tables; `_recent`: others that were used
    lately; `_lost`: the numbers of those of which nobody knows whether there is. `_positions`: how
    many positions are in memory, over all logs. Of one transaction: `_new`: by the id of a request,
    its log and the hash of its key, which was not met before; `_touched`: the logs it changes, with
    their heads before; `_added`: the entries it adds; `_settled`: the logs it has written to the
    tables, up to which `Seq`; `_counts`: the counts of messages it has read; `_at`: its time (ms).
    """

    def __init__(
        self, clock: Clock, settings: SqliteSettings, *, keeps_journal: bool = True
    ) -> None:
        self._clock = clock
        self._settings = settings
        self._keeps_journal = self._is_new = keeps_journal
        self._recent: Recent[ConvID, OpenLog] = Recent(settings.max_heads)
        self._unfolded: dict[ConvID, OpenLog] = {}
        self._lost: set[int] = set()
        self._positions = 0
        self.keys = KeyJournal(settings)
        """Of what is in the tables; its `find` is for any thread."""
        self.folds = 0
        """Counts up before anything that the tables have by now goes from memory. For any thread:
        if it has not changed, what was not in the tables before is in memory still."""
        self._folding = Folding(settings, self.keys)
        self._new: dict[int, tuple[OpenLog, int]] = {}
        self._touched: list[tuple[OpenLog, LogTail, Head]] = []
        self._added: list[EntryRow] = []
        self._settled: dict[int, Seq] = {}
        self._counts: dict[tuple[int, Seq], int] = {}
        self._at = 0

    def open(self, db: sqlite3.Connection) -> None:
        """Go on from what the last process that served left in the file, even if it died.

        Before all else. Raises sqlite3.Error.
        """
        db.execute("BEGIN IMMEDIATE")
        self.keys.load(db)
        try:
            journal.replay(db, self.keys.note)
            db.execute("COMMIT")
        except sqlite3.Error as error:
            self.keys.rolled_back()
            self._take_up(db, error)
        else:
            self.keys.committed()

    def _take_up(self, db: sqlite3.Connection, error: sqlite3.Error) -> None:
        """Go on with the journal as it is, as `error` keeps it from being folded. Raises it if that
        is no damage, and sqlite3.Error."""
        self._folding.wait(put_off(error))
        _log.error("the journal cannot be folded: %s", error)
        db.execute("ROLLBACK")
        db.execute("BEGIN IMMEDIATE")
        logs, self._lost = carried(db, self._folding)
        db.execute("ROLLBACK")
        self._unfolded = {log.conv: log for log in logs}
        self._positions = sum(len(log.positions) for log in logs)
        if self._lost:
            # What the journal says of these has to stay in it.
            self._folding.wait(math.inf)

    def tail(self, conv: ConvID) -> LogTail | None:
        """What is committed of a log and not in the tables. For any thread."""
        log = self._unfolded.get(conv)
        return None if log is None else log.tail

    def tails(self, convs: Iterable[ConvID]) -> dict[ConvID, LogTail]:
        """`tail` of each, without those of which the tables say it all. For any thread."""
        unfolded = self._unfolded.get
        logs = [log for conv in convs if (log := unfolded(conv)) is not None]
        return {log.conv: tail for log in logs if (tail := log.tail) is not None}

    # Logs

    def log(self, db: sqlite3.Connection, conv: ConvID) -> OpenLog | None:
        """The log of that name; None: it does not exist."""
        log = self._unfolded.get(conv) or self._recent.get(conv)
        if log is None and (row := db.execute(_HEAD, (conv,)).fetchone()) is not None:
            if row[0] in self._lost:
                raise damaged(f"what the journal says of {conv} is not known")
            log = OpenLog(row[0], conv, Head(*row[1:]) if row[1] else NO_HEAD)
            self._recent.put(conv, log)
        return log

    def make(self, db: sqlite3.Connection, conv: ConvID) -> OpenLog:
        """A new log."""
        return OpenLog(db.execute(_MAKE, (conv,)).lastrowid or 0, conv)

    def add_new(self, db: sqlite3.Connection, request: Append) -> Appended | None:
        """`request` done, if it is as most are; None: nothing was done.

        They have one draft, whose key was looked up and is new, and go on a log that has entries;
        nothing follows from them. All in one place, as every message comes this way.
        """
        log, hashed = self._new.pop(id(request), _NONE)
        if log is None or request.follow is not None or request.is_membership:
            return None
        conv, form, head, at = log.conv, log.form, log.head, self._at
        if form is None or not head.last or request.must_be_new or log.id in self._settled:
            return None
        if request.members_as_of is not None and head.members_seq > request.members_as_of:
            return None
        tail = log.tail if log.is_changing and log.tail else self._touch(log)
        if hashed in tail.hashes:
            return None
        (draft,) = request.drafts
        kind, sender, msg_id, said = draft.kind, draft.sender, draft.msg_id, draft.envelope
        seq, n, members_seq = head.last + 1, head.n + (kind == MESSAGE), head.members_seq
        log.head = Head(seq, n, at, members_seq)
        row = (log.id, seq, n, at, members_seq, kind, sender, msg_id, said, hashed)
        tail.rows.append(row)
        tail.hashes.add(hashed)
        self._added.append(row)
        moved = None
        if request.moves_sender:
            before = log.positions.get(sender) or self.position(db, log, sender)
            after = log.positions[sender] = tail.new_moved[sender] = Position(seq, seq, n)
            moved = Moved(conv, sender, before, after)
        sealed = form % (said[:-1], seq, n, at)
        return Appended((Entry(conv, seq, n, at, kind, sender, msg_id, sealed),), (), True, moved)

    def add(self, log: OpenLog, request: Append) -> list[Entry]:
        """The entries that the drafts become, at the end of their log."""
        tail = log.tail if log.is_changing and log.tail else self._touch(log)
        conv, log_id, at = log.conv, log.id, self._at
        seq, n, members_seq = log.head.last, log.head.n, log.head.members_seq
        entries = []
        for draft in request.drafts:
            kind, sender, msg_id = draft.kind, draft.sender, draft.msg_id
            seq += 1
            n += kind == MESSAGE
            if request.is_membership:
                members_seq = seq
            hashed = key_hash(sender, msg_id)
            row = (log_id, seq, n, at, members_seq, kind, sender, msg_id, draft.envelope, hashed)
            tail.rows.append(row)
            self._added.append(row)
            if hashed is not None:
                tail.hashes.add(hashed)
            entries.append(seal(draft, conv, seq, n, at))
        log.head = Head(seq, n, at, members_seq)
        return entries

    def known(self, db: sqlite3.Connection, log: OpenLog, drafts: Iterable[Draft]) -> list[Entry]:
        """The entries of those drafts whose keys of idempotence were met before."""
        found = []
        for draft in drafts:
            entry = self._find(db, log, draft.sender, draft.msg_id)
            if entry is not None:
                found.append(entry)
        return found

    def _find(self, db: sqlite3.Connection, log: OpenLog, sender: Uid, msg_id: str) -> Entry | None:
        """The entry with that key of idempotence."""
        if log.tail is not None and key_hash(sender, msg_id) in log.tail.hashes:
            entry = log.tail.with_key(log.conv, sender, msg_id, new=True)
            if entry is not None:
                return entry
        row = self.keys.find(db, log.id, sender, msg_id)
        return None if row is None else entry_of(log.conv, row)

    def n_at(self, db: sqlite3.Connection, log: OpenLog, seq: Seq) -> int:
        """The count of messages up to and including `seq`."""
        known = log.n_at(seq)
        if known is not None:
            return known
        place = log.id, seq
        if place not in self._counts:
            # Kept for this transaction: readers of a group come to the same places together.
            (self._counts[place],) = db.execute(_N_AT, place).fetchone()
        return self._counts[place]

    # Positions

    def position(self, db: sqlite3.Connection, log: OpenLog, uid: Uid) -> Position:
        """How far `uid` has come; NO_POSITION if nobody said so."""
        position = log.positions.get(uid)
        if position is None:
            row = db.execute(_POSITION, (log.id, uid)).fetchone()
            position = log.positions[uid] = NO_POSITION if row is None else Position(*row)
            self._positions += 1
        return position

    def place(self, log: OpenLog, uid: Uid, position: Position) -> None:
        """`uid` has come that far."""
        self._positions += uid not in log.positions
        tail = log.tail if log.is_changing and log.tail else self._touch(log)
        log.positions[uid] = tail.new_moved[uid] = position

    # What acts need to find in the tables

    def settle(self, db: sqlite3.Connection, log: OpenLog) -> None:
        """Write all of a log to the tables, within this transaction."""
        tail = self._touch(log)
        settled = self._settled.get(log.id)
        if settled is None:
            self.keys.put(db, add_entries(db, tail.rows))
            write_positions(db, position_rows([(log, tail.moved)]))
        else:
            self.keys.put(db, add_entries(db, tail.rows[tail.count(settled) :]))
        write_positions(db, position_rows([(log, tail.new_moved)]))
        tail.new_moved.clear()
        tail.hashes = set()
        self._settled[log.id] = log.head.last

    def settle_all(self, db: sqlite3.Connection) -> None:
        """Write everything to the tables, within this transaction."""
        for log in list(self._unfolded.values()):
            self.settle(db, log)

    # The life of a transaction: `Memory`, in `writer.py`, says what each of these is for

    @property
    def is_at_rest(self) -> bool:
        # Not before `others_wrote` was told of the start.
        return self._folding.is_over and not self._is_new

    @property
    def is_learning(self) -> bool:
        return self.keys.is_learning

    def learn(self, db: sqlite3.Connection, writes: int) -> None:
        self.keys.learn(db, writes)

    def begin(self, db: sqlite3.Connection, arguments: Iterable[object]) -> None:
        self._at = self._clock.now_ms()
        if not self._keeps_journal and not journal.is_empty(db):  # of a process that serves
            journal.replay(db, write_keys)
            keyjournal.fold_all(db)
        self._look_up(db, [each for each in arguments if isinstance(each, Append)])

    def _look_up(self, db: sqlite3.Connection, requests: Iterable[Append]) -> None:
        """Look for the keys of all `requests` together: one that is new costs no query later."""
        unfolded = self._unfolded.get
        new: dict[int, tuple[OpenLog, int]] = {}
        for request in requests:
            conv, drafts = request.conv, request.drafts
            log = unfolded(conv) or self.log(db, conv)
            if log is None or len(drafts) != 1:
                continue
            try:
                hashed = key_hash(drafts[0].sender, drafts[0].msg_id)
            except UnicodeEncodeError:
                # What cannot be encoded cannot be stored: its own act will say so.
                continue
            if hashed is not None:
                new[id(request)] = log, hashed
        if found := self.keys.met(db, new.values()):
            new = {key: place for key, place in new.items() if place not in found}
        self._new = new

    def finish(self, db: sqlite3.Connection, *, is_idle: bool) -> None:
        if not self._keeps_journal:
            self.settle_all(db)
            return
        self.keys.go_on(db, len(self._added))
        if self._folding.is_due or (is_idle and not self._folding.is_over):
            self._folding.begin(self._unfolded.values())
        self._folding.go_on(db, self._note(db), self._settled)

    def committed(self) -> None:
        self.keys.committed()  # before tails let go of their rows
        if self._settled or self._folding.has_written:
            self.folds += 1
        emptied = self._folding.committed()
        settled = self._settled
        for log, tail, _ in self._touched:
            if settled and log.id in settled:
                tail.fold(tail.count(settled[log.id]))
                emptied.append(log)
            tail.commit(log.head.last)
            log.is_changing = False
        self._close(emptied)
        self._start_anew()

    def rolled_back(self) -> None:
        for log, tail, head in self._touched:
            tail.roll_back()
            log.head, log.positions, log.is_changing = head, dict(tail.moved), False
        self._close([log for log, _, _ in self._touched])
        # Among them may be logs that it made.
        self._recent.clear()
        self._folding.rolled_back()  # it begins again, as its slice was not written
        self.keys.rolled_back()
        self._start_anew()

    def others_wrote(self, db: sqlite3.Connection) -> None:
        self._recent.clear()
        # Maybe the journal was emptied.
        if (self._unfolded or not self.keys.is_empty) and journal.is_empty(db):
            self.folds += 1
            self._unfolded, self._lost = {}, set()
            self._folding.forget()
            self.keys.forget()
        if self._keeps_journal:
            self.keys.learn_anew(db)
            self._is_new = False

    def _start_anew(self) -> None:
        self._new, self._touched, self._added = {}, [], []
        self._settled, self._counts = {}, {}

    def _touch(self, log: OpenLog) -> LogTail:
        """The tail of a log that this transaction changes."""
        if log.tail is None:
            log.tail = LogTail(log.head.last)
            self._unfolded[log.conv] = log
        if not log.is_changing:
            log.is_changing = True
            self._touched.append((log, log.tail, log.head))
        return log.tail

    def _note(self, db: sqlite3.Connection) -> int:
        """Put what the transaction added into the journal; returns how many records that are."""
        entries = self._added
        if self._settled:
            settled = self._settled.get
            entries = [row for row in entries if row[1] > settled(row[0], 0)]
        positions = position_rows((log, tail.new_moved) for log, tail, _ in self._touched)
        return self._folding.note(db, entries, positions)

    def _close(self, logs: Iterable[OpenLog]) -> None:
        """Let go of those tails that are empty now; their logs are remembered as long as others."""
        for log in logs:
            if log.tail is not None and log.tail.is_empty:
                log.tail = None
                self._unfolded.pop(log.conv, None)
                self._recent.put(log.conv, log)
        # Not before a transaction is over: its acts must all get one and the same log by a name.
        self._recent.trim()
        if self._positions > self._settings.max_positions:
            self._forget_positions()

    def _forget_positions(self) -> None:
        for log in [*self._unfolded.values(), *self._recent.values()]:
            log.positions = dict(log.tail.moved) if log.tail else {}
        self._positions = 0
