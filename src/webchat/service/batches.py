"""Many reads at once, but not too many: the store answers a bounded number at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

from webchat.service.tasks import Work

READS_AT_ONCE: Final = 32

_Key = TypeVar("_Key")
_Found = TypeVar("_Found")


async def read_each(
    read: Callable[[_Key], Awaitable[_Found]], keys: Sequence[_Key]
) -> list[_Found]:
    """What `read` finds for each key, in their order. Raises the first failure."""
    found: list[_Found] = []
    for start in range(0, len(keys), READS_AT_ONCE):
        found += await asyncio.gather(*map(read, keys[start : start + READS_AT_ONCE]))
    return found


async def all_of(work: Sequence[Work]) -> None:
    """Return when all of it has ended. Raises the first failure, then."""
    if len(work) == 1:
        await work[0]
        return
    for outcome in await asyncio.gather(*work, return_exceptions=True):
        if outcome is not None:
            raise outcome
