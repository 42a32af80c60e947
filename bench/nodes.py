"""Webchat nodes on PostgreSQL and Redis beside npm socket.io nodes on Redis.

Pairs chat, each sender and its receiver on different nodes. Measures messages per second, and the
CPU per message of the nodes, of Redis and of the database. No process is bound to a core: all of
them and the load share the machine, and `busy cores` says whether that was the limit.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial

from bench import running, servers
from bench.cases import Pace, passed
from bench.running import expect, go
from bench.samples import Row, Sample
from bench.servers import Cluster

OURS, NPM = "webchat", "npm socket.io"
Start = Callable[[], AbstractContextManager[Cluster]]


def across(start: Start, pace: Pace, pairs: int, in_flight: int, size: int) -> Sample:
    """One fresh cluster under pairs that chat."""
    with (
        start() as cluster,
        running.load("pairs", cluster.nodes, pairs, in_flight, size, core=None) as client,
    ):
        time.sleep(pace.settle_s)
        go(client, pace.warmup_s, pace.seconds)
        before = _cpu_s(cluster)
        acked, received, client_us, wall_us = expect(client, "end")
        used = {name: at - before[name] for name, at in _cpu_s(cluster).items()}
    messages = passed(acked, received)
    return {
        "messages_per_s": messages / wall_us * 1e6,
        **{name: cpu_s / messages * 1e6 for name, cpu_s in used.items()},
        "load_share": client_us / wall_us,
        "busy_cores": (sum(used.values()) * 1e6 + client_us) / wall_us,
    }


def _cpu_s(cluster: Cluster) -> dict[str, float]:
    used = {"nodes_us": cluster.nodes.cpu_s(), "redis_us": cluster.redis.cpu_s()}
    if cluster.database is not None:
        used["database_us"] = cluster.database.cpu_s()
    return used


def row(pace: Pace, nodes: Sequence[int], pairs: int, in_flight: int, size: int) -> Row:
    """Each number of nodes of both."""
    kinds: dict[str, Callable[[int], AbstractContextManager[Cluster]]] = {
        OURS: servers.webchat_cluster,
        NPM: servers.npm_cluster,
    }
    contestants = {
        named(kind, count): partial(across, partial(start, count), pace, pairs, in_flight, size)
        for count in nodes
        for kind, start in kinds.items()
    }
    title = f"{pairs} pairs across nodes, {in_flight} in flight, {size} bytes"
    return Row("nodes", title, contestants)


def named(kind: str, nodes: int) -> str:
    """The name of so many nodes of a kind."""
    return f"{kind}, {nodes} node{'s' * (nodes > 1)}"
