"""Rates: beyond the burst a message is refused and may come again; receipts never are."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.servers import Server
from tests.wire.people import Town, message, pair


@pytest.fixture
async def slow_town(tmp_path: Path) -> AsyncIterator[Town]:
    """A server that takes five messages at once, and then two a second."""
    with Server(tmp_path, "--rate-burst=5", "--rate-events-per-s=2") as server:
        town = Town(server, open_mode=False)
        yield town
        await town.close()


async def test_messages_beyond_the_burst_say_when_to_come_again(slow_town: Town) -> None:
    a, b = slow_town.person("a"), slow_town.person("b")
    alice = await slow_town.device(a)
    acks = [await alice.chat(message(a, b, str(number))) for number in range(12)]
    refused = [ack["error"] for ack in acks if not ack["ok"]]
    assert refused
    assert {error["code"] for error in refused} == {"rate_limited"}
    assert all(0 < error["retry_after_ms"] <= 1_000 for error in refused)
    assert [ack["Seq"] for ack in acks if ack["ok"]] == list(range(1, 13 - len(refused)))


async def test_all_devices_of_a_user_share_its_rate_and_others_have_their_own(
    slow_town: Town,
) -> None:
    a, b = slow_town.person("a"), slow_town.person("b")
    one, two = await slow_town.device(a), await slow_town.device(a)
    bob = await slow_town.device(b)
    for number in range(6):
        await one.chat(message(a, b, str(number)))
    ack = await two.chat(message(a, b, "from the other device"))
    assert ack["error"]["code"] == "rate_limited"
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
