"""The little that this adapter needs of a table; `client.py` gives it over the network.

An item is a flat dict of strings, whole numbers and bytes with a key (`pk`, `sk`), both strings.
Every item that changes has a number `ver`; that is the only thing writes are conditional on. Items
are always written whole. An item with `mark_shard` (string) and `mark_at` (number) is found by
`marked`. Whoever stands in for a table, a simulation say, implements `Table` and nothing else.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple, Protocol

Value = str | int | bytes
Item = dict[str, Value]


class Key(NamedTuple):
    """The key of an item."""

    pk: str
    sk: str


class Expect(NamedTuple):
    """What an item must be like for a write to happen.

    `any`: no condition. `absent`: not there. `is`: its `ver` equals `ver`. `older`: not there, or
    its `ver` is lower.
    """

    kind: Literal["any", "absent", "is", "older"]
    ver: int = 0


ANY: Final = Expect("any")
ABSENT: Final = Expect("absent")


def unrepeated() -> int:
    """A `ver` for an item that is put unread: no other that is ever put under its key has it."""
    return 1 + secrets.randbits(52)


def version(ver: int) -> Expect:
    """The item's `ver` equals `ver`; 0: it is not there."""
    return Expect("is", ver) if ver else ABSENT


def older(ver: int) -> Expect:
    """The item is not there, or its `ver` is lower."""
    return Expect("older", ver)


class ConditionFailed(Exception):  # noqa: N818  (an answer, not a failure)
    """A write was refused by its condition; after an attempt that failed it may be one's own."""


class Failed(Exception):  # noqa: N818
    """The table did not do it, or did not say so: a write may be done, or be done even later.

    `may_help`: the same request can succeed later (throttled, unreachable).
    """

    def __init__(self, message: str, *, may_help: bool = True) -> None:
        super().__init__(message)
        self.may_help = may_help


class Marked(NamedTuple):
    """The key of an item with a mark, and its `mark_at`."""

    key: Key
    at: int


class Page(NamedTuple):
    """Items in the order of their keys; `after`: where the next page begins, None: no more."""

    items: list[Item]
    after: Key | None


class Span(NamedTuple):
    """Part of a partition: `low` <= sk <= `high`; `descending` from `high`."""

    pk: str
    low: str
    high: str
    descending: bool = False


class Table(Protocol):
    """All reads but `marked` and `scan` see every write that was answered before they began.

    Each method may raise Failed; it tries once.
    """

    async def get(self, key: Key) -> Item | None:
        """One item."""

    async def get_many(self, keys: Sequence[Key]) -> list[Item]:
        """Those of up to 100 different keys that are there, in any order."""

    async def put(self, item: Item, expect: Expect) -> None:
        """Write an item whole. Raises ConditionFailed."""

    async def put_many(self, items: Sequence[Item]) -> None:
        """Write up to 25 items with different keys whole, on no condition; after Failed any of them
        may be written."""

    async def delete(self, key: Key, expect: Expect) -> None:
        """Remove an item; `any` does not mind if it is not there. Raises ConditionFailed."""

    async def query(self, span: Span, limit: int, after: Key | None = None) -> Page:
        """Up to `limit` items of a partition, or fewer with `after` set (a page has 1 MB)."""

    async def marked(self, shard: str, limit: int) -> list[Marked]:
        """Up to `limit` items with that `mark_shard`, by `mark_at`; a little behind."""

    async def scan(self, limit: int, after: Key | None = None) -> Page:
        """Up to `limit` items of the whole table; those of a partition lie together, by `sk`."""
