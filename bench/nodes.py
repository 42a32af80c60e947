"""`make bench-nodes`: webchat nodes on PostgreSQL and Redis beside npm socket.io nodes on Redis.

Pairs chat, each sender and its receiver on different nodes. Measures messages per second, and the
CPU per message of the nodes, of Redis and of the database. No process is bound to a core: all of
them and the load share the machine, and `busy cores` says whether that was the limit.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial

from bench import results, running, servers
from bench.results import Row, Sample
from bench.running import expect, go
from bench.servers import Cluster

Start = Callable[[], AbstractContextManager[Cluster]]


def across(start: Start, options: argparse.Namespace) -> Sample:
    """One fresh cluster under pairs that chat for `options.seconds`."""
    numbers = (options.pairs, options.in_flight, options.bytes)
    with start() as cluster:
        ports = cluster.nodes.ports
        with running.load("pairs", ports, *numbers, core=None) as client:
            time.sleep(options.settle_s)
            go(client, options.warmup_s, options.seconds)
            before = _cpu_s(cluster)
            acked, received, client_us, wall_us = expect(client, "end")
            used = {name: at - before[name] for name, at in _cpu_s(cluster).items()}
    passed = min(acked, received)
    return {
        "messages_per_s": passed / wall_us * 1e6,
        **{name: cpu_s / passed * 1e6 for name, cpu_s in used.items()},
        "load_share": client_us / wall_us,
        "busy_cores": (sum(used.values()) * 1e6 + client_us) / wall_us,
    }


def _cpu_s(cluster: Cluster) -> dict[str, float]:
    used = {"nodes_us": cluster.nodes.cpu_s(), "redis_us": cluster.redis.cpu_s()}
    if cluster.database is not None:
        used["database_us"] = cluster.database.cpu_s()
    return used


def rows(options: argparse.Namespace) -> list[Row]:
    """The one row: each number of nodes of both."""
    title = f"{options.pairs} pairs across nodes, {options.in_flight} in flight"
    kinds: dict[str, Callable[[int], AbstractContextManager[Cluster]]] = {
        "webchat": servers.webchat_cluster,
        "npm socket.io": servers.npm_cluster,
    }
    contestants = {
        _named(kind, nodes): partial(across, partial(start, nodes), options)
        for nodes in options.nodes
        for kind, start in kinds.items()
    }
    return [Row("nodes", title, contestants)]


def _named(kind: str, nodes: int) -> str:
    return f"{kind}, {nodes} node{'s' * (nodes > 1)}"


def options_of(args: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line of `python -m bench.nodes`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--warmup-s", type=float, default=2.0)
    parser.add_argument("--settle-s", type=float, default=1.0)
    parser.add_argument("--pairs", type=int, default=100)
    parser.add_argument("--in-flight", type=int, default=8)
    parser.add_argument("--bytes", type=int, default=250)
    parser.add_argument("--nodes", type=int, nargs="*", default=[1, 2, 4])
    return parser.parse_args(args)


def main() -> None:
    """Measure, save, print."""
    options = options_of()
    running.raise_open_files()
    asked = rows(options)
    found = results.measure(asked, options.rounds)
    print(f"saved to {results.save('nodes', asked, found, vars(options))}\n")
    print(results.table(asked[0].title, found["nodes"]))


if __name__ == "__main__":
    main()
