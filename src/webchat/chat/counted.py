"""Counts of readers on their way to an author's devices, whichever node has counted."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from webchat.model import ConvID, Seq, Uid
from webchat.ports.clock import Clock
from webchat.service.read_positions import Count, Counts

_Place = tuple[ConvID, Uid]


class Counted:
    """Of each author and group `show` gets what is new at most once in `interval_s`: nodes count
    at moments of their own, and each tells what is new to itself."""

    def __init__(self, show: Callable[[Counts], None], clock: Clock, interval_s: float) -> None:
        self._show = show
        self._clock = clock
        self._interval_s = interval_s
        self._new: dict[_Place, dict[Seq, Count]] = {}
        self._shown: dict[_Place, dict[Seq, Count]] = {}
        """What was shown last, until an interval has brought nothing new."""

    def add(self, counts: Counts) -> None:
        """Show them, now or when the interval is over."""
        place = counts.conv, counts.author
        self._new.setdefault(place, {}).update({row[0]: row for row in counts.rows})
        if place not in self._shown:
            self._show_new(place)

    def _show_new(self, place: _Place) -> None:
        new, shown = self._new.pop(place, {}), self._shown.pop(place, {})
        rows = [row for seq, row in new.items() if row != shown.get(seq)]
        if rows:
            self._shown[place] = new
            self._clock.call_later(self._interval_s, partial(self._show_new, place))
            conv, author = place
            self._show(Counts(author, conv, tuple(rows)))
