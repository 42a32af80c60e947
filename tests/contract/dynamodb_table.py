"""A table in memory that loses, delays and repeats as its seed says, as a network may."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import TypeVar

from tests.contract.plain_table import PlainTable
from webchat.adapters.dynamodb.table import (
    ANY,
    ConditionFailed,
    Expect,
    Failed,
    Item,
    Key,
    Marked,
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
        self._table = PlainTable()
        self._late: set[asyncio.Task[None]] = set()

    async def get(self, key: Key) -> Item | None:
        return await self._read(lambda: self._table.get(key))

    async def get_many(self, keys: Sequence[Key]) -> list[Item]:
        assert 0 < len(set(keys)) == len(keys) <= 100
        return await self._read(lambda: self._table.get_many(keys))

    async def put(self, item: Item, expect: Expect) -> None:
        await self._write(lambda: self._table.put(item, expect))

    async def put_many(self, items: Sequence[Item]) -> None:
        assert 0 < len(items) <= 25
        for item in items:
            await self.put(item, ANY)

    async def delete(self, key: Key, expect: Expect) -> None:
        await self._write(lambda: self._table.delete(key, expect))

    async def query(self, span: Span, limit: int, after: Key | None = None) -> Page:
        return await self._read(lambda: self._table.query(span, limit, after))

    async def marked(self, shard: str, limit: int) -> list[Marked]:
        return await self._read(lambda: self._table.marked(shard, limit))

    async def scan(self, limit: int, after: Key | None = None) -> Page:
        return await self._read(lambda: self._table.scan(limit, after))

    async def settle(self) -> None:
        """Let writes that were late arrive."""
        while self._late:
            await asyncio.wait(self._late)

    async def _read(self, act: Callable[[], Awaitable[T]]) -> T:
        await self._take_time()
        found = await act()
        await self._take_time()
        if self._fails():
            raise Failed("lost")
        return found

    async def _write(self, act: Callable[[], Awaitable[None]]) -> None:
        await self._take_time()
        if not self._fails():
            await act()
            await self._take_time()
            return
        how = self._rng.choice(["never", "done", "late"])
        if how == "done":
            await self._quietly(act)
        elif how == "late":
            task = asyncio.create_task(self._do_late(act))
            self._late.add(task)
            task.add_done_callback(self._late.discard)
        raise Failed("lost")

    async def _do_late(self, act: Callable[[], Awaitable[None]]) -> None:
        for _ in range(self._rng.randrange(40)):
            await asyncio.sleep(0)
        await self._quietly(act)

    async def _quietly(self, act: Callable[[], Awaitable[None]]) -> None:
        try:
            await act()
        except ConditionFailed:
            return

    def _fails(self) -> bool:
        return self.one_in > 0 and self._rng.randrange(self.one_in) == 0

    async def _take_time(self) -> None:
        for _ in range(self._rng.randrange(4)):
            await asyncio.sleep(0)
