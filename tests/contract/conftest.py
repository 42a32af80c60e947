"""The stores that every contract is proved on: to add one is to add a line to STORES.

And a Redis, with nodes on it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple
from unittest.mock import patch

import pytest

from tests.contract.emptied import EmptiedStore
from tests.contract.redis_node import SETTINGS, Join, RedisNode
from tests.engines import dynamodb as dynamodb_engine
from tests.engines.redis import RedisServer
from tests.memory import ManualClock, MemoryStore
from webchat.adapters.dynamodb import DynamoSettings, DynamoStore, client
from webchat.adapters.postgresql import PostgresSettings, PostgresStore
from webchat.adapters.redis import RedisBusSettings
from webchat.adapters.sqlite import SqliteSettings, SqliteStore, check
from webchat.ports.store import Finding, Store

CLOSE_WITHIN_S: Final = 30


class Kind(NamedTuple):
    """How to make an empty store, and what is wrong with it once it is closed."""

    make: Callable[[Path, ManualClock], Store]
    check: Callable[[Path], Sequence[Finding]]


def sqlite(settings: SqliteSettings) -> Kind:
    """A store in an SQLite file."""
    return Kind(
        lambda path, clock: SqliteStore(path / "store.db", settings, clock),
        lambda path: check(path / "store.db"),
    )


def postgresql(**limits: int) -> Kind:
    """A store in a PostgreSQL database of its own, which is patient with a busy machine."""
    settings = PostgresSettings(statement_timeout_ms=60_000, **limits)
    return Kind(lambda _, clock: EmptiedStore(settings, clock), lambda _: [])


def dynamodb(**limits: int) -> Kind:
    """A store in a DynamoDB table of its own."""

    def make(_: Path, clock: ManualClock) -> Store:
        engine = dynamodb_engine.shared_server()
        # The clock stands still, so nothing may ever have to be tried again.
        limits.setdefault("attempt_timeout_ms", 240_000)
        settings = DynamoSettings("eu-west-1", engine.new_table(), engine.endpoint, **limits)
        return DynamoStore(settings, clock)

    return Kind(make, lambda _: [])


STORES: Final[dict[str, Kind]] = {
    "memory": Kind(lambda _, clock: MemoryStore(clock), lambda _: []),
    "sqlite": sqlite(SqliteSettings()),
    "sqlite that remembers little": sqlite(
        SqliteSettings(
            max_batch=20,
            max_heads=2,
            max_positions=2,
            journal_entries=3,
            journal_keys=2,
            key_filter_bytes=1,
            fold_slice=1,
        )
    ),
    "postgresql": postgresql(),
    "postgresql that remembers little": postgresql(
        max_batch=2, max_known_logs=2, read_connections=1
    ),
    "dynamodb": dynamodb(),
    "dynamodb that remembers little": dynamodb(
        inline_bytes=300,
        kept_inline_bytes=150,
        batch_bytes=600,
        inline_senders=1,
        follow_inline_bytes=100,
        max_logs=2,
        max_positions=2,
    ),
}

NO_LOGS: Final = pytest.mark.parametrize(
    "store",
    [
        kind
        for kind in STORES
        if kind not in ("sqlite that remembers little", "dynamodb that remembers little")
    ],
    indirect=True,
)
"""For tests of neither logs nor positions, which is all that those two remember little of; the
third has a single connection for anything else, too."""


@pytest.fixture(scope="session", autouse=True)
def one_session() -> Iterator[None]:
    """All DynamoDB stores of the same login share the SDK's session: to make one takes long."""
    make = client._session
    shared = cache(lambda login: make())
    with patch.object(client, "_session", lambda: shared(os.environ.get("AWS_ACCESS_KEY_ID"))):
        yield


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a SQLite store is, or is to be."""
    return tmp_path / "webchat.db"


@pytest.fixture(params=STORES)
async def store(
    request: pytest.FixtureRequest, tmp_path: Path, clock: ManualClock
) -> AsyncIterator[Store]:
    """An open, empty store; a test must leave it whole."""
    kind = STORES[request.param]
    made = kind.make(tmp_path, clock)
    if isinstance(made, PostgresStore | DynamoStore):
        await made.init()
    await made.open("secured")
    yield made
    # One that a test has left in the middle may wait for a clock that stands still.
    async with asyncio.timeout(CLOSE_WITHIN_S):
        await made.close()
    assert kind.check(tmp_path) == []


@pytest.fixture
def server() -> Iterator[RedisServer]:
    """A Redis of the test's own."""
    with RedisServer() as running:
        yield running


@pytest.fixture
async def join() -> AsyncIterator[Join]:
    """Makes nodes on Redis that are closed after the test."""
    nodes: list[RedisNode] = []

    def make(url: str, settings: RedisBusSettings = SETTINGS) -> RedisNode:
        nodes.append(RedisNode(url, settings))
        return nodes[-1]

    yield make
    for node in nodes:
        await node.bus.close()
