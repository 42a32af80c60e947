"""Turns: what one reads, decides and writes is not undone by who does the same meanwhile.

On this node alone, for the order in which it is answered and told: what must hold between nodes the
stores promise.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary


class Turns:
    """Work on the same thing is done one after the other, in the order that it was begun."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[Hashable, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def of(self, thing: Hashable) -> AsyncIterator[None]:
        """Wait until all who came before have done their work on `thing`; others wait meanwhile."""
        lock = self._locks.get(thing)  # there while somebody works on the thing or waits to
        if lock is None:
            lock = self._locks[thing] = asyncio.Lock()
        async with lock:
            yield
