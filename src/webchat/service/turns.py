"""Turns: what one reads, decides and writes is not undone by who does the same meanwhile.

On this node alone, for the order in which it is answered and told: what must hold between nodes the
stores promise.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

from webchat.errors import Code, WebchatError


class _Places(asyncio.Semaphore):
    """Places to work on a thing. `refusals`: how often those who waited for one were refused it."""

    refusals = 0


class Turns:
    """Work on the same thing is done one after the other, in the order that it was begun; or so
    many pieces of it `at_once`."""

    def __init__(self, at_once: int = 1) -> None:
        self._at_once = at_once
        self._places: WeakValueDictionary[Hashable, _Places] = WeakValueDictionary()

    @asynccontextmanager
    async def of(self, thing: Hashable) -> AsyncIterator[None]:
        """Wait until it is one's turn to work on `thing`; those who come later wait meanwhile.
        UNAVAILABLE, if those who waited were refused theirs (`refuse_waiting`)."""
        places = self._places.get(thing)  # there while somebody works on the thing or waits to
        if places is None:
            places = self._places[thing] = _Places(self._at_once)
        refusals = places.refusals
        async with places:
            if places.refusals != refusals:
                raise WebchatError(Code.UNAVAILABLE, "the store is not answering")
            yield

    def refuse_waiting(self, thing: Hashable) -> None:
        """Refuse their turn to all who wait for it now, since the store does not answer who has it:
        each would wait for the store, one after the other."""
        places = self._places.get(thing)
        if places is not None:
            places.refusals += 1

    def are_taken(self, thing: Hashable) -> bool:
        """Whether `of` would have to wait."""
        places = self._places.get(thing)
        return places is not None and places.locked()
