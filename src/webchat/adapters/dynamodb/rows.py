"""A member of a conversation as one item: spans, and how far it has come."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

import msgspec

from webchat.adapters.dynamodb import keys
from webchat.adapters.dynamodb.head import as_bytes, encode
from webchat.adapters.dynamodb.table import Item, Key
from webchat.model import ConvID, Membership, Position, Seq, Uid

MOST_SPANS: Final = 1_000
"""Of a member: 12 to 20 KB, which each of its receipts writes anew. Without a bound, who joins and
departs again and again would make the item too large for the engine: what follows from that entry
could never be done, and nobody would read who is in the group any more."""
_decode_spans: Final = msgspec.msgpack.Decoder(tuple[tuple[Seq, Seq, str], ...]).decode


class MemberRow(msgspec.Struct, frozen=True):
    """`spans`: (since, until or 0, role), ascending. `seq`: of the newest entry that changed them;
    what follows from an older one changes nothing any more."""

    spans: tuple[tuple[Seq, Seq, str], ...] = ()
    seq: Seq = 0
    position: Position | None = None

    @property
    def is_present(self) -> bool:
        """Whether the newest span is open."""
        return bool(self.spans) and not self.spans[-1][1]

    def memberships(self, conv: ConvID, uid: Uid) -> list[Membership]:
        """The spans as the port tells them."""
        return [Membership(conv, uid, *_told(span)) for span in self.spans]

    def at(self, position: Position) -> MemberRow:
        """The row with another position."""
        return MemberRow(self.spans, self.seq, position)

    def item(self) -> Item:
        """As it is written, without its key."""
        item: Item = {"spans": encode(self.spans), "seq": self.seq}
        if self.position is not None:
            at = self.position
            item |= {"delivered": at.delivered, "displayed": at.displayed, "n": at.n}
        return item


class RowCache:
    """Members' rows as this node last saw them: a hint of their `ver`, never the truth."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._items: OrderedDict[Key, Item] = OrderedDict()

    def get(self, key: Key) -> Item | None:
        """What is remembered."""
        if key in self._items:
            self._items.move_to_end(key)
        return self._items.get(key)

    def put(self, key: Key, item: Item | None) -> None:
        """Remember it; None: nothing new is known."""
        if item is None:
            return
        self._items[key] = item
        self._items.move_to_end(key)
        if len(self._items) > self._most:
            self._items.popitem(last=False)


def read_row(item: Item | None) -> MemberRow:
    """The row that `item` is; None: an empty one."""
    if item is None:
        return MemberRow()
    position = None
    if "delivered" in item:
        position = Position(int(item["delivered"]), int(item["displayed"]), int(item["n"]))
    return MemberRow(_decode_spans(as_bytes(item["spans"])), int(item["seq"]), position)


def uid_of(item: Item) -> Uid:
    """Whose row that is."""
    return str(item["sk"]).removeprefix(keys.MEMBER)


def turned(
    row: MemberRow, spans: Sequence[tuple[Seq, Seq, str]], seq: Seq, n_before: int
) -> MemberRow | None:
    """`row` once `spans` followed from `seq`, of which the newest stay; None: it knew that already.

    `n_before`: the count of messages before `seq`, to which the position of whoever comes in moves.
    """
    if seq <= row.seq:
        return None
    kept, position = list(row.spans), row.position
    for span in spans:
        since, until, _ = span
        is_open = bool(kept) and not kept[-1][1]
        if until:
            kept[-1 if is_open else len(kept) :] = [span]
        elif is_open and kept[-1][0] == since:
            kept[-1] = span
        elif not is_open:
            kept.append(span)
            n = n_before if since == seq else 0
            position = forward(position, Position(since - 1, since - 1, n))
    return MemberRow(tuple(kept[-MOST_SPANS:]), seq, position)


def forward(before: Position | None, to: Position) -> Position:
    """`before` moved on to `to`; neither part goes back."""
    if before is None:
        return to
    shown = to if to.displayed > before.displayed else before
    delivered = max(before.delivered, to.delivered)
    return Position(delivered, shown.displayed, shown.n)


def _told(span: tuple[Seq, Seq, str]) -> tuple[Seq, Seq | None, str]:
    since, until, role = span
    return since, until or None, role
