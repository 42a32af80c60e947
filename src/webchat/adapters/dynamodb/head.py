"""The end of a log as one item: its numbers, its newest entries, and what is still to follow."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from webchat.adapters.dynamodb import keys
from webchat.adapters.dynamodb.table import Item, Value
from webchat.model import ConvID, Draft, Entry, Group, Head, Invitation, Position, Seq, Uid, seal
from webchat.ports.log import Change

MARK_SHARDS: Final = 4
_OVERHEAD_BYTES: Final = 512
_NUMBER_BYTES: Final = 21
_DEFLATE_LEVEL: Final = 6


class Record(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """An entry as it is stored; its `Seq` is its place. `token`: of the write that brought it."""

    n: int
    at: int
    kind: str
    sender: Uid
    msg_id: str
    envelope: bytes
    token: bytes
    is_membership: bool = False

    def entry(self, conv: ConvID, seq: Seq) -> Entry:
        """The entry that this is at `seq` of `conv`."""
        return seal(self.draft, conv, seq, self.n, self.at)

    @property
    def draft(self) -> Draft:
        """What was appended, as changed since."""
        return Draft(self.kind, self.sender, self.msg_id, self.envelope)


class Follows(msgspec.Struct, frozen=True, array_like=True):
    """What follows from the entry `seq`, complete: (uid, since, until or 0, role) of spans."""

    seq: Seq
    at: int
    n_before: int
    spans: tuple[tuple[Uid, Seq, Seq, str], ...] = ()
    announce: tuple[tuple[Uid, str], ...] = ()
    changes: tuple[Change, ...] = ()
    group: Group | None = None
    invitations: tuple[Invitation, ...] = ()


class Mark(msgspec.Struct, frozen=True, array_like=True):
    """Says that something still follows from `seq`: `follows`, or the item with the key `ref`."""

    seq: Seq
    at: int
    follows: bytes
    ref: str


encode: Final = msgspec.msgpack.Encoder().encode
_decode_records: Final = msgspec.msgpack.Decoder(tuple[Record, ...]).decode
decode_follows: Final = msgspec.msgpack.Decoder(Follows).decode
_decode_marks: Final = msgspec.msgpack.Decoder(tuple[Mark, ...]).decode
_decode_moved: Final = msgspec.msgpack.Decoder(dict[Uid, tuple[Seq, int]]).decode


class LogHead(msgspec.Struct, frozen=True):
    """The head item. `tail`: the entries `first` … `last`; all before are in batches.

    `moved`: (`Seq`, `N`) up to which senders have come by their own messages; it may be ahead of
    the members' own items. `marks`: by `seq`.
    """

    conv: ConvID
    ver: int = 0
    last: Seq = 0
    n: int = 0
    at: int = 0
    members_seq: Seq = 0
    first: Seq = 1
    tail: tuple[Record, ...] = ()
    moved: Mapping[Uid, tuple[Seq, int]] = {}
    marks: tuple[Mark, ...] = ()

    def numbers(self) -> Head:
        """As the port tells it."""
        return Head(self.last, self.n, self.at, self.members_seq)

    def inline(self, after: Seq) -> Iterable[tuple[Seq, Record]]:
        """Entries of the tail with `Seq` > `after`."""
        start = max(after + 1 - self.first, 0)
        return enumerate(self.tail[start:], self.first + start)

    def item(self) -> Item:
        """As it is written."""
        item: Item = {
            **keys.head(self.conv)._asdict(),
            "ver": self.ver, "last": self.last, "n": self.n, "at": self.at,
            "m": self.members_seq, "first": self.first,
            "tail": pack(self.tail), "moved": encode(self.moved),
        }  # fmt: skip
        if self.marks:
            item |= {
                "marks": encode(self.marks), "mark_at": self.marks[0].at,
                "mark_shard": str(sum(self.conv.encode()) % MARK_SHARDS),
            }  # fmt: skip
        return item


def read_head(item: Item) -> LogHead:
    """The head that `item` is."""
    return LogHead(
        conv=keys.conv_of(str(item["pk"])),
        ver=int(item["ver"]),
        last=int(item["last"]),
        n=int(item["n"]),
        at=int(item["at"]),
        members_seq=int(item["m"]),
        first=int(item["first"]),
        tail=unpack(as_bytes(item["tail"])),
        moved=_decode_moved(as_bytes(item["moved"])),
        marks=_decode_marks(as_bytes(item["marks"])) if "marks" in item else (),
    )


def pack(records: Sequence[Record]) -> bytes:
    """Records as one value: deflated, since units are paid by the KB and envelopes are alike."""
    return zlib.compress(encode(records), _DEFLATE_LEVEL)


def unpack(value: bytes) -> tuple[Record, ...]:
    """The records of a value."""
    return _decode_records(zlib.decompress(value))


def size(records: Sequence[Record]) -> int:
    """Bytes that these take in an item at most, that is before they are deflated."""
    return sum(len(each.envelope) + len(each.sender) + len(each.msg_id) + 48 for each in records)


def head_size(head: LogHead) -> int:
    """Bytes of a head's item at most, about: before it is deflated."""
    marks = sum(len(mark.follows) + 64 for mark in head.marks)
    return _OVERHEAD_BYTES + size(head.tail) + marks + 64 * len(head.moved)


def item_size(item: Item) -> int:
    """Bytes of an item, about."""
    return sum(len(name) + _size(value) for name, value in item.items())


class Batch(msgspec.Struct, frozen=True):
    """Entries rolled out together, from `first`; `ver` goes up when one of them changes.

    `apart`: by `Seq`, where envelopes lie that edits made too long for all to be in one item.
    """

    conv: ConvID
    first: Seq
    records: tuple[Record, ...]
    ver: int = 1
    apart: Mapping[Seq, str] = {}

    @property
    def last(self) -> Seq:
        """The last of them."""
        return self.first + len(self.records) - 1

    def entries(self) -> list[Entry]:
        """As the port tells them."""
        return [record.entry(self.conv, seq) for seq, record in enumerate(self.records, self.first)]

    def saying(self, envelopes: Mapping[Seq, bytes]) -> Batch:
        """The same with other envelopes of some entries."""
        records = list(self.records)
        for seq, envelope in envelopes.items():
            place = seq - self.first
            records[place] = msgspec.structs.replace(records[place], envelope=envelope)
        return msgspec.structs.replace(self, records=tuple(records))

    def item(self) -> Item:
        """As it is written."""
        key = keys.batch(self.conv, self.first)
        here = self.saying({seq: ref.encode() for seq, ref in self.apart.items()}).records
        return {
            **key._asdict(), "ver": self.ver, "last": self.last, "at": here[-1].at,
            "entries": pack(here),
        }  # fmt: skip


def read_batch(item: Item) -> Batch:
    """The batch that `item` is; of envelopes that are `apart` it does not have the text."""
    first = int(str(item["sk"]).removeprefix(keys.BATCH))
    records = unpack(as_bytes(item["entries"]))
    apart = {
        seq: record.envelope.decode()
        for seq, record in enumerate(records, first)
        if not record.envelope.startswith(b"{")
    }
    return Batch(keys.conv_of(str(item["pk"])), first, records, int(item["ver"]), apart)


def _size(value: Value) -> int:
    if isinstance(value, bytes):
        return len(value)
    return len(value.encode()) if isinstance(value, str) else _NUMBER_BYTES


def further(position: Position | None, moved: tuple[Seq, int] | None) -> Position | None:
    """A member's position, with what its own messages moved it by."""
    if moved is None or (position is not None and position.displayed >= moved[0]):
        return position
    seq, n = moved
    return Position(max(seq, position.delivered if position else 0), seq, n)


def as_bytes(value: Value) -> bytes:
    """A value that is known to be bytes."""
    if not isinstance(value, bytes):
        raise TypeError(f"bytes were expected in an item, not {type(value).__name__}")
    return value
