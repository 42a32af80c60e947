"""How long a person waits: pages over REST, one after the other, and a server that starts."""

from __future__ import annotations

import http.client
import os
import random
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from urllib.parse import quote

from bench import servers
from bench.group_store import uid_of
from bench.running import RunError, Running
from bench.samples import Sample
from bench.stores import token_of
from webchat.model import ConvID

PAGE = 50


def history(prepare: Callable[[Path], None], conv: ConvID, last: int, requests: int) -> Sample:
    """Pages anywhere in the history of a conversation that ends at `last`."""
    chance = random.Random(1)
    path = f"/api/v1/conversations/{quote(conv)}/events?limit={PAGE}&before="
    paths = (f"{path}{chance.randrange(PAGE, last + 1) + 1}" for _ in range(requests))
    return _asked(prepare, paths)


def conversation_list(prepare: Callable[[Path], None], requests: int) -> Sample:
    """The first page of a user's conversations, again and again."""
    return _asked(prepare, (f"/api/v1/conversations?limit={PAGE}" for _ in range(requests)))


def start(prepare: Callable[[Path], object], mode: str) -> Sample:
    """From the making of the process until it listens and says that it is ready."""
    with TemporaryDirectory() as data:
        prepare(Path(data))
        begun = time.perf_counter()
        with servers.webchat_on(Path(data), mode) as server:
            with closing(_connected(server)) as connection:
                _get(connection, "/readyz")
            return {"ready_s": time.perf_counter() - begun}


def sync(rounds: int) -> Sample:
    """How long the disk takes to have a page that was appended to a file (fdatasync)."""
    waits = []
    with TemporaryFile() as file:
        for _ in range(rounds):
            begun = time.perf_counter()
            os.write(file.fileno(), bytes(4_096))
            os.fdatasync(file.fileno())
            waits.append(time.perf_counter() - begun)
    return _waited(waits)


def _asked(prepare: Callable[[Path], None], paths: Iterable[str]) -> Sample:
    with (
        servers.webchat(prepare, servers.SECURED) as server,
        closing(_connected(server)) as connection,
    ):
        return _waited([_get(connection, path) for path in paths])


def _waited(waits: Sequence[float]) -> Sample:
    at_99 = sorted(waits)[min(len(waits) - 1, len(waits) * 99 // 100)]
    return {"p50_ms": statistics.median(waits) * 1e3, "p99_ms": at_99 * 1e3}


def _connected(server: Running) -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    connection.connect()
    return connection


def _get(connection: http.client.HTTPConnection, path: str) -> float:
    """Seconds until the answer is read whole. Raises RunError if it is not 200."""
    begun = time.perf_counter()
    connection.request("GET", path, headers={"Authorization": f"Bearer {token_of(uid_of(0))}"})
    answer = connection.getresponse()
    body = answer.read()
    waited = time.perf_counter() - begun
    if answer.status != 200:
        raise RunError(f"GET {path}: {answer.status} {body[:200]!r}")
    return waited
