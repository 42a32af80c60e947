"""One log as the writer has it open; and what of it is in the journal only, for readers too.

The writer's thread changes both. Of a tail another thread reads `last` first, then of `rows` what
lies up to there. Both are replaced or made longer, never shortened, so it sees a state that was
true, without a lock.
"""

from __future__ import annotations

from webchat.adapters.sqlite.rows import EntryRow, sealed
from webchat.model import NO_HEAD, ConvID, Entry, Head, Position, Seq, Uid, sealing_form


class LogTail:
    """The end of a log that the tables do not have yet.

    `rows`: its entries, one `Seq` after the other; up to `last` they are committed, the others are
    of the transaction that runs. `moved`: committed positions, `new_moved`: those of the
    transaction. `hashes`: `keys.key_hash` of `rows`, but for those that were settled.
    """

    __slots__ = ("hashes", "last", "moved", "new_moved", "rows")

    def __init__(self, last: Seq = 0) -> None:
        self.rows: list[EntryRow] = []
        self.last = last
        self.moved: dict[Uid, Position] = {}
        self.new_moved: dict[Uid, Position] = {}
        self.hashes: set[int | None] = set()

    def count(self, until: Seq) -> int:
        """How many of `rows` have a `Seq` up to `until`."""
        rows = self.rows
        return max(0, min(len(rows), until + 1 - rows[0][1])) if rows else 0

    @property
    def committed(self) -> int:
        """How many of `rows` are committed."""
        return self.count(self.last)

    def durable(self) -> list[EntryRow]:
        """Those of `rows` that are committed."""
        last = self.last  # before `rows`, of which a newer list may have taken the place
        rows = self.rows
        return rows[: max(0, last + 1 - rows[0][1])] if rows else []

    def between(self, conv: ConvID, after: Seq, before: Seq) -> list[Entry]:
        """The committed entries with `Seq` > `after` and < `before`, ascending; `conv`: its log."""
        last = self.last  # before `rows`: see `durable`
        rows = self.rows
        first = rows[0][1] if rows else 0
        found = rows[max(0, after + 1 - first) : max(0, min(before, last + 1) - first)]
        return [sealed(conv, row) for row in found]

    def with_key(self, conv: ConvID, sender: Uid, msg_id: str, *, new: bool) -> Entry | None:
        """The entry of `conv` with that key of idempotence; `new`: whether or not committed."""
        rows = self.rows if new else self.durable()
        found = (row for row in rows if row[7] == msg_id and row[6] == sender)
        row = next(found, None) if msg_id else None
        return None if row is None else sealed(conv, row)

    def end(self) -> Head | None:
        """Where the log ends, as committed; None: only positions moved."""
        rows = self.durable()
        return Head(*rows[-1][1:5]) if rows else None

    def commit(self, last: Seq) -> None:
        """What is new is in the journal; the log ends at `last`."""
        self.last = last
        if self.new_moved:
            self.moved.update(self.new_moved)
            self.new_moved.clear()

    def roll_back(self) -> None:
        """What is new was not written."""
        self.rows = self.durable()
        self.new_moved.clear()
        self.hashes = {row[-1] for row in self.rows}

    def fold(self, taken: int) -> None:
        """The tables have the first `taken` of `rows`; with the last committed, all that `moved`.

        Before `commit`: what is new has not been folded.
        """
        rows = self.rows
        if taken >= self.committed:
            self.moved = {}
        if taken == len(rows):
            self.rows, self.hashes = [], set()
        else:
            self.rows = rows[taken:]
            self.hashes.difference_update([row[-1] for row in rows[:taken]])

    @property
    def is_empty(self) -> bool:
        """Whether the tables have all that was committed; between transactions."""
        return not self.rows and not self.moved


class OpenLog:
    """A log as of now, for the writer: where it ends, and positions that it has met.

    `is_changing`: whether the transaction that runs has touched it. `form`: `sealing_form` of it.
    """

    __slots__ = ("conv", "form", "head", "id", "is_changing", "positions", "tail")

    def __init__(self, id_: int, conv: ConvID, head: Head = NO_HEAD) -> None:
        self.id = id_
        self.conv = conv
        self.form = sealing_form(conv)
        self.head = head
        self.is_changing = False
        self.positions: dict[Uid, Position] = {}
        self.tail: LogTail | None = None

    def n_at(self, seq: Seq) -> int | None:
        """The count of messages up to and including `seq`, if the tables need not be asked."""
        if seq in (0, self.head.last):
            return self.head.n if seq else 0
        rows = self.tail.rows if self.tail else ()
        return rows[seq - rows[0][1]][2] if rows and rows[0][1] <= seq <= rows[-1][1] else None
