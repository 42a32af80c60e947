"""News of receipts that the bus did not take, until it is back, or that not every node may have
heard: of each place the newest.

Positions and receipts are state, so what came later stands for what came before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from webchat.model import ConvID, Position, Uid
from webchat.ports.clock import Clock, Timer
from webchat.service.newest import put_newest
from webchat.service.read_positions import Counts
from webchat.service.telling import Message, Notice

_NAMED_MESSAGES = 200
"""Of one reader and author, how many of the newest are still named, for the seed's form."""
_COUNTED_MESSAGES = 200
_LATE_S: Final = 10.0
"""After an outage, within which the other nodes are back on the bus, too."""
_GATHER_S: Final = 0.5
"""Nodes come back close together: what is said again is so for all that came within this time."""


class Unheard:
    """At most `limit` of each kind; beyond, the oldest are forgotten."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._positions: dict[tuple[Uid, ConvID], Position] = {}
        self._notices: dict[tuple[Uid, ConvID, Uid, bool], Notice] = {}
        self._counts: dict[tuple[Uid, ConvID], Counts] = {}

    def keep_position(self, uid: Uid, conv: ConvID, position: Position) -> None:
        """Where a user is now in a conversation."""
        put_newest(self._positions, (uid, conv), position, self._limit)

    def keep_notice(self, notice: Notice, *, shown: bool) -> None:
        """What an author is to hear of a reader. `shown`: somebody here has been shown it."""
        key = (notice.author, notice.conv, notice.reader, shown)
        before = self._notices.get(key)
        merged = _merged(before, notice) if before is not None else notice
        put_newest(self._notices, key, merged, self._limit)

    def keep_counts(self, counts: Counts) -> None:
        """How many have an author's messages now."""
        key = (counts.author, counts.conv)
        before = self._counts.get(key)
        rows = {row[0]: row for row in (*(before.rows if before else ()), *counts.rows)}
        newest = tuple(rows[seq] for seq in sorted(rows)[-_COUNTED_MESSAGES:])
        put_newest(self._counts, key, msgspec.structs.replace(counts, rows=newest), self._limit)

    def take_positions(self) -> dict[tuple[Uid, ConvID], Position]:
        """All that are kept, which are kept no more."""
        taken, self._positions = self._positions, {}
        return taken

    def take_notices(self) -> list[tuple[Notice, bool]]:
        """All that are kept, each with whether it has been shown, which are kept no more."""
        taken, self._notices = self._notices, {}
        return [(notice, shown) for (*_, shown), notice in taken.items()]

    def take_counts(self) -> list[Counts]:
        """All that are kept, which are kept no more."""
        taken, self._counts = self._counts, {}
        return list(taken.values())


class Lately:
    """What this node has said since the bus is back, for nodes that come back to it after this one.

    `news`: None when all are back. At most `limit` of each kind.
    """

    def __init__(self, limit: int, clock: Clock) -> None:
        self.news: Unheard | None = None
        self._limit = limit
        self._clock = clock
        self._end: Timer | None = None
        self._saying: Timer | None = None

    def begin(self) -> None:
        """The bus is back: what is said from now on may have to be said again."""
        if self._end is not None:
            self._end.cancel()
        self._end = self._clock.call_later(_LATE_S, self._forget)
        self.news = self.news or Unheard(self._limit)

    def _forget(self) -> None:
        self.news = None

    def have_said_again(self, say: Callable[[Unheard], None]) -> None:
        """Another node is back: `say` all of it soon, for all that are back by then."""

        def now() -> None:
            self._saying = None
            if self.news is not None:
                say(self.news)

        if self.news is not None and self._saying is None:
            self._saying = self._clock.call_later(_GATHER_S, now)


def unnamed(notice: Notice) -> Notice:
    """Without its messages: for devices that know `Seq`, to which hearing it twice is nothing."""
    return msgspec.structs.replace(notice, newly_delivered=(), newly_displayed=())


def _merged(before: Notice, after: Notice) -> Notice:
    return msgspec.structs.replace(
        after,
        delivered=max(before.delivered, after.delivered),
        displayed=max(before.displayed, after.displayed),
        newly_delivered=_newest(before.newly_delivered, after.newly_delivered),
        newly_displayed=_newest(before.newly_displayed, after.newly_displayed),
    )


def _newest(before: tuple[Message, ...], after: tuple[Message, ...]) -> tuple[Message, ...]:
    return (*before, *after)[-_NAMED_MESSAGES:]
