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
    """Work on the same thing is done one after the other, in the order that it was begun; or so
    many pieces of it `at_once`."""

    def __init__(self, at_once: int = 1) -> None:
        self._at_once = at_once
        self._places: WeakValueDictionary[Hashable, asyncio.Semaphore] = WeakValueDictionary()

    @asynccontextmanager
    async def of(self, thing: Hashable) -> AsyncIterator[None]:
        """Wait until it is one's turn to work on `thing`; those who come later wait meanwhile."""
        places = self._places.get(thing)  # there while somebody works on the thing or waits to
        if places is None:
            places = self._places[thing] = asyncio.Semaphore(self._at_once)
        async with places:
            yield

    def are_taken(self, thing: Hashable) -> bool:
        """Whether `of` would have to wait."""
        places = self._places.get(thing)
        return places is not None and places.locked()
