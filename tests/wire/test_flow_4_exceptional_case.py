"""Seed flow 4: a connection is thought alive but is not; a message counts when it is confirmed."""

from __future__ import annotations

import asyncio

import aiohttp

from tests.wire.people import Town, message, pair
from tests.wire.raw import RawSocket


async def test_a_message_into_a_dead_connection_comes_with_the_next_one(town: Town) -> None:
    a, b = town.person("a"), town.person("b")
    alice = await town.device(a)
    async with aiohttp.ClientSession() as http:
        dying = RawSocket(town, http)
        await dying.open(b)
        dying.die()
        await alice.tell(b, "into the void")
        await dying.websocket.close()

    bob = await town.device(b)
    assert (await bob.hear("message"))["Body"] == "into the void"


async def test_a_message_taken_from_the_socket_but_not_confirmed_comes_again(town: Town) -> None:
    a, b = town.person("a"), town.person("b")
    alice = await town.device(a)
    async with aiohttp.ClientSession() as http:
        silent = RawSocket(town, http)
        await silent.open(b)
        await alice.tell(b, "seen by nobody")
        assert "seen by nobody" in await silent.until('42["chat"')
        silent.die()
        await silent.websocket.close()

    bob = await town.device(b)
    assert (await bob.hear("message"))["Body"] == "seen by nobody"
    await bob.confirm("delivery", a, ConvID=pair(a, b), Seq=1)
    assert (await alice.hear("delivery"))["Seq"] == 1


async def test_a_sender_cut_before_its_ack_sends_again_and_it_is_stored_once(town: Town) -> None:
    a, b = town.person("a"), town.person("b")
    bob = await town.device(b)
    sent = message(a, b, "maybe")
    doubtful = await town.device(a)
    await doubtful.wire.emit("chat", sent)
    await town.leave(doubtful)

    alice = await town.device(a)
    ack = await alice.chat(sent)
    assert ack["Seq"] == 1
    await alice.tell(b, "next")
    assert (await bob.hear("message"))["MsgID"] == sent["MsgID"]
    assert (await bob.hear("message"))["Body"] == "next"


async def test_two_connections_racing_with_one_msgid_store_it_once(town: Town) -> None:
    a, b = town.person("a"), town.person("b")
    devices = [await town.device(a, token=town.log_in(a)) for _ in range(3)]
    sent = message(a, b, "race")
    acks = await asyncio.gather(*(device.chat(sent) for device in devices))
    assert [ack["Seq"] for ack in acks] == [1, 1, 1]
