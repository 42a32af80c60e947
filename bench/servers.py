"""The servers that are measured: webchat alone and as nodes, on its stores, and its peers."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

from bench.running import HERE, SERVER_CORE, RunError, Running, compiled, process
from tests.engines.postgresql import PostgresServer, postgres_server
from tests.engines.redis import RedisServer

UNLIMITED = ("--rate-burst=1000000000", "--rate-events-per-s=1000000000")
"""One connection stands for many here."""
OPEN, SECURED = "--open", ""
SOCKETIO = ("node", str(HERE / "peers" / "socketio" / "server.js"))

_CARGO = HERE / "peers" / "socketioxide"
SOCKETIOXIDE = _CARGO / "target" / "release" / "webchat-bench-socketioxide"


@dataclass(frozen=True)
class Cluster:
    """Nodes, and what they stand on."""

    nodes: Running
    redis: RedisServer
    database: PostgresServer | None = None


@contextmanager
def webchat(
    prepare: Callable[[Path], object] = lambda _: None, mode: str = OPEN
) -> Iterator[Running]:
    """webchat on SQLite in a fresh folder; every message is on the disk before its ack.

    `prepare` may put a store into the folder first. `mode`: OPEN or SECURED.
    """
    with TemporaryDirectory() as data:
        prepare(Path(data))
        with webchat_on(Path(data), mode) as running:
            yield running


@contextmanager
def webchat_on(data: Path, mode: str) -> Iterator[Running]:
    """webchat on the folder `data`; `mode` as above."""
    with _webchat([f"--data={data}", *filter(None, [mode])], SERVER_CORE) as running:
        yield running


@contextmanager
def webchat_postgresql() -> Iterator[tuple[Running, PostgresServer]]:
    """One node on PostgreSQL, which syncs each commit; the database is bound to no core."""
    with postgres_server(fsync=True) as database:
        url = _initialised(database)
        with _webchat([f"--store={url}", "--open"], SERVER_CORE) as running:
            yield running, database


@contextmanager
def webchat_cluster(nodes: int) -> Iterator[Cluster]:
    """Nodes on PostgreSQL, which syncs each commit, and Redis; no process is bound to a core."""
    with postgres_server(fsync=True) as database, RedisServer() as redis:
        options = [f"--store={_initialised(database)}", f"--bus={redis.url}", "--open"]
        with ExitStack() as started:
            running = [started.enter_context(_webchat(options, None)) for _ in range(nodes)]
            yield Cluster(_together(running), redis, database)


@contextmanager
def npm_socketio() -> Iterator[Running]:
    """npm's socket.io on Node, alone."""
    with _peer(SOCKETIO, SERVER_CORE) as running:
        yield running


@contextmanager
def npm_cluster(nodes: int) -> Iterator[Cluster]:
    """npm's socket.io with its redis-adapter; no process is bound to a core."""
    with RedisServer() as redis, ExitStack() as started:
        command = [*SOCKETIO, redis.url]
        running = [started.enter_context(_peer(command, None)) for _ in range(nodes)]
        yield Cluster(_together(running), redis)


@contextmanager
def python_socketio() -> Iterator[Running]:
    """python-socketio on aiohttp and uvloop."""
    peer = [sys.executable, str(HERE / "peers" / "python_socketio.py")]
    with _peer(peer, SERVER_CORE) as running:
        yield running


@contextmanager
def socketioxide() -> Iterator[Running]:
    """socketioxide on axum, where cargo could build it (SOCKETIOXIDE)."""
    with _peer([str(SOCKETIOXIDE)], SERVER_CORE) as running:
        yield running


@contextmanager
def bare_loop() -> Iterator[Running]:
    """A C loop with one send() a copy, which joins nothing (peers/bare.c)."""
    with _peer([str(compiled("peers/bare.c"))], SERVER_CORE) as running:
        yield running


@contextmanager
def _webchat(options: Sequence[str], core: int | None) -> Iterator[Running]:
    command = [sys.executable, "-m", "webchat", "serve", "--port=0", *UNLIMITED, *options]
    with process(command, core, stderr=subprocess.PIPE) as server:
        assert server.stderr is not None
        yield Running((server.pid,), (listening(server.stderr),))


@contextmanager
def _peer(command: Sequence[str], core: int | None) -> Iterator[Running]:
    with process(command, core) as server:
        assert server.stdout is not None
        yield Running((server.pid,), (int(server.stdout.readline()),))


def _together(running: Sequence[Running]) -> Running:
    return Running(
        tuple(pid for each in running for pid in each.pids),
        tuple(port for each in running for port in each.ports),
    )


def _initialised(database: PostgresServer) -> str:
    url = database.new_database()
    command = [sys.executable, "-m", "webchat", "store", "init", "--store", url, "--open"]
    subprocess.run(command, check=True, capture_output=True)
    return url


def listening(log: IO[str]) -> int:
    """The port of the line `listening` in webchat's log. Raises RunError."""
    said = []
    for line in log:
        said.append(line)
        event = json.loads(line)
        if event["event"] == "listening":
            return int(event["url"].rstrip("/").rpartition(":")[2])
    raise RunError("the server did not come up: " + "".join(said))
