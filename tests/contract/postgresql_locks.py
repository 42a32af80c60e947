"""How a test sees that acts on a PostgreSQL store wait for a lock."""

from __future__ import annotations

import asyncio
from typing import Final

import asyncpg

_WITHIN_S: Final = 20.0


async def locks_awaited(superuser: asyncpg.Connection, number: int) -> None:
    """Wait until so many locks are waited for."""
    async with asyncio.timeout(_WITHIN_S):
        while True:
            waited = "SELECT count(*) FROM pg_locks WHERE NOT granted"
            if await superuser.fetchval(waited) >= number:
                return
            await asyncio.sleep(0.01)
