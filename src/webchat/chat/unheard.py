"""News of receipts that the bus did not take, until it is back, and those that it took, for nodes
that had no bus meanwhile: of each place the newest; and which of others' have come.

Receipts are state, so what came later stands for what came before. Positions and counts are made
anew when they are told: another node may have told newer ones.
"""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import Final

import msgspec

from webchat.model import ConvID, Seq, Uid
from webchat.ports.clock import Clock, Timer
from webchat.service.newest import put_newest
from webchat.service.read_positions import Counts
from webchat.service.telling import Message, Notice

_NAMED_MESSAGES = 200
"""Of one reader and author, how many of the newest are still named, for the seed's form."""
_NAMES_EACH: Final = 10
"""Of all that is remembered as said, on the average: more would take too much room."""
_COUNTED_MESSAGES = 200
_GATHER_S: Final = 0.5
"""Nodes come back close together: what is said again is so for all that came within this time."""


class Told(msgspec.Struct, frozen=True):
    """What an author heard of a reader here, at `at_s`. `shown`: on a device; else nobody of it was
    here. `heard`: the bus says that another node has; but one that is cut off may count as such,
    and another may not have been there. `asked`: the bus was, and may have passed it on without an
    answer."""

    notice: Notice
    shown: bool
    at_s: float
    heard: bool = False
    asked: bool = False


class Unheard:
    """At most `limit` of each kind; beyond, the oldest are forgotten."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._is_lost = False
        self._positions: OrderedDict[tuple[Uid, ConvID], None] = OrderedDict()
        self._told: OrderedDict[Hashable, Told] = OrderedDict()
        self._counted: OrderedDict[tuple[ConvID, Uid], set[Seq]] = OrderedDict()

    def lost(self) -> None:
        """The bus is lost, and what it was asked has failed: what fails from now on, until it is
        back, it was not asked."""
        self._is_lost = True

    def keep_position(self, uid: Uid, conv: ConvID) -> None:
        """A user's devices are to hear where it is in a conversation."""
        put_newest(self._positions, (uid, conv), None, self._limit)

    def keep_told(self, told: Told) -> None:
        """What an author is to hear of a reader. Where it has been shown on a device, that of
        each second stands for itself: who came since has heard what was told before. What another
        node may have heard stays as it was, to be known there."""
        if not self._is_lost:
            told = msgspec.structs.replace(told, asked=True)
        notice, second = told.notice, int(told.at_s) if told.shown else None
        is_known = told.heard or told.asked
        key = told if is_known else (notice.author, notice.conv, notice.reader, second)
        before = self._told.get(key)
        if before is not None:
            told = msgspec.structs.replace(told, notice=_merged(before.notice, notice))
        put_newest(self._told, key, told, self._limit)

    def keep_said(self, told: Told) -> None:
        """What was told is to be told again, as it was, to be known where it was heard."""
        put_newest(self._told, told, told, self._limit)

    def keep_counts(self, counts: Counts) -> None:
        """An author is to hear how many have these of its messages."""
        key = (counts.conv, counts.author)
        seqs = self._counted.get(key, set()) | {row[0] for row in counts.rows}
        newest = set(sorted(seqs)[-_COUNTED_MESSAGES:])
        put_newest(self._counted, key, newest, self._limit)

    def take_positions(self) -> dict[Uid, list[ConvID]]:
        """By user, in which conversations, which are kept no more."""
        taken, self._positions = self._positions, OrderedDict()
        by_user: dict[Uid, list[ConvID]] = {}
        for uid, conv in taken:
            by_user.setdefault(uid, []).append(conv)
        return by_user

    def take_told(self) -> Sequence[Told]:
        """All that is kept of readers, which is kept no more."""
        taken, self._told, self._is_lost = self._told, OrderedDict(), False
        return list(taken.values())

    def take_counted(self) -> dict[tuple[ConvID, Uid], set[Seq]]:
        """By group and author, of which messages counts are to be told, which are kept no more."""
        taken, self._counted = self._counted, OrderedDict()
        return taken


class Said:
    """What this node has told of receipts, the newest of it, for nodes that had no bus meanwhile.

    At most `limit` of each kind; fewer where they name many messages. `unnoticed_s`: see
    RepairSettings.
    """

    def __init__(self, limit: int, unnoticed_s: float, clock: Clock) -> None:
        self._limit = limit
        self._unnoticed_s = unnoticed_s
        self._clock = clock
        self._positions: OrderedDict[tuple[Uid, ConvID], float] = OrderedDict()
        self._told: deque[tuple[float, Told]] = deque()
        self._names = 0
        self._counts: deque[tuple[float, Counts]] = deque(maxlen=limit)
        self._since_s = math.inf
        self._saying: Timer | None = None

    def note_position(self, uid: Uid, conv: ConvID) -> None:
        """The bus took it."""
        put_newest(self._positions, (uid, conv), self._clock.monotonic_s(), self._limit)

    def note_told(self, told: Told) -> None:
        """The bus took it."""
        self._told.append((self._clock.monotonic_s(), told))
        self._names += _count_names(told)
        while len(self._told) > self._limit or self._names > _NAMES_EACH * self._limit:
            _, oldest = self._told.popleft()
            self._names -= _count_names(oldest)

    def note_counts(self, counts: Counts) -> None:
        """The bus took them."""
        self._counts.append((self._clock.monotonic_s(), counts))

    def say_again(self, out_s: float, say: Callable[[Unheard], None]) -> None:
        """Another node is back that had no bus for so long: `say` what was said in that time, and
        a little before that it noticed, soon, for all that are back by then."""
        since_s = self._clock.monotonic_s() - out_s - self._unnoticed_s
        self._since_s = min(self._since_s, since_s)
        if self._saying is None:
            self._saying = self._clock.call_later(_GATHER_S, partial(self._say, say))

    def _say(self, say: Callable[[Unheard], None]) -> None:
        since_s, self._since_s, self._saying = self._since_s, math.inf, None
        news = Unheard(self._limit)
        for place, at_s in self._positions.items():
            if at_s >= since_s:
                news.keep_position(*place)
        for at_s, told in self._told:
            if at_s >= since_s:
                news.keep_said(told)
        for at_s, counts in self._counts:
            if at_s >= since_s:
                news.keep_counts(counts)
        say(news)


class Heard:
    """What this node has heard of receipts, the newest `limit`, for when it is said again."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._notices: OrderedDict[int, None] = OrderedDict()

    def note(self, notice: Notice) -> bool:
        """Another node tells it; returns whether it did before."""
        key = hash(notice if notice.ago_s is None else msgspec.structs.replace(notice, ago_s=None))
        is_known = key in self._notices
        put_newest(self._notices, key, None, self._limit)
        return is_known


def unnamed(notice: Notice) -> Notice:
    """Without its messages: for devices that know `Seq`, to which hearing it twice is nothing."""
    return msgspec.structs.replace(notice, newly_delivered=(), newly_displayed=())


def undisplayed(notice: Notice) -> Notice:
    """As it is told where displays are hidden: what was displayed has been delivered."""
    messages = {*notice.newly_delivered, *notice.newly_displayed}
    return msgspec.structs.replace(
        notice,
        delivered=max(notice.delivered, notice.displayed),
        displayed=0,
        newly_delivered=tuple(sorted(messages)),
        newly_displayed=(),
    )


def _count_names(told: Told) -> int:
    return len(told.notice.newly_delivered) + len(told.notice.newly_displayed)


def _merged(before: Notice, after: Notice) -> Notice:
    return msgspec.structs.replace(
        after,
        delivered=max(before.delivered, after.delivered),
        displayed=max(before.displayed, after.displayed),
        newly_delivered=_newest(before.newly_delivered, after.newly_delivered),
        newly_displayed=_newest(before.newly_displayed, after.newly_displayed),
    )


def _newest(before: tuple[Message, ...], after: tuple[Message, ...]) -> tuple[Message, ...]:
    return tuple(dict.fromkeys((*before, *after)))[-_NAMED_MESSAGES:]
