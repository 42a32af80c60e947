"""Messages that readers of the seed's form passed without naming them: where one is named after
all, its author has not heard of it yet (docs/protocol.md, section 10, "Receipts")."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Final

import msgspec

from webchat.model import ConvID, Seq, Uid
from webchat.ports.positions import Moved
from webchat.service.newest import put_newest

_READERS: Final = 1_000


class Named(msgspec.Struct, eq=False):
    """The messages that a reader named since its last write, by a delivery and by a display."""

    delivered: set[Seq] = msgspec.field(default_factory=set)
    displayed: set[Seq] = msgspec.field(default_factory=set)


class Late(msgspec.Struct, frozen=True):
    """A message that its reader named after the reader's positions had passed it. `delivery`,
    `display`: whether its author is still to hear of the one and of the other. `says_delivery`: the
    reader said the delivery by itself, not by a display alone."""

    seq: Seq
    delivery: bool
    display: bool
    says_delivery: bool


class PassedOver:
    """Of the newest readers, in each conversation, up to `most` messages of each kind below the
    newest that was named."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._readers: OrderedDict[tuple[ConvID, Uid], Named] = OrderedDict()

    def take(self, moved: Moved, named: Named) -> list[Late]:
        """Those of `named` that their reader had passed over before."""
        return list(self._taken(moved, named))

    def _taken(self, moved: Moved, named: Named) -> Iterator[Late]:
        passed = self._readers.get((moved.conv, moved.uid))
        if passed is None:
            return
        for seq in sorted(named.delivered | named.displayed):
            delivery = seq in passed.delivered
            display = seq in passed.displayed and seq in named.displayed
            passed.delivered.discard(seq)
            if display:
                passed.displayed.discard(seq)
            if delivery or display:
                yield Late(seq, delivery, display, delivery and seq in named.delivered)
        if not passed.delivered and not passed.displayed:
            del self._readers[moved.conv, moved.uid]

    def note(self, moved: Moved, named: Named) -> None:
        """A reader has moved so, and named these alone."""
        told = named.delivered | named.displayed
        if not told:
            return
        before, after, newest = moved.before, moved.after, max(told)
        delivered = self._between(before.delivered, min(after.delivered, newest)) - told
        displayed = self._between(before.displayed, min(after.displayed, newest)) - told
        if not delivered and not displayed:
            return
        key = (moved.conv, moved.uid)
        passed = self._readers.get(key) or Named()
        passed.delivered = self._newest(passed.delivered | delivered)
        passed.displayed = self._newest(passed.displayed | displayed)
        put_newest(self._readers, key, passed, _READERS)

    def _between(self, low: Seq, high: Seq) -> set[Seq]:
        return set(range(max(low, high - self._most) + 1, high))

    def _newest(self, seqs: set[Seq]) -> set[Seq]:
        return set(sorted(seqs)[-self._most :])
