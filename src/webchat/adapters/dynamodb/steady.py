"""A table that is asked again: throttling and outages are answered by pauses, then UNAVAILABLE."""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import Final, TypeVar

from webchat.adapters.dynamodb.settings import DynamoSettings
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
    Table,
    older,
    version,
)  # fmt: skip
from webchat.errors import Code, WebchatError
from webchat.ports.clock import Clock, pause

T = TypeVar("T")
S = TypeVar("S")

MOST_KEYS: Final = 100
MOST_PUT: Final = 25
"""That one request reads, and writes."""
MOST_ITEMS: Final = 1_000
"""Of a page."""


class SteadyTable:
    """`Table`, insistent. Every method may raise WebchatError(UNAVAILABLE) instead of Failed.

    A conditional write whose first attempt timed out may meet itself: ConditionFailed then says
    nothing of who won, so whoever cares leaves a token in the item (`change` does).
    """

    def __init__(self, table: Table, settings: DynamoSettings, clock: Clock) -> None:
        self._table = table
        self._settings = settings
        self._clock = clock

    async def get(self, key: Key) -> Item | None:
        """One item."""
        return await self._insist(lambda: self._table.get(key))

    async def get_many(self, asked: Iterable[Key]) -> dict[Key, Item]:
        """Those of any number of keys that are there."""
        wanted = list(dict.fromkeys(asked))
        chunks = [wanted[at : at + MOST_KEYS] for at in range(0, len(wanted), MOST_KEYS)]
        pages = await self.each(self._get_chunk, chunks)
        return {key_of(item): item for page in pages for item in page}

    async def put(self, item: Item, expect: Expect = ANY) -> None:
        """Write an item whole. Raises ConditionFailed."""
        await self._insist(lambda: self._table.put(item, expect))

    async def put_many(self, items: Iterable[Item]) -> None:
        """Write any number of items with different keys whole, on no condition."""
        everything = list(items)
        chunks = [everything[at : at + MOST_PUT] for at in range(0, len(everything), MOST_PUT)]
        await self.each(self._put_chunk, chunks)

    async def put_if(self, item: Item, expect: Expect) -> bool:
        """Write an item whole; False: refused (or done already by an attempt that timed out)."""
        try:
            await self.put(item, expect)
        except ConditionFailed:
            return False
        return True

    async def delete(self, key: Key, expect: Expect = ANY) -> None:
        """Remove an item. Raises ConditionFailed."""
        await self._insist(lambda: self._table.delete(key, expect))

    async def delete_older(self, key: Key, ver: int) -> None:
        """Remove an item unless its `ver` is `ver` or higher."""
        try:
            await self.delete(key, older(ver))
        except ConditionFailed:
            return

    async def query(self, span: Span, limit: int, after: Key | None = None) -> Page:
        """Up to `limit` items of a partition."""
        return await self._insist(lambda: self._table.query(span, limit, after))

    async def items(self, span: Span, page: int = MOST_ITEMS) -> AsyncIterator[Item]:
        """All items of a part of a partition, in pages: of `page` items, then of more and more, as
        whoever asks may have no use for most of them."""
        after: Key | None = None
        while True:
            found = await self.query(span, page, after)
            for item in found.items:
                yield item
            if (after := found.after) is None:
                return
            page = min(2 * page, MOST_ITEMS)

    async def marked(self, shard: str, limit: int) -> list[Marked]:
        """Items with that shard's mark."""
        return await self._insist(lambda: self._table.marked(shard, limit))

    async def scan(self, limit: int, after: Key | None = None) -> Page:
        """Up to `limit` items of the whole table."""
        return await self._insist(lambda: self._table.scan(limit, after))

    async def change(
        self,
        key: Key,
        change: Callable[[Item | None], Item | None],
        *,
        guess: Item | None = None,
    ) -> Item | None:
        """Read an item, write what `change` makes of it, again if it changed meanwhile.

        `guess`: what the item was last, so that it may not have to be read. `change` leaves `ver`
        alone and returns None to write nothing. Returns what was written. `change` must bear being
        applied twice: an attempt that timed out and won, and was overwritten since, cannot be told
        from one that lost.
        """
        token = secrets.token_bytes(8)
        while True:
            found = guess or await self.get(key)
            guess = None
            if found is not None and found.get("token") == token:
                return found
            wanted = change(found)
            if wanted is None:
                return None
            ver = int(found["ver"]) if found else 0
            item: Item = {**wanted, **key._asdict(), "ver": ver + 1, "token": token}
            if await self.put_if(item, version(ver)):
                return item

    async def each(
        self, act: Callable[[T], Awaitable[S]], over: Iterable[T], at_once: int | None = None
    ) -> list[S]:
        """`act` over all, several at once; the outcomes in the same order."""

        gate = asyncio.Semaphore(at_once or self._settings.parallel)

        async def gated(one: T) -> S:
            async with gate:
                return await act(one)

        everything = list(over)
        if len(everything) == 1:
            return [await act(everything[0])]
        return list(await asyncio.gather(*map(gated, everything)))

    async def _get_chunk(self, chunk: Sequence[Key]) -> list[Item]:
        return await self._insist(lambda: self._table.get_many(chunk))

    async def _put_chunk(self, chunk: Sequence[Item]) -> None:
        await self._insist(lambda: self._table.put_many(chunk))

    async def _insist(self, ask: Callable[[], Awaitable[T]]) -> T:
        deadline_s = self._clock.monotonic_s() + self._settings.retry_within_ms / 1000
        pause_s = self._settings.pause_ms / 1000
        while True:
            try:
                return await ask()
            except Failed as failure:
                if not failure.may_help or self._clock.monotonic_s() + pause_s >= deadline_s:
                    raise unavailable(failure) from failure
            await pause(self._clock, pause_s * random.uniform(0.5, 1))  # noqa: S311
            pause_s = min(2 * pause_s, self._settings.max_pause_ms / 1000)


def unavailable(failure: Failed) -> WebchatError:
    """What the product says of a failure; the details are its cause."""
    error = WebchatError(Code.UNAVAILABLE, "the store is not answering")
    error.__cause__ = failure
    return error


def as_refusal(error: Exception) -> WebchatError:
    """What a failed act is called to those who asked for it; what nobody expected is reported."""
    if isinstance(error, WebchatError):
        return error
    context = {"message": "an act of the store failed", "exception": error}
    asyncio.get_running_loop().call_exception_handler(context)
    return WebchatError(Code.INTERNAL, "something went wrong here")


def key_of(item: Item) -> Key:
    """The key of an item."""
    return Key(str(item["pk"]), str(item["sk"]))
