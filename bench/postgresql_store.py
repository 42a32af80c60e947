"""What a durable message costs in the PostgreSQL store: CPU and time, by appends in flight.

Each append is one message to one of 1,000 pairs at random, moves its sender, and is told durable by
`done`. CPU is that of this process and of all of the server's, which runs on this machine and syncs
each commit to the disk; no socket but theirs.

    python -m bench.postgresql_store [--entries 20000] [--pairs 1000] [--filled 50]
"""

from __future__ import annotations

import argparse
import random
import time

import uvloop

from bench.sqlite_store import request, run
from tests.engines.postgresql import PostgresServer, postgres_server
from tests.processes import end_as_by_ctrl_c
from webchat.adapters.memory import LoopClock
from webchat.adapters.postgresql import PostgresSettings, PostgresStore


async def measure(server: PostgresServer, options: argparse.Namespace) -> None:
    """Print the table."""
    chance = random.Random(1)
    store = PostgresStore(server.new_database(), PostgresSettings(), LoopClock())
    await store.init()
    await store.open("secured")
    fill = [request(pair, chance) for _ in range(options.filled) for pair in range(options.pairs)]
    await run(store, fill, 2_000)
    print(f"{'in flight':>12}{'node µs':>10}{'server µs':>10}{'CPU µs':>10}{'µs':>10}   per append")
    for in_flight in options.in_flight:
        entries = max(options.entries * min(in_flight, 64) // 64, 1_000)
        requests = [request(chance.randrange(options.pairs), chance) for _ in range(entries)]
        before = (time.process_time(), server.cpu_s(), time.perf_counter())
        await run(store, requests, in_flight)
        after = (time.process_time(), server.cpu_s(), time.perf_counter())
        node, served, wall = (
            (end - start) / entries * 1e6 for start, end in zip(before, after, strict=True)
        )
        print(f"{in_flight:12}{node:10.1f}{served:10.1f}{node + served:10.1f}{wall:10.1f}")
    await store.close()


def main() -> None:
    """Read the options."""
    end_as_by_ctrl_c()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=20_000)
    parser.add_argument("--pairs", type=int, default=1_000)
    parser.add_argument("--filled", type=int, default=50, help="messages a pair has before")
    parser.add_argument("--in-flight", type=int, nargs="+", default=[1, 8, 64, 512])
    with postgres_server(fsync=True) as server:
        uvloop.run(measure(server, parser.parse_args()))


if __name__ == "__main__":
    main()
