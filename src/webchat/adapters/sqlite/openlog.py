"""One log as the writer has it open; and what of it is in the journal only, for readers too.

The writer's thread changes both. Whatever of a tail another thread may be reading is replaced or
made longer, never shortened, so that it sees a state that was true, without a lock.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from webchat.adapters.sqlite.rows import EntryRow, PositionRow
from webchat.model import NO_HEAD, ConvID, Entry, Head, Position, Seq, Uid


class LogTail:
    """The end of a log that the tables do not have yet.

    `rows`, `entries`, `moved` are committed, for any thread. `new_...`: the same of the transaction
    that runs. `keys`: of all entries of both, but of a log that was settled.
    """

    __slots__ = ("entries", "keys", "moved", "new_entries", "new_moved", "new_rows", "rows")

    def __init__(self) -> None:
        self.rows: list[EntryRow] = []
        self.entries: list[Entry] = []
        self.moved: dict[Uid, Position] = {}
        self.new_rows: list[EntryRow] = []
        self.new_entries: list[Entry] = []
        self.new_moved: dict[Uid, Position] = {}
        self.keys: dict[tuple[Uid, str], Entry] = {}

    def between(self, after: Seq, before: Seq) -> list[Entry]:
        """The committed entries with `Seq` > `after` and < `before`, ascending."""
        entries = self.entries
        first = entries[0].seq if entries else 0
        return entries[max(0, after + 1 - first) : max(0, before - first)]

    def with_key(self, sender: Uid, msg_id: str) -> Entry | None:
        """The committed entry with that key of idempotence."""
        found = (e for e in self.entries if e.msg_id == msg_id and e.sender == sender)
        return next(found, None) if msg_id else None

    def end(self) -> Head | None:
        """Where the log ends, as committed; None: only positions moved."""
        rows = self.rows
        return Head(*rows[-1][1:5]) if rows else None

    def forget_new(self) -> None:
        """What is new is somewhere else, or nowhere."""
        self.new_rows, self.new_entries, self.new_moved = [], [], {}

    def commit(self) -> None:
        """What is new is in the journal."""
        self.entries.extend(self.new_entries)
        self.rows.extend(self.new_rows)
        self.moved.update(self.new_moved)
        self.forget_new()

    def roll_back(self) -> None:
        """What is new was not written."""
        self.forget_new()
        self.keys = {(e.sender, e.msg_id): e for e in self.entries if e.msg_id}

    def fold(self, taken: int) -> None:
        """The tables have the first `taken` of `rows`; with the last one, all that `moved`."""
        for entry in self.entries[:taken]:
            self.keys.pop((entry.sender, entry.msg_id), None)
        self.rows, self.entries = self.rows[taken:], self.entries[taken:]
        if not self.rows:
            self.moved = {}

    @property
    def is_empty(self) -> bool:
        """Whether the tables have all that was committed."""
        return not self.rows and not self.moved


class OpenLog:
    """A log as of now, for the writer: where it ends, and positions that it has met."""

    __slots__ = ("conv", "head", "id", "positions", "tail")

    def __init__(self, id_: int, conv: ConvID, head: Head = NO_HEAD) -> None:
        self.id = id_
        self.conv = conv
        self.head = head
        self.positions: dict[Uid, Position] = {}
        self.tail: LogTail | None = None

    def n_at(self, seq: Seq) -> int | None:
        """The count of messages up to and including `seq`, if the tables need not be asked."""
        if seq in (0, self.head.last):
            return self.head.n if seq else 0
        for entries in (self.tail.entries, self.tail.new_entries) if self.tail else ():
            if entries and entries[0].seq <= seq <= entries[-1].seq:
                return entries[seq - entries[0].seq].n
        return None


def position_rows(log: int, positions: Mapping[Uid, Position]) -> Iterator[PositionRow]:
    """Positions as rows of their table."""
    for uid, at in positions.items():
        yield log, uid, at.delivered, at.displayed, at.n
