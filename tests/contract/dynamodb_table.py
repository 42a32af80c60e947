"""A table in memory that loses, delays and repeats as its seed says, as a network may."""

from __future__ import annotations

import asyncio
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Sequence
from random import Random
from typing import TypeVar

from webchat.adapters.dynamodb.table import (
    ANY,
    ConditionFailed,
    Expect,
    Failed,
    Item,
    Key,
    Page,
    Span,
)  # fmt: skip

T = TypeVar("T")


class ShakyTable:
    """`Table` in memory. One request in `one_in` fails: before it was done, after it was, or it is
    done some time later; 0: none does. Others take their time."""

    def __init__(self, rng: Random, one_in: int) -> None:
        self._rng = rng
        self.one_in = one_in
        self._items: dict[Key, Item] = {}
        self._keys: list[Key] = []
        self._late: set[asyncio.Task[None]] = set()

    async def get(self, key: Key) -> Item | None:
        return await self._read(lambda: dict(self._items[key]) if key in self._items else None)

    async def get_many(self, keys: Sequence[Key]) -> list[Item]:
        assert 0 < len(set(keys)) == len(keys) <= 100
        return await self._read(lambda: [dict(self._items[k]) for k in keys if k in self._items])

    async def put(self, item: Item, expect: Expect) -> None:
        await self._write(lambda: self._put(dict(item), expect))

    async def put_many(self, items: Sequence[Item]) -> None:
        assert 0 < len(items) <= 25
        for item in items:
            await self.put(item, ANY)

    async def delete(self, key: Key, expect: Expect) -> None:
        await self._write(lambda: self._delete(key, expect))

    async def query(self, span: Span, limit: int, after: Key | None = None) -> Page:
        return await self._read(lambda: self._query(span, limit, after))

    async def marked(self, shard: str, limit: int) -> list[Key]:
        def found() -> list[Key]:
            marked = [key for key, item in self._items.items() if item.get("mark_shard") == shard]
            return sorted(marked, key=lambda key: int(self._items[key]["mark_at"]))[:limit]

        return await self._read(found)

    async def scan(self, limit: int, after: Key | None = None) -> Page:
        start = bisect_right(self._keys, after) if after else 0
        found = self._keys[start : start + limit]
        more = start + limit < len(self._keys)
        items = [dict(self._items[key]) for key in found]
        return await self._read(lambda: Page(items, found[-1] if more else None))

    async def settle(self) -> None:
        """Let writes that were late arrive."""
        while self._late:
            await asyncio.wait(self._late)

    async def _read(self, act: Callable[[], T]) -> T:
        await self._take_time()
        found = act()
        await self._take_time()
        if self._fails():
            raise Failed("lost", may_have_happened=False)
        return found

    async def _write(self, act: Callable[[], None]) -> None:
        await self._take_time()
        if not self._fails():
            act()
            await self._take_time()
            return
        how = self._rng.choice(["never", "done", "late"])
        if how == "done":
            self._quietly(act)
        elif how == "late":
            task = asyncio.create_task(self._do_late(act))
            self._late.add(task)
            task.add_done_callback(self._late.discard)
        raise Failed("lost", may_have_happened=how != "never")

    async def _do_late(self, act: Callable[[], None]) -> None:
        for _ in range(self._rng.randrange(40)):
            await asyncio.sleep(0)
        self._quietly(act)

    def _quietly(self, act: Callable[[], None]) -> None:
        try:
            act()
        except ConditionFailed:
            return

    def _fails(self) -> bool:
        return self.one_in > 0 and self._rng.randrange(self.one_in) == 0

    async def _take_time(self) -> None:
        for _ in range(self._rng.randrange(4)):
            await asyncio.sleep(0)

    def _put(self, item: Item, expect: Expect) -> None:
        key = Key(str(item["pk"]), str(item["sk"]))
        self._check(key, expect)
        if key not in self._items:
            insort(self._keys, key)
        self._items[key] = item

    def _delete(self, key: Key, expect: Expect) -> None:
        self._check(key, expect)
        if self._items.pop(key, None) is not None:
            del self._keys[bisect_left(self._keys, key)]

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

    def _query(self, span: Span, limit: int, after: Key | None) -> Page:
        low = bisect_left(self._keys, Key(span.pk, span.low))
        high = bisect_right(self._keys, Key(span.pk, span.high))
        found = self._keys[low:high]
        if span.descending:
            found = [key for key in reversed(found) if after is None or key < after]
        else:
            found = [key for key in found if after is None or key > after]
        items = [dict(self._items[key]) for key in found[:limit]]
        return Page(items, found[limit - 1] if len(found) > limit else None)
