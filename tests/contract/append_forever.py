"""A process that appends to an SQLite store until it is killed, and prints what it was told.

python -m tests.contract.append_forever FILE ROUND
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tests.contract.asking import send, to_pair
from webchat.adapters.memory import LoopClock
from webchat.adapters.sqlite import SqliteSettings, SqliteStore

IN_FLIGHT = 10


async def append_forever(path: Path, round_name: str) -> None:
    """Keep a few appends in flight; a line `MsgID Seq` for each that is durable."""
    store = SqliteStore(path, SqliteSettings(), LoopClock())
    await store.open("secured")
    number = 0
    while True:
        numbers = range(number, number + IN_FLIGHT)
        asked = [send(store, to_pair("ann", "bob", f"{round_name}-{each}")) for each in numbers]
        for outcome in await asyncio.gather(*asked):
            entry = outcome.entries[0]
            sys.stdout.write(f"{entry.msg_id} {entry.seq}\n")
        sys.stdout.flush()
        number += IN_FLIGHT


if __name__ == "__main__":
    asyncio.run(append_forever(Path(sys.argv[1]), sys.argv[2]))
