"""A PostgreSQL store of several servers, one of which serves; and connections that say nothing."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from tests.contract.asking import create, send
from tests.engines.postgresql import shared_server
from tests.memory import ManualClock
from webchat.adapters.postgresql import PostgresSettings, PostgresStore
from webchat.adapters.postgresql.address import each_server
from webchat.ports.store import StoreRefused

SETTINGS = PostgresSettings(connect_timeout_ms=3_000)


class Mute:
    """A server that takes connections and says nothing; as a context. `asked`: how many."""

    def __init__(self) -> None:
        self.asked = 0
        self.port = 0
        self._ways: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def __aenter__(self) -> Mute:
        self._server = await asyncio.start_server(self._join, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *error: object) -> None:
        self._server.close()
        for _, writer in self._ways:
            writer.close()

    def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked += 1
        self._ways.append((reader, writer))


@pytest.fixture
async def mute() -> AsyncIterator[Mute]:
    async with Mute() as server:
        yield server


@pytest.fixture
async def url(clock: ManualClock) -> str:
    """Of a database that has a store."""
    made = shared_server().new_database()
    await PostgresStore(made, SETTINGS, clock).init()
    return made


def behind(port: int, url: str) -> str:
    """`url`, with a server on `port` named before its own."""
    return url.replace("@", f"@127.0.0.1:{port},")


async def test_a_server_that_says_nothing_keeps_nobody_from_the_one_named_behind_it(
    mute: Mute, url: str, clock: ManualClock
) -> None:
    store = PostgresStore(behind(mute.port, url), SETTINGS, clock)
    await store.open("secured")
    (entry,) = (await send(store, create("group_x", "ann", "bob"))).entries
    assert await store.log.read("group_x", 0, 9) == [entry]
    await store.close()


async def test_the_server_that_served_last_is_asked_first(
    mute: Mute, url: str, clock: ManualClock
) -> None:
    store = PostgresStore(behind(mute.port, url), SETTINGS, clock)
    await store.open("secured")
    await asyncio.gather(*[store.members.count("group_x") for _ in range(4)])
    await send(store, create("group_x", "ann", "bob"))
    _ = [record async for record in store.transfer.records()]
    await store.close()
    assert mute.asked == 1


async def test_a_server_that_refuses_sends_on_to_the_one_named_behind_it(
    url: str, clock: ManualClock
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        store = PostgresStore(behind(taken.getsockname()[1], url), SETTINGS, clock)
        await store.open("secured")
        assert not await store.trouble()
        await store.close()


async def test_if_no_server_serves_it_is_said_why_the_first_does_not(
    mute: Mute, clock: ManualClock
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        first, second = taken.getsockname()[1], mute.port
        url = f"postgresql://webchat@127.0.0.1:{first},127.0.0.1:{second}/x"
        store = PostgresStore(url, PostgresSettings(connect_timeout_ms=500), clock)
        with pytest.raises(StoreRefused, match="cannot be reached"):
            await store.open("secured")


@pytest.mark.parametrize(
    ("url", "alone"),
    [
        ("postgresql:///x", ["postgresql:///x"]),
        ("postgresql://ann:a,b@h/x", ["postgresql://ann:a,b@h/x"]),
        (
            "postgresql://ann:pw@h1:1,h2/x?sslmode=require",
            [
                "postgresql://ann:pw@h1:1/x?sslmode=require",
                "postgresql://ann:pw@h2/x?sslmode=require",
            ],
        ),
        (
            "postgresql://h1,h2/x?target_session_attrs=prefer-standby",
            ["postgresql://h1,h2/x?target_session_attrs=prefer-standby"],
        ),
    ],
)
def test_each_server_is_asked_with_all_else_that_the_url_says(url: str, alone: list[str]) -> None:
    assert each_server(url) == alone


async def test_a_connection_that_says_nothing_is_kept_alive(url: str, clock: ManualClock) -> None:
    settings = PostgresSettings(keepalive_idle_s=50, keepalive_interval_s=5)
    store = PostgresStore(url, settings, clock)
    await store.open("secured")
    for connections in (store._for_writes, store._for_others):
        asked = [
            f"SELECT current_setting('tcp_keepalives_{name}')" for name in ("idle", "interval")
        ]
        assert [(await connections.fetch(each))[0][0] for each in asked] == ["50", "5"]
    await store.close()
