"""Receipts: positions that move forward, stored coalesced, then told (`telling.py`).

Source: docs/protocol.md, section 6. One write per member and conversation and interval; the
acknowledgement of a receipt means that it is stored.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from webchat.model import ConvID, Seq, Uid
from webchat.ports.clock import Clock, Timer
from webchat.ports.positions import Move, Moved, Positions
from webchat.service.read_positions import ReceiptSettings
from webchat.service.telling import Notice, Telling

__all__ = ["Notice", "Receipts", "Stored"]

Stored = Callable[["Exception | None"], None]


class _Pending:
    """The moves of one member in one conversation since the last write."""

    __slots__ = ("delivered", "displayed", "named", "source", "stored")

    def __init__(self, source: object) -> None:
        self.delivered = 0
        self.displayed = 0
        self.source = source
        self.named: set[Seq] | None = set()
        self.stored: list[Stored] = []


class Receipts:
    """Gathers moves, writes them, and has them told in the order in which they were written."""

    def __init__(
        self, positions: Positions, telling: Telling, clock: Clock, settings: ReceiptSettings
    ) -> None:
        self._positions = positions
        self._telling = telling
        self._clock = clock
        self._settings = settings
        self._pending: dict[tuple[ConvID, Uid], _Pending] = {}
        self._timer: Timer | None = None
        self._last_write_s = float("-inf")

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
        for moved, pending in zip(result, waiting, strict=True):
            if moved.before != moved.after:
                self._tell(moved, pending)

    def _tell(self, moved: Moved, pending: _Pending) -> None:
        self._telling.reader_moved(moved, pending.source)
        if pending.named is None:
            self._telling.authors_hear(moved, None, pending.delivered)
        elif pending.named:
            self._telling.authors_hear(moved, frozenset(pending.named), pending.delivered)

    def moved_by_own_message(self, moved: Moved) -> None:
        """An own message is as good as a `display` of all before it; the sender's devices know."""
        if moved.before.displayed < moved.after.displayed - 1:
            self._telling.authors_hear(moved)
