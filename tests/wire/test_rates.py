"""Rates: beyond the burst a message is refused and may come again; receipts never are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.servers import Server
from tests.wire.clients import Envelope
from tests.wire.people import Device, Town, message, pair


@pytest.fixture(scope="module")
def slow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """It takes three messages at once, and then one a second, of each connection."""
    with Server(
        tmp_path_factory.mktemp("slow"), "--rate-burst=3", "--rate-events-per-s=1"
    ) as server:
        yield server


@pytest.fixture
async def slow_town(slow_server: Server) -> AsyncIterator[Town]:
    town = Town(slow_server, open_mode=False)
    yield town
    await town.close()


async def burst(device: Device, to: str, count: int) -> list[Envelope]:
    """Send messages all at once; returns their acks."""
    sends = [device.chat(message(device.uid, to, str(number))) for number in range(count)]
    return list(await asyncio.gather(*sends))


async def test_messages_beyond_the_burst_say_when_to_come_again(slow_town: Town) -> None:
    a, b = slow_town.person("a"), slow_town.person("b")
    alice = await slow_town.device(a)
    acks = await burst(alice, b, 20)
    refused = [ack["error"] for ack in acks if not ack["ok"]]
    assert {error["code"] for error in refused} == {"rate_limited"}
    assert all(0 < error["retry_after_ms"] <= 1_000 for error in refused)
    assert sorted(ack["Seq"] for ack in acks if ack["ok"]) == list(range(1, 21 - len(refused)))


async def test_a_refused_message_can_be_sent_again(slow_town: Town) -> None:
    a, b = slow_town.person("a"), slow_town.person("b")
    alice = await slow_town.device(a)
    await burst(alice, b, 20)
    refused = message(a, b, "later")
    ack = await alice.chat(refused)
    while not ack["ok"]:
        await asyncio.sleep(ack["error"]["retry_after_ms"] / 1_000)
        ack = await alice.chat(refused)
    assert ack["MsgID"] == refused["MsgID"]


async def test_one_connections_rate_is_not_anothers(slow_town: Town) -> None:
    a, b = slow_town.person("a"), slow_town.person("b")
    alice, bob = await slow_town.device(a), await slow_town.device(b)
    await burst(alice, b, 20)
    await bob.tell(a, "my own rate")


async def test_receipts_are_never_refused_for_coming_fast(slow_town: Town) -> None:
    a, b = slow_town.person("a"), slow_town.person("b")
    alice, bob = await slow_town.device(a), await slow_town.device(b)
    await alice.tell(b, "x")
    for _ in range(60):
        await bob.wire.emit(
            "chat",
            {"EvtType": "display", "From": b, "To": a, "ConvID": pair(a, b), "Seq": 1, "MsgID": ""},
        )
    await bob.confirm("display", a, ConvID=pair(a, b), Seq=1)
    assert not [heard for heard in bob.wire.inbox.waiting if heard[0] == "error"]
