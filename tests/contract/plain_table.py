"""A table of the DynamoDB adapter in memory: it does what it is asked at once, and always."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence

from webchat.adapters.dynamodb.table import (
    ANY,
    ConditionFailed,
    Expect,
    Item,
    Key,
    Marked,
    Page,
    Span,
)  # fmt: skip


class PlainTable:
    """See adapters/dynamodb/table.py. A page has at most `page_items`, None: as many as asked for.

    No call of it waits for anything.
    """

    def __init__(self, page_items: int | None = None) -> None:
        self._page_items = page_items
        self._items: dict[Key, Item] = {}
        self._keys: list[Key] = []

    async def get(self, key: Key) -> Item | None:
        """One item."""
        return dict(self._items[key]) if key in self._items else None

    async def get_many(self, keys: Sequence[Key]) -> list[Item]:
        """Those that are there."""
        return [dict(self._items[key]) for key in keys if key in self._items]

    async def put(self, item: Item, expect: Expect) -> None:
        """Write an item whole. Raises ConditionFailed."""
        key = Key(str(item["pk"]), str(item["sk"]))
        self._check(key, expect)
        if key not in self._items:
            insort(self._keys, key)
        self._items[key] = dict(item)

    async def put_many(self, items: Sequence[Item]) -> None:
        """Write items whole."""
        for item in items:
            await self.put(item, ANY)

    async def delete(self, key: Key, expect: Expect) -> None:
        """Remove an item. Raises ConditionFailed."""
        self._check(key, expect)
        if self._items.pop(key, None) is not None:
            del self._keys[bisect_left(self._keys, key)]

    async def query(self, span: Span, limit: int, after: Key | None = None) -> Page:
        """A page of a partition."""
        low = bisect_left(self._keys, Key(span.pk, span.low))
        found = self._keys[low : bisect_right(self._keys, Key(span.pk, span.high))]
        if span.descending:
            found = [key for key in reversed(found) if after is None or key < after]
        elif after is not None:
            found = [key for key in found if key > after]
        return self._page(found, limit)

    async def marked(self, shard: str, limit: int) -> list[Marked]:
        """Items with that mark, the oldest first."""
        marked = [
            Marked(key, int(item["mark_at"]))
            for key, item in self._items.items()
            if item.get("mark_shard") == shard
        ]
        return sorted(marked, key=lambda each: each.at)[:limit]

    async def scan(self, limit: int, after: Key | None = None) -> Page:
        """A page of the whole table."""
        start = bisect_right(self._keys, after) if after else 0
        return self._page(self._keys[start:], limit)

    def _page(self, found: Sequence[Key], limit: int) -> Page:
        here = found[: limit if self._page_items is None else min(limit, self._page_items)]
        more = here[-1] if len(here) < len(found) else None
        return Page([dict(self._items[key]) for key in here], more)

    def _check(self, key: Key, expect: Expect) -> None:
        ver = int(self._items[key].get("ver", 0)) if key in self._items else None
        holds = {
            "any": True,
            "absent": ver is None,
            "is": ver == expect.ver,
            "older": ver is None or ver < expect.ver,
        }
        if not holds[expect.kind]:
            raise ConditionFailed
