"""What expires when, in the order of time, so that nobody has to look through the table for it."""

from __future__ import annotations

from collections.abc import AsyncIterator

from webchat.adapters.dynamodb import keys
from webchat.adapters.dynamodb.steady import SteadyTable, key_of
from webchat.adapters.dynamodb.table import Span


class Expiry:
    """Notes that something may expire; whoever is told looks at the thing itself."""

    def __init__(self, table: SteadyTable) -> None:
        self._table = table

    async def note(self, kind: str, name: str, expires_at: int) -> None:
        """`name` may expire at that time (ms), unless it has been put off until then."""
        await self._table.put(
            {"pk": keys.expiring(kind), "sk": f"{keys.padded(expires_at)}#{name}"}
        )

    async def due(self, kind: str, now: int) -> AsyncIterator[str]:
        """What was noted up to `now`; each note goes once the next is asked for."""
        span = Span(keys.expiring(kind), keys.FIRST, f"{keys.padded(now)}{keys.LAST}")
        async for item in self._table.items(span):
            yield str(item["sk"]).split("#", 1)[1]
            await self._table.delete(key_of(item))
