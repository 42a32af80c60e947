"""Whoever sends far beyond its rate is read no faster than that; nothing of it is lost."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from time import monotonic

import aiohttp
import pytest

from tests.servers import Server
from tests.wire.people import Town, message
from tests.wire.raw import RawSocket

_MESSAGES = 3_000
_AT_ONCE = 300 + 1_000
"""What is taken at once, and what is refused at once."""


@pytest.fixture
def busy_server(tmp_path: Path) -> Iterator[Server]:
    """It takes 300 messages at once, and then as many a second, of each connection."""
    with Server(tmp_path, "--rate-events-per-s=300", "--ping-timeout-ms=1000") as server:
        yield server


@pytest.fixture
async def busy_town(busy_server: Server) -> AsyncIterator[Town]:
    town = Town(busy_server, open_mode=False)
    yield town
    await town.close()


class Flood:
    """Somebody who sends many messages to somebody else, and reads at the same time."""

    def __init__(self, town: Town, http: aiohttp.ClientSession) -> None:
        self.raw = RawSocket(town, http)
        self.sender, self.reader = town.person("sender"), town.person("reader")

    def packet(self, number: int) -> str:
        return f"42{number}" + json.dumps(["chat", message(self.sender, self.reader, "x" * 200)])

    async def send(self, messages: int) -> None:
        for number in range(1, messages + 1):
            await self.raw.send(self.packet(number))

    async def answers(self) -> AsyncIterator[tuple[int, bool]]:
        """Of each answer its number, and whether the message was taken."""
        while True:
            packet = await self.raw.until("")
            if packet == "2":
                await self.raw.send("3")
            elif packet.startswith("43"):
                number, _, answer = packet[2:].partition("[")
                yield int(number), '"ok":true' in answer


@pytest.fixture
async def flood(busy_town: Town) -> AsyncIterator[Flood]:
    async with aiohttp.ClientSession() as http:
        flood = Flood(busy_town, http)
        await flood.raw.open(flood.sender)
        yield flood


async def test_who_sends_without_a_pause_gets_each_answer_in_its_time(flood: Flood) -> None:
    began_s, answers = monotonic(), dict[int, bool]()
    sending = asyncio.create_task(flood.send(_MESSAGES))
    async for number, is_ok in flood.answers():
        assert number not in answers
        answers[number] = is_ok
        if len(answers) == _MESSAGES:
            break
    await sending
    # No more than twice its rate: what is taken, and as many that are refused.
    assert monotonic() - began_s > (_MESSAGES - _AT_ONCE) / 600 - 1
    refused = [number for number, is_ok in answers.items() if not is_ok]
    assert len(refused) >= 1_000
    assert refused == sorted(refused)
    await asyncio.sleep(0.1)
    await flood.raw.send(flood.packet(0))
    assert '"ok":true' in await flood.raw.until("430[")


async def test_others_are_answered_meanwhile(busy_town: Town, flood: Flood) -> None:
    alice = await busy_town.device(busy_town.person("alice"))
    sending = asyncio.create_task(flood.send(_MESSAGES))
    for number in range(50):
        await alice.tell(flood.reader, str(number))
    sending.cancel()


async def test_a_server_ends_in_time_while_it_does_not_read_somebody(
    busy_server: Server, flood: Flood
) -> None:
    sending = asyncio.create_task(flood.send(20_000))
    refused = 0
    async for _, is_ok in flood.answers():
        refused += not is_ok
        if refused > 1_000:
            break
    assert await asyncio.to_thread(busy_server.stop) == 0
    sending.cancel()
