"""What nodes stand on: a Redis and the engine of a store, real ones, that tests can break."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tests.cluster.cluster import Part
from tests.engines.dynamodb import DynamoServer
from tests.engines.postgresql import postgres_server
from tests.engines.redis import RedisServer

ENGINE: Final = os.environ.get("WEBCHAT_CLUSTER_STORE", "dynamodb")
"""Which store clusters stand on."""
QUICK: Final = (
    "--rate-registrations-per-min=100000",
    "--rate-registrations-burst=100000",
    "--rate-address-logins-per-min=100000",
    "--rate-address-logins-burst=100000",
    "--lease-ms=3000",
)
"""Limits that many tests at one address would meet, and short leases."""
BUSY: Final = ("--rate-burst=100000", "--backlog-entries=1000000", "--join-entries=1000000")
"""For devices that write much, and count on being sent all of what they missed."""


@dataclass(frozen=True)
class Backing:
    """`options`: for `webchat serve`. `parts`: by name, what can be broken. `bus_port`: Redis's."""

    store: str
    bus_port: int
    parts: dict[str, Part]

    @property
    def options(self) -> tuple[str, ...]:
        """For `webchat serve`."""
        bus = f"--bus=redis://127.0.0.1:{self.bus_port}"
        return (f"--store={self.store}", bus, "--trusted-proxy=127.0.0.0/8", *QUICK)


@contextmanager
def backing(*mode: str) -> Iterator[Backing]:
    """A fresh Redis and a fresh, initialised store; `mode`: "--open", or nothing."""
    with RedisServer() as redis, ENGINES[ENGINE]() as (store, engine):
        command = [sys.executable, "-m", "webchat", "store", "init", "--store", store, *mode]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        yield Backing(store, redis.port, {"redis": redis, "store": engine})


@contextmanager
def _postgresql() -> Iterator[tuple[str, Part]]:
    with postgres_server(fsync=True) as server:
        yield server.url(), server


@contextmanager
def _dynamodb() -> Iterator[tuple[str, Part]]:
    with (
        TemporaryDirectory(prefix="webchat-dynamodb-") as data,
        DynamoServer(Path(data)) as server,
    ):
        yield f"dynamodb://eu-west-1/webchat?endpoint={server.endpoint}", server


ENGINES: Final = {"dynamodb": _dynamodb, "postgresql": _postgresql}
