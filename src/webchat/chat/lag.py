"""Where a device is behind, and how much of that a join may ask for."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from webchat.chat.acks import OwnAck
from webchat.model import ConvID, Entry, Seq
from webchat.protocol.socketio import Packet

if TYPE_CHECKING:
    from webchat.chat.followed import FollowedLog


@dataclass(frozen=True, slots=True)
class BacklogSettings:
    """`backlog_entries`: how far behind one conversation may begin; `join_entries`: how many
    entries a join may ask for in all; `page_entries`: how many are read at once.
    `queued_entries`: of one conversation, that wait at a connection for an ack of its own; beyond,
    they are read from the log."""

    backlog_entries: int = 200
    join_entries: int = 10_000
    page_entries: int = 100
    queued_entries: int = 100


class Lag:
    """Where a device is behind in a log: it has been sent what comes up to `position`.

    `end`: where the log ended when the device said its cursor. Of what lies in between the oldest
    part is skipped if it is too much; what is appended later is never skipped. `begun`: counts up
    when the cursor is said anew, or when what the user may see of the log changes: a run of the
    backlog that began before that ends. `acks`: by `Seq`, own acks that wait for their turn.
    `page`: entries that were read ahead, together with those of other logs.

    What is missing is read from the log, unless one of three is so, of which no two are at once.
    `waiting`: the cursor is still to come. `skip_only`: the join has used up the entries it may ask
    for, so the log is skipped to its end. `queue`: nothing but an ack that waits for the bus holds
    the log up, and this is what comes after that, each entry with its packet (None: the device does
    not get it).
    """

    __slots__ = (
        "_changed", "acks", "begun", "end", "page", "position", "queue", "skip_only", "waiting",
    )  # fmt: skip

    def __init__(self, position: Seq, *, waiting: bool = False) -> None:
        self.position = self.end = position
        self.begun = 0
        self.waiting = waiting
        self.skip_only = False
        self.acks: dict[Seq, list[OwnAck]] = {}
        self.queue: deque[tuple[Entry, Packet | None]] | None = None
        self.page: Sequence[Entry] = ()
        self._changed: asyncio.Event | None = None

    @property
    def is_for_backlog(self) -> bool:
        """Whether what is missing is to be read from the log now."""
        return not self.waiting and self.queue is None

    def take_page(self) -> Sequence[Entry]:
        """The entries that were read ahead, if they are the next ones; a second time there are
        none."""
        page, self.page = self.page, ()
        return page if page and page[0].seq == self.position + 1 else ()

    def keep_ack(self, entry: Entry, ack: OwnAck) -> None:
        """Keep an ack until it is the turn of `entry`."""
        ack.entry = entry
        self.acks.setdefault(entry.seq, []).append(ack)

    def take_acks(self, seq: Seq) -> list[OwnAck]:
        """The acks that waited for the turn of the entry `seq`, which has come or is skipped."""
        acks = self.acks.pop(seq, [])
        self.look_again()
        return acks

    def drop_ack(self, entry: Entry, ack: OwnAck) -> None:
        """Forget an ack that waits for the turn of `entry`: its append was refused."""
        self.acks[entry.seq] = [kept for kept in self.acks.get(entry.seq, ()) if kept is not ack]

    def holds_back(self, seq: Seq) -> bool:
        """Whether the ack of the entry `seq` still waits for the bus."""
        for ack in self.acks.get(seq, ()):  # noqa: SIM110  # Each message to another node comes by.
            if not ack.is_published:
                return True
        return False

    def look_again(self) -> None:
        """Have whoever awaits `until_free` or `until_begun` look again."""
        if self._changed is not None:
            self._changed.set()

    async def until_begun(self) -> None:
        """Return, at once if so, when the cursor is there. One at a time awaits it."""
        while self.waiting:
            self._changed = asyncio.Event()
            await self._changed.wait()

    async def until_free(self, seq: Seq) -> None:
        """Return, at once if so, when nothing holds the entry `seq` back."""
        while self.acks and self.holds_back(seq):
            self._changed = asyncio.Event()
            await self._changed.wait()


def share_out(
    lags: Mapping[ConvID, Lag], logs: Sequence[FollowedLog], budget: int, settings: BacklogSettings
) -> int:
    """Share out `budget`, the entries that a join may still ask for, to these logs in their order;
    returns what is left. A log that would take more than is left gets none: it is `skip_only`."""
    for log in logs:
        lag = lags[log.conv]
        behind = min(log.last - lag.position, settings.backlog_entries)
        lag.skip_only = behind > budget
        if 0 < behind <= budget:
            budget -= behind
    return budget
