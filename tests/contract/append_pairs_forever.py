"""A node that makes pairs on a PostgreSQL store until it is killed, and prints what it was told.

python -m tests.contract.append_pairs_forever URL ROUND
"""

from __future__ import annotations

import asyncio
import sys

from tests.contract.asking import send, to_pair
from webchat.adapters.memory import LoopClock
from webchat.adapters.postgresql import PostgresSettings, PostgresStore

IN_FLIGHT = 10


async def append_forever(url: str, round_name: str) -> None:
    """Keep a few first messages in flight; a line `ConvID` for each that is durable."""
    store = PostgresStore(url, PostgresSettings(), LoopClock())
    await store.open("secured")
    number = 0
    while True:
        pairs = [f"{round_name}.{number + each}" for each in range(IN_FLIGHT)]
        asked = [send(store, to_pair(f"{pair}.a", f"{pair}.b", "1")) for pair in pairs]
        for outcome in await asyncio.gather(*asked):
            sys.stdout.write(f"{outcome.entries[0].conv}\n")
        sys.stdout.flush()
        number += IN_FLIGHT


if __name__ == "__main__":
    asyncio.run(append_forever(sys.argv[1], sys.argv[2]))
