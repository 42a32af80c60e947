"""Receipts: positions that move forward, stored coalesced, told to whom they concern.

Source: docs/protocol.md, section 6. One write per member and conversation and interval; the
acknowledgement of a receipt means that it is stored.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Protocol

import msgspec

from webchat.errors import WebchatError
from webchat.model import ConvID, Entry, Position, Seq, Uid, is_group
from webchat.ports.clock import Clock, Timer
from webchat.ports.log import Log
from webchat.ports.members import Members
from webchat.ports.positions import Move, Moved, Positions
from webchat.service.read_positions import ReadPositions, ReceiptSettings

Message = tuple[Seq, str]
"""A message as receipts name it: its `Seq` and MsgID."""

_RETRY_S = 1.0

Stored = Callable[["Exception | None"], None]


class Notice(msgspec.Struct, frozen=True):
    """What an author learns of a reader: new positions (0: that one did not move for its messages)
    and the author's messages that they newly cover, for clients that know no `Seq`. `counted`: in
    a group so large that other clients get Counts instead."""

    author: Uid
    conv: ConvID
    reader: Uid
    delivered: Seq
    displayed: Seq
    newly_delivered: tuple[Message, ...]
    newly_displayed: tuple[Message, ...]
    counted: bool = False


class ReceiptListener(Protocol):
    """Who brings the news to devices."""

    def reader_moved(self, conv: ConvID, uid: Uid, position: Position, source: object) -> None:
        """A user's own position moved; `source` is the device that did it, which knows."""

    def author_told(self, notice: Notice) -> None:
        """A reader of the author's messages moved."""


class _Pending:
    """The moves of one member in one conversation since the last write."""

    __slots__ = ("delivered", "displayed", "named", "source", "stored")

    def __init__(self, source: object) -> None:
        self.delivered = 0
        self.displayed = 0
        self.source = source
        self.named: set[Seq] | None = set()
        self.stored: list[Stored] = []


_OWN_MESSAGE = _Pending(None)
_OWN_MESSAGE.named = None


class Receipts:
    """Gathers moves, writes them, tells of them in the order in which they were written."""

    def __init__(
        self,
        positions: Positions,
        log: Log,
        members: Members,
        readers: ReadPositions,
        clock: Clock,
        spawn: Callable[[Coroutine[Any, Any, None]], object],
        settings: ReceiptSettings,
    ) -> None:
        self._positions = positions
        self._log = log
        self._members = members
        self._readers = readers
        self._clock = clock
        self._spawn = spawn
        self._settings = settings
        self._pending: dict[tuple[ConvID, Uid], _Pending] = {}
        self._timer: Timer | None = None
        self._last_write_s = float("-inf")
        self._untold: deque[tuple[Moved, _Pending]] = deque()
        self._telling = False
        self.listener: ReceiptListener | None = None

    def move(
        self,
        uid: Uid,
        conv: ConvID,
        *,
        delivered: Seq = 0,
        displayed: Seq = 0,
        source: object = None,
        named: Sequence[Seq] | None = None,
        stored: Stored | None = None,
    ) -> None:
        """Move a member's positions forward (0: leave it); `stored` hears when that is durable.

        `named`: a seed-form reader's: only the authors of these messages hear of it; None: all
        authors between the old and the new position. A position that two devices move at once is
        told to both.
        """
        pending = self._pending.get((conv, uid))
        if pending is None:
            pending = self._pending[conv, uid] = _Pending(source)
        elif pending.source is not source:
            pending.source = None
        pending.delivered = max(pending.delivered, delivered)
        pending.displayed = max(pending.displayed, displayed)
        if named is None:
            pending.named = None
        elif pending.named is not None:
            pending.named.update(named)
        if stored is not None:
            pending.stored.append(stored)
        if self._timer is None:
            self._timer = self._clock.call_later(self._wait_s(), self.flush)

    def _wait_s(self) -> float:
        interval_s = self._settings.receipts_interval_ms / 1000
        return max(0.0, self._last_write_s + interval_s - self._clock.monotonic_s())

    def flush(self) -> None:
        """Write what has been gathered now."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._pending:
            return
        gathered, self._pending = self._pending, {}
        self._last_write_s = self._clock.monotonic_s()
        moves = [
            Move(conv, uid, pending.delivered, pending.displayed)
            for (conv, uid), pending in gathered.items()
        ]
        waiting = list(gathered.values())
        self._positions.move(moves, lambda result: self._written(result, waiting))

    async def written(self) -> None:
        """Return once every move so far is stored, or has been refused."""
        self.flush()
        over = asyncio.Event()
        self._positions.move((), lambda _: over.set())
        await over.wait()

    def _written(self, result: Sequence[Moved] | Exception, waiting: list[_Pending]) -> None:
        error = result if isinstance(result, Exception) else None
        for pending in waiting:
            for stored in pending.stored:
                stored(error)
        if isinstance(result, Exception):
            return
        self._untold.extend(
            (moved, pending)
            for moved, pending in zip(result, waiting, strict=True)
            if moved.before != moved.after
        )
        self._tell_soon()

    def moved_by_own_message(self, moved: Moved) -> None:
        """An own message is as good as a `display` of all before it; the sender's devices know."""
        if moved.before.displayed < moved.after.displayed - 1:
            self._untold.append((moved, _OWN_MESSAGE))
            self._tell_soon()

    def _tell_soon(self) -> None:
        if self._untold and not self._telling:
            self._telling = True
            self._spawn(self._tell_all())

    async def _tell_all(self) -> None:
        try:
            while self._untold:
                await self._tell(*self._untold[0])
                self._untold.popleft()
        except WebchatError:  # the store went down after the write; it is told when it is back
            self._clock.call_later(_RETRY_S, self._tell_soon)
        finally:
            self._telling = False

    async def _tell(self, moved: Moved, pending: _Pending) -> None:
        listener = self.listener
        if listener is None:
            return
        if pending is not _OWN_MESSAGE:
            listener.reader_moved(moved.conv, moved.uid, moved.after, pending.source)
        if pending.named is not None and not pending.named:
            return
        newly = await self._newly_covered(moved)
        if pending.named is not None:
            newly = [entry for entry in newly if entry.seq in pending.named]
        size = await self._members.count(moved.conv) if newly and is_group(moved.conv) else 0
        if size > self._settings.told_members:
            self._readers.count_later(moved.conv, newly)
            if size > self._settings.told_seed_members:
                return
        for author in {entry.sender: None for entry in newly}:
            theirs = [entry for entry in newly if entry.sender == author]
            hidden = await self._readers.hides_display(author, moved.uid)
            notice = _notice(author, moved, pending, theirs, hidden)
            counted = size > self._settings.told_members
            listener.author_told(msgspec.structs.replace(notice, counted=counted))

    async def _newly_covered(self, moved: Moved) -> list[Entry]:
        """Others' messages that a move passed, among the newest entries up to the new position."""
        low = min(moved.before.delivered, moved.before.displayed)
        if moved.after.displayed == moved.before.displayed:
            low = moved.before.delivered
        top = moved.after.delivered
        start = max(low, top - self._settings.receipt_entries)
        entries = await self._log.read(moved.conv, start, top - start)
        return [
            entry
            for entry in entries
            if entry.seq <= top and entry.kind == "message" and entry.sender != moved.uid
        ]


def _notice(
    author: Uid, moved: Moved, pending: _Pending, theirs: Sequence[Entry], hidden: bool
) -> Notice:
    before, after = moved.before, moved.after
    said_delivered = pending.delivered > before.delivered or hidden
    delivered = _between(theirs, before.delivered, after.delivered) if said_delivered else ()
    displayed = () if hidden else _between(theirs, before.displayed, after.displayed)
    return Notice(
        author,
        moved.conv,
        moved.uid,
        after.delivered if delivered else 0,
        after.displayed if displayed else 0,
        delivered,
        displayed,
    )


def _between(entries: Sequence[Entry], low: Seq, high: Seq) -> tuple[Message, ...]:
    return tuple((entry.seq, entry.msg_id) for entry in entries if low < entry.seq <= high)
