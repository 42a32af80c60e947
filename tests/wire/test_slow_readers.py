"""Who reads slowly costs nobody else: bounded memory, then a close, then the log from a cursor."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest

from tests.servers import Server
from tests.wire.people import Device, Town, message, pair
from tests.wire.raw import RawSocket

TEXT = "x" * 16_000
COUNT = 700
"""Times 16 KB: far more than the kernel holds for two ends of a loopback connection."""


@pytest.fixture(scope="module")
def quick_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """It takes messages as fast as they come, and skips nothing of a backlog."""
    with Server(
        tmp_path_factory.mktemp("quick"), "--rate-burst=100000", "--backlog-entries=100000"
    ) as server:
        yield server


@pytest.fixture
async def quick_town(quick_server: Server) -> AsyncIterator[Town]:
    town = Town(quick_server, open_mode=False)
    yield town
    await town.close()


async def flood(device: Device, to: str) -> None:
    """Send `COUNT` long messages, some of them on their way at once."""
    for first in range(0, COUNT, 20):
        texts = [message(device.uid, to, f"{first + n} {TEXT}") for n in range(20)]
        acks = await asyncio.gather(*(device.chat(text) for text in texts))
        assert all(ack["ok"] for ack in acks)


async def test_a_reader_that_stalls_is_closed_and_nobody_else_is_held_up(quick_town: Town) -> None:
    a, b = quick_town.person("a"), quick_town.person("b")
    alice, bob = await quick_town.device(a), await quick_town.device(b)
    async with aiohttp.ClientSession() as http:
        stalled = RawSocket(quick_town, http)
        await stalled.open(b)
        stalled.stop_reading()
        await flood(alice, b)
        heard = [(await bob.hear("message"))["Seq"] for _ in range(COUNT)]
        assert heard == list(range(1, COUNT + 1))
        stalled.go_on_reading()
        code, packets = await stalled.until_closed()
        assert code in {1013, 1006}
        assert len(packets) < COUNT


async def test_the_device_comes_back_with_its_cursor_and_misses_nothing(quick_town: Town) -> None:
    a, b = quick_town.person("a"), quick_town.person("b")
    alice = await quick_town.device(a)
    await flood(alice, b)
    back = await quick_town.device(b, cursors={pair(a, b): 100})
    assert [(await back.hear("message"))["Seq"] for _ in range(COUNT - 100)] == list(
        range(101, COUNT + 1)
    )


async def test_a_long_backlog_never_counts_as_slow_reading(quick_town: Town) -> None:
    a, b = quick_town.person("a"), quick_town.person("b")
    alice = await quick_town.device(a)
    await flood(alice, b)
    async with aiohttp.ClientSession() as http:
        slow = RawSocket(quick_town, http)
        await slow.open(b)
        slow.stop_reading()
        await alice.tell(b, "the last one")
        slow.go_on_reading()
        assert "the last one" in await slow.until_containing("the last one")
        await slow.websocket.close()
