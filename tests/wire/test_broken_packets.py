"""Packets against the protocol close the connection they came on, and no other."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest

from tests.wire.people import Town
from tests.wire.raw import RawSocket, errors_in


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.mark.parametrize(
    "packet",
    [
        "4abc",
        "4",
        "49",
        "42{}",
        "42[]",
        "42[1]",
        "42abc[]",
        '42["chat"',
        '42["chat",{]',
        "451-",
        '459999999-["chat",{"_placeholder":true,"num":0}]',
        "9",
        "x",
        "",
    ],
)
async def test_a_broken_packet_closes_its_connection_alone(
    town: Town, http: aiohttp.ClientSession, packet: str
) -> None:
    a, b = town.person("a"), town.person("b")
    bob = await town.device(b)
    broken = RawSocket(town, http)
    await broken.open(a)
    await broken.send(packet)
    code, _ = await broken.until_closed()
    assert code is not None
    await bob.tell(b, "nothing happened to me")


async def test_a_placeholder_without_its_attachment_closes_too(
    town: Town, http: aiohttp.ClientSession
) -> None:
    broken = RawSocket(town, http)
    await broken.open(town.person("a"))
    await broken.send('451-["chat",{"_placeholder":true,"num":9}]')
    await broken.websocket.send_bytes(b"attachment")
    code, _ = await broken.until_closed()
    assert code == 1002


async def test_a_broken_packet_is_told_as_a_protocol_error(
    town: Town, http: aiohttp.ClientSession
) -> None:
    broken = RawSocket(town, http)
    await broken.open(town.person("a"))
    await broken.send("42{}")
    code, packets = await broken.until_closed()
    assert code == 1002
    assert [error["code"] for error in errors_in(packets)] == ["protocol_error"]
    assert "41" not in packets


async def test_a_packet_over_the_limit_closes_its_connection(
    town: Town, http: aiohttp.ClientSession
) -> None:
    a, b = town.person("a"), town.person("b")
    bob = await town.device(b)
    broken = RawSocket(town, http)
    await broken.open(a)
    await broken.send('42["chat","' + "x" * 1_000_001 + '"]')
    code, _ = await broken.until_closed()
    assert code == 1009
    await bob.tell(b, "nothing happened to me")


async def test_deep_nesting_hurts_nobody(town: Town, http: aiohttp.ClientSession) -> None:
    a, b = town.person("a"), town.person("b")
    bob = await town.device(b)
    deep = RawSocket(town, http)
    await deep.open(a)
    await deep.send('42["chat",' + "[" * 100_000 + "]" * 100_000 + "]")
    await bob.tell(b, "nothing happened to me")


async def test_nothing_a_client_sends_reaches_the_log_as_a_stack_trace(
    town: Town, http: aiohttp.ClientSession
) -> None:
    for packet in ("4abc", "42{}", '42["chat",{]', "x"):
        broken = RawSocket(town, http)
        await broken.open(town.person("a"))
        await broken.send(packet)
        await broken.until_closed()
    assert [line for line in town.server.log if "exception" in line or "text" in line] == []
