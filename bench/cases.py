"""What one run of one server measures: chatting, groups, receipts, connections, a storm."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial

from bench import running
from bench.running import RunError, Running, expect, go
from bench.samples import Sample
from bench.stores import BYSTANDERS
from tests.engines.postgresql import PostgresServer
from webchat.ports.store import Mode

Start = Callable[[], AbstractContextManager[Running]]
StartOnPostgresql = Callable[[], AbstractContextManager[tuple[Running, PostgresServer]]]
MESSAGES = 100
"""How many messages everybody reads (load/traffic.c)."""


@dataclass(frozen=True)
class Pace:
    """How long a run takes: load before what is measured, what is measured, and rest before both,
    in which a server that has just taken thousands of connections calms down."""

    seconds: float
    warmup_s: float
    settle_s: float


_LONGEST_S = 300.0
_AT_ONCE = Pace(_LONGEST_S, 0.0, 0.5)


@dataclass(frozen=True)
class Ended:
    """What a load client counted, and the server's CPU meanwhile."""

    acked: int
    received: int
    load_us: int
    wall_us: int
    more: list[int]
    server_us: float

    @property
    def load_share(self) -> float:
        """Of its core, that the load client used."""
        return self.load_us / self.wall_us


def passed(acked: int, received: int) -> int:
    """How many messages were acked and came. Raises RunError if none did."""
    if min(acked, received) == 0:
        raise RunError(f"of the messages {acked} were acked and {received} came")
    return min(acked, received)


def under(server: Running, client: subprocess.Popen[str], pace: Pace) -> Ended:
    """Let the load begin, and wait for its end."""
    time.sleep(pace.settle_s)
    go(client, pace.warmup_s, pace.seconds)
    before = server.cpu_s()
    acked, received, load_us, wall_us, *more = expect(client, "end")
    used_us = (server.cpu_s() - before) * 1e6
    return Ended(acked, received, load_us, wall_us, more, used_us)


def chat(start: Start, pace: Pace, pairs: int, in_flight: int, size: int) -> Sample:
    """Pairs chat, closed loop: so many messages of each sender in flight."""
    with start() as server, running.load("pairs", server, pairs, in_flight, size) as client:
        ended = under(server, client, pace)
    return _messages(ended)


def chat_among(
    start: Start, pace: Pace, idle: int, pairs: int, in_flight: int, size: int
) -> Sample:
    """The same while `idle` others are connected."""
    with (
        start() as server,
        running.load("idle", server, idle, first=BYSTANDERS),
        running.load("pairs", server, pairs, in_flight, size) as client,
    ):
        ended = under(server, client, pace)
    return _messages(ended)


def offered(start: Start, pace: Pace, pairs: int, per_s: int, size: int) -> Sample:
    """Pairs chat, open loop: so many messages a second of all together, however late the server."""
    with start() as server, running.load("offered", server, pairs, per_s, size) as client:
        ended = under(server, client, pace)
    names = ("ack_p50_us", "ack_p99_us", "", "", "receive_p50_us", "receive_p99_us")
    latencies = {name: float(us) for name, us in zip(names, ended.more, strict=False) if name}
    return {**_messages(ended), **latencies}


def chat_postgresql(
    start: StartOnPostgresql, pace: Pace, pairs: int, in_flight: int, size: int
) -> Sample:
    """Pairs chat by one node on PostgreSQL, whose CPU counts for itself."""
    with (
        start() as (server, database),
        running.load("pairs", server, pairs, in_flight, size) as client,
    ):
        time.sleep(pace.settle_s)
        go(client, pace.warmup_s, pace.seconds)
        before = server.cpu_s(), database.cpu_s()
        acked, received, load_us, wall_us = expect(client, "end")
        node_s, database_s = server.cpu_s() - before[0], database.cpu_s() - before[1]
    messages = passed(acked, received)
    return {
        "messages_per_s": messages / wall_us * 1e6,
        "nodes_us": node_s / messages * 1e6,
        "database_us": database_s / messages * 1e6,
        "load_share": load_us / wall_us,
    }


def fan_out(start: Start, pace: Pace, online: int, in_flight: int, size: int) -> Sample:
    """One sends to a group of which `online` are there."""
    with start() as server, running.load("group", server, online, in_flight, size) as client:
        ended = under(server, client, pace)
    passed(ended.acked, ended.received)
    return {
        "messages_per_s": ended.acked / ended.wall_us * 1e6,
        "server_us": ended.server_us / ended.acked,
        "copies_per_s": ended.received / ended.wall_us * 1e6,
        "copy_us": ended.server_us / ended.received,
        "load_share": ended.load_share,
    }


def receipts(start: Start, readers: int, in_flight: int, last: int) -> Sample:
    """Everybody in a group displays the last hundred messages. Raises RunError if some failed."""
    with start() as server, running.load("readers", server, readers, in_flight, last) as load:
        ended = under(server, load, _AT_ONCE)
    if ended.acked != (readers - 1) * MESSAGES:
        raise RunError(f"only {ended.acked} displays were acked")
    return {
        "receipt_us": ended.server_us / ended.acked,
        "packets_to_author": ended.received,
        "load_share": ended.load_share,
    }


def connections(start: Start, pace: Pace, count: int) -> Sample:
    """Many connect one after the other, join, and do nothing."""
    with start() as server, running.load("idle", server, 1, first=BYSTANDERS):
        before = _Grown(server)
        with running.load("idle", server, count):
            return before.sample(pace, count)


def returning(start: Start, pace: Pace, count: int, conversations: int, last: int) -> Sample:
    """Many log in one after the other, sync conversations up to `last` of which they have all, and
    do nothing."""
    known = (conversations, last)
    with start() as server, running.load("known", server, 1, *known, store="secured"):
        before = _Grown(server)
        with running.load("known", server, count, *known, store="secured"):
            return before.sample(pace, count)


def storm(start: Start, devices: int, conversations: int, last: int) -> Sample:
    """All connect at once and fetch the newest entry of each of their conversations; with no
    conversations they connect without a login, and that is all."""
    store: Mode = "secured" if conversations else "open"
    numbers = (devices, conversations, last)
    with start() as server, running.load("storm", server, *numbers, store=store) as client:
        ended = under(server, client, _AT_ONCE)
        peak_kib = server.memory_kib("VmHWM")
    return {
        "connect_us": ended.server_us / devices,
        "caught_up_s": ended.wall_us / 1e6,
        "peak_mib": peak_kib / 1024,
    }


def storm_beside(
    start: Start, pace: Pace, devices: int, known: tuple[int, int], calm: tuple[int, int, int]
) -> Sample:
    """How late the acks of others are while devices connect at once, and while all is calm.

    `calm`: pairs of the others, their messages a second, and bytes of each.
    """
    with start() as server:
        others = partial(running.load, "offered", server, *calm, first=BYSTANDERS)
        storm = partial(running.load, "storm", server, devices, *known)
        with others(store="secured") as client:
            before = under(server, client, pace)
        with others(store="secured") as client, storm(store="secured") as devices_at_once:
            go(client, pace.warmup_s, _LONGEST_S)
            go(devices_at_once, 0.0, _LONGEST_S)
            expect(devices_at_once, "end")
            _, _, _, _, _, during_us, *_ = running.stop(client)
    return {"ack_p99_us": float(before.more[1]), "storm_p99_us": float(during_us)}


class _Grown:
    """A server's memory and CPU since then."""

    def __init__(self, server: Running) -> None:
        self._server = server
        self._memory_kib = server.memory_kib()
        self._cpu_s = server.cpu_s()

    def sample(self, pace: Pace, count: int) -> Sample:
        """For each of `count` connections: CPU until now, and memory once all is calm."""
        used_us = (self._server.cpu_s() - self._cpu_s) * 1e6
        time.sleep(pace.settle_s)
        grown = self._server.memory_kib() - self._memory_kib
        return {"kib": grown / count, "connect_us": used_us / count}


def _messages(ended: Ended) -> Sample:
    messages = passed(ended.acked, ended.received)
    return {
        "messages_per_s": messages / ended.wall_us * 1e6,
        "server_us": ended.server_us / messages,
        "load_share": ended.load_share,
    }
