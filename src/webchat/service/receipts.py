"""Receipts: positions that move forward, stored coalesced, then told (`telling.py`).

Source: docs/protocol.md, section 6. One write per member and conversation and interval; the
acknowledgement of a receipt means that it is stored.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any, Final

import msgspec

from webchat.errors import Code, TooBusyError, WebchatError
from webchat.model import NO_POSITION, ConvID, Entry, Position, Seq, Uid
from webchat.ports.clock import Clock, Timer
from webchat.ports.positions import Move, Moved, Positions
from webchat.service.newest import put_newest
from webchat.service.passed_over import Named
from webchat.service.read_positions import ReceiptSettings
from webchat.service.telling import Telling

Stored = Callable[[ConvID, "Sequence[Any]", "Exception | None"], bool]
"""Moves of one member are stored, or why not; with what waited for that. Returns whether all of
that is told by acks, so that what is refused is sent again."""
ReaderMoved = Callable[[ConvID, Uid, Position, object], None]
"""A member's position moved; the last argument is the `source` that did it, if it was one alone."""

_UNSURE: Final = 10_000
"""Of so many members and conversations it is remembered that a move may have been stored."""
_SOMEWHERE: Final = Position(1, 1, 0)
"""As far as a move went at least of which nobody knows how far."""
_AGAIN_S: Final = 5.0
"""So long after it failed a move is made again, or up to twice as long: what a store has given up
may still be done within it. Twice as long each time that it fails once more."""
_TRIES: Final = 6
"""So often it is made again, within five minutes or so; then it is its reader's next move that may
tell."""
_PIECES: Final = 100
"""In so many writes at most: one that the store can never take fails none but those beside it."""


class _Pending(msgspec.Struct, eq=False):
    """The moves of one member in one conversation since the last write.

    `source`: the device that made them, None if there were several. `delivered`, `displayed`: as
    far as they go. `said`: as far as a `delivery` said so; `delivered` may be beyond, by what a
    device of the seed's form confirms without saying. `named`: the messages that devices of the
    seed's form named; `is_of_all`: another device moved as well, so that all authors hear of it.
    `waiting`: for the answer that it is stored. `failures`: so often they were made in vain.
    """

    source: object
    named: Named | None = None
    is_of_all: bool = False
    delivered: Seq = 0
    said: Seq = 0
    displayed: Seq = 0
    waiting: list[Any] = []
    failures: int = 0

    @property
    def moves(self) -> bool:
        """False: of an own message that failed, and may have moved nothing. It does not make what
        else its sender moves something of which all authors are to hear."""
        return bool(self.delivered or self.displayed)

    def add(self, other: _Pending) -> None:
        """Say what `other` says, too, for which nobody waits any more."""
        self.source = None
        self.is_of_all = self.is_of_all or other.is_of_all
        self.delivered = max(self.delivered, other.delivered)
        self.said = max(self.said, other.said)
        self.displayed = max(self.displayed, other.displayed)
        if other.named is not None:
            a, b = self.named or Named(), other.named
            self.named = Named(a.delivered | b.delivered, a.displayed | b.displayed)


class _Unsure(msgspec.Struct, eq=False):
    """Moves of one member in one conversation that failed, and so were not told, but may have been
    stored, or are made again by nobody else. `tried`: how far those at least went that may have
    been stored, 0: none went that way. `again`: all that they said, to be made again from `again_s`
    on; None: it is under way, or was made often enough."""

    tried: Position
    again: _Pending | None
    again_s: float


class Receipts:
    """Gathers moves, writes them, and has them told in the order in which they were written.

    `stored`, `moved`: who hears of that, of these.
    """

    def __init__(
        self,
        positions: Positions,
        telling: Telling,
        stored: Stored,
        moved: ReaderMoved,
        clock: Clock,
        settings: ReceiptSettings,
    ) -> None:
        self._positions = positions
        self._telling = telling
        self._stored = stored
        self._moved = moved
        self._clock = clock
        self._settings = settings
        self._pending: dict[tuple[ConvID, Uid], _Pending] = {}
        self._unsure: OrderedDict[tuple[ConvID, Uid], _Unsure] = OrderedDict()
        """In the order in which they failed last."""
        self._timer: Timer | None = None
        self._again: Timer | None = None
        self._last_write_s = float("-inf")

    def move(
        self,
        uid: Uid,
        conv: ConvID,
        delivered: Seq = 0,
        displayed: Seq = 0,
        source: object = None,
        named: Sequence[Seq] | None = None,
        run_on: Seq = 0,
    ) -> list[Any]:
        """Move a member's positions forward (0: leave it); what is added to the list returned is
        handed to `stored` when that is durable.

        `named`: a seed-form reader's: only the authors of these messages hear of it; None: all
        authors between the old and the new position. A position that two devices move at once is
        told to both. `run_on`: up to there all has been delivered, too, which no author hears of.
        """
        pending = self._pending.get((conv, uid))
        if pending is None:
            pending = self._pending[conv, uid] = _Pending(source)
            if self._unsure:
                self._take_up(conv, uid, pending)
            self._write_soon()
        elif pending.source is not source:
            pending.source = None
        if delivered > pending.said:
            pending.said = delivered
        if (further := delivered or run_on) > pending.delivered:
            pending.delivered = further
        if displayed > pending.displayed:
            pending.displayed = displayed
        if named is None:
            pending.is_of_all = True
        else:
            pending.named = pending.named or Named()
            (pending.named.displayed if displayed else pending.named.delivered).update(named)
        return pending.waiting

    def _write_soon(self) -> None:
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
        self._positions.move(moves, lambda result: self._written(result, gathered))

    async def written(self) -> None:
        """Return once every move so far is stored, or has been refused."""
        self.flush()
        over = asyncio.Event()
        self._positions.move((), lambda _: over.set())
        await over.wait()

    def _written(
        self, result: Sequence[Moved] | Exception, gathered: dict[tuple[ConvID, Uid], _Pending]
    ) -> None:
        if isinstance(result, Exception):
            for (conv, uid), pending in gathered.items():
                self._refused(conv, uid, pending, result)
            return
        if self._unsure:
            result = [self._sure(moved) for moved in result]
        for moved in result:
            pending = gathered[moved.conv, moved.uid]
            if moved.refused is not None:
                self._refused(moved.conv, moved.uid, pending, moved.refused)
            elif pending.waiting:
                self._stored(moved.conv, pending.waiting, None)
        for moved in result:
            pending = gathered[moved.conv, moved.uid]
            if moved.before != moved.after:
                self._moved(moved.conv, moved.uid, moved.after, pending.source)
                if pending.is_of_all:
                    self._telling.add(moved, None, pending.said)
            if pending.named is not None and moved.refused is None:
                self._telling.add_named(
                    moved, pending.named, pending.said, is_of_all=pending.is_of_all
                )

    def _refused(self, conv: ConvID, uid: Uid, pending: _Pending, error: Exception) -> None:
        tried, is_told = Position(pending.delivered, pending.displayed, 0), False
        if pending.waiting:
            is_told = self._stored(conv, pending.waiting, error)
        self._note_unsure(conv, uid, tried, pending, error, is_told=is_told)

    def _note_unsure(
        self,
        conv: ConvID,
        uid: Uid,
        tried: Position,
        failed: _Pending,
        error: Exception,
        *,
        is_told: bool,
    ) -> None:
        """`is_told`: whoever made the moves knows that they failed, and makes them again."""
        if not (isinstance(error, WebchatError) and error.code is Code.UNAVAILABLE):
            return
        before, again = self._unsure.get((conv, uid)), None
        if isinstance(error, TooBusyError):
            if before is None and is_told:
                return
            tried = NO_POSITION
        if before is not None:
            delivered = _least(tried.delivered, before.tried.delivered)
            displayed = _least(tried.displayed, before.tried.displayed)
            tried, again = Position(delivered, displayed, 0), before.again
        if failed.failures < _TRIES:
            again = _made_again(failed, again)
        again_s = self._clock.monotonic_s() + _AGAIN_S * 2**failed.failures
        put_newest(self._unsure, (conv, uid), _Unsure(tried, again, again_s), _UNSURE)
        self._move_again_later()

    def _move_again_later(self) -> None:
        if self._again is None:
            self._again = self._clock.call_later(_AGAIN_S, self._move_again)

    def _move_again(self) -> None:
        """What failed, unless its reader has moved here since: where that was stored after all, it
        may be sent again to another node, which finds nothing to do and tells nobody."""
        self._again, now_s = None, self._clock.monotonic_s()
        due: dict[tuple[ConvID, Uid], _Pending] = {}
        for place, unsure in self._unsure.items():
            if unsure.again is None or place in self._pending:
                continue
            if unsure.again_s > now_s:
                self._move_again_later()
            else:
                due[place], unsure.again = unsure.again, None
        size, places = len(due) // _PIECES + 1, iter(due.items())
        while piece := dict(islice(places, size)):
            self.flush()
            self._pending.update(piece)
        self.flush()

    def _take_up(self, conv: ConvID, uid: Uid, pending: _Pending) -> None:
        """The member moves on, and what failed goes with it, unless that was an own message."""
        unsure = self._unsure.get((conv, uid))
        again = None if unsure is None else unsure.again
        if unsure is not None and again is not None and again.moves:
            pending.add(again)
            unsure.again = None

    def _name_again(self, moved: Moved, unsure: _Unsure) -> None:
        """What failed while another move, which was stored, was under way already: that one has
        told nobody of the messages that this one named, nor moved as far, if it was the earlier."""
        again, after = unsure.again, moved.after
        if again is None:
            return
        goes_on = again.delivered > after.delivered or again.displayed > after.displayed
        if again.named is None and not goes_on:
            return
        pending = self._pending.setdefault((moved.conv, moved.uid), _Pending(None))
        pending.add(again)
        self._write_soon()

    def _sure(self, moved: Moved) -> Moved:
        """The move; from the beginning on, if one that failed before it was stored after all: from
        where that went nobody knows any more."""
        if moved.refused is not None:
            return moved
        unsure = self._unsure.pop((moved.conv, moved.uid), None)
        if unsure is None:
            return moved
        self._name_again(moved, unsure)
        before, tried = moved.before, unsure.tried
        if tried == NO_POSITION:
            return moved
        goes_on = 0 < tried.delivered <= before.delivered or 0 < tried.displayed <= before.displayed
        if not goes_on and before != moved.after:
            return moved
        return msgspec.structs.replace(moved, before=NO_POSITION)

    def moved_by_own_message(self, moved: Moved) -> bool:
        """An own message is as good as a `display` of all before it; the sender's devices know.
        Returns whether it had not displayed all of that."""
        if self._unsure:
            moved = self._sure(moved)
        if moved.before.displayed < moved.after.displayed - 1:
            self._telling.add(moved)
            return True
        return False

    def own_message_failed(self, conv: ConvID, uid: Uid, error: Exception) -> None:
        """It may have been stored all the same, and then so is the sender's position."""
        failed = _Pending(None, is_of_all=True)
        self._note_unsure(conv, uid, _SOMEWHERE, failed, error, is_told=True)

    def own_message_was_stored(self, entry: Entry) -> None:
        """It is sent again: if something failed here before, nobody was told how far its sender is,
        which may be further than this, and the write says."""
        if (entry.conv, entry.sender) in self._unsure:
            self.move(entry.sender, entry.conv, displayed=entry.seq)


def _made_again(failed: _Pending, again: _Pending | None) -> _Pending:
    """`failed`, together with what is to be made `again` there already."""
    if again is None or (failed.named is not None and not again.moves):
        again = _Pending(None, failures=failed.failures + 1)
    elif again.named is not None and not failed.moves:
        return again
    again.add(failed)
    return again


def _least(a: Seq, b: Seq) -> Seq:
    return min(a, b) or max(a, b)
