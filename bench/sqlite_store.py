"""What a durable message costs in the SQLite store: CPU and time per append, by appends in flight.

Each append is one message to one of 1,000 pairs at random, moves its sender, and is told durable by
`done`; figures are of the whole process, both threads, without any socket.

    python bench/sqlite_store.py [--entries 20000] [--pairs 1000] [--filled 50]
"""

from __future__ import annotations

import argparse
import asyncio
import random
import tempfile
import time
import uuid
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from webchat.adapters.memory import LoopClock
from webchat.adapters.sqlite import SqliteSettings, SqliteStore
from webchat.model import Draft, Membership, pair_conv
from webchat.ports.log import SEQ_OF_ENTRY, Append, Appended, Follow
from webchat.ports.store import Store

ENVELOPE = b'{"EvtType":"message","Body":"' + b"x" * 130 + b'"}'


def request(pair: int, chance: random.Random) -> Append:
    """A message of one of the pair to the other; the first one makes the pair."""
    a, b = f"user{pair}a", f"user{pair}b"
    conv = pair_conv(a, b)
    spans = (
        Membership(conv, a, SEQ_OF_ENTRY, None, ""),
        Membership(conv, b, SEQ_OF_ENTRY, None, ""),
    )
    first = Follow(spans, ((a, "added"), (b, "added")))
    msg_id = str(uuid.UUID(int=chance.getrandbits(128), version=4))
    draft = Draft("message", chance.choice((a, b)), msg_id, ENVELOPE)
    return Append(conv, (draft,), members_as_of=1, on_first=first, moves_sender=True)


async def run(store: Store, requests: Iterable[Append], in_flight: int) -> None:
    """Append all, a next one whenever one is done."""
    finished = asyncio.get_running_loop().create_future()
    waiting = iter(requests)
    left = 0

    def done(outcome: Appended | Exception) -> None:
        nonlocal left
        if isinstance(outcome, Exception):
            raise outcome
        if (following := next(waiting, None)) is not None:
            store.log.append(following, done)
            return
        left -= 1
        if not left:
            finished.set_result(None)

    for request in islice(waiting, in_flight):
        left += 1
        store.log.append(request, done)
    await finished


async def measure(options: argparse.Namespace) -> None:
    """Print the table."""
    chance = random.Random(1)
    with tempfile.TemporaryDirectory() as directory:
        store = SqliteStore(Path(directory, "bench.db"), SqliteSettings(gather_ms=0), LoopClock())
        await store.open("secured")
        fill = (request(p, chance) for _ in range(options.filled) for p in range(options.pairs))
        await run(store, fill, 2_000)
        print(f"{'in flight':>12}{'CPU µs':>10}{'µs':>10}   per append")
        for in_flight in (1, 8, 64, 512):
            entries = options.entries // (8 if in_flight == 1 else 1)
            requests = [request(chance.randrange(options.pairs), chance) for _ in range(entries)]
            cpu, wall = time.process_time(), time.perf_counter()
            await run(store, requests, in_flight)
            cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
            print(f"{in_flight:12}{cpu / entries * 1e6:10.1f}{wall / entries * 1e6:10.1f}")
        await store.close()


def main() -> None:
    """Read the options."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=20_000)
    parser.add_argument("--pairs", type=int, default=1_000)
    parser.add_argument("--filled", type=int, default=50, help="messages a pair has before")
    asyncio.run(measure(parser.parse_args()))


if __name__ == "__main__":
    main()
