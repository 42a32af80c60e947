"""Engine.IO 4 as the official suite asks for it, frame by frame."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest

from tests.transport.wire import Wire, eventually, polling_session, request, websocket
from webchat.session.endpoint import Endpoint

POLLING = "/engine.io/?EIO=4&transport=polling"
WEBSOCKET = "/engine.io/?EIO=4&transport=websocket"
HANDSHAKE = {"pingInterval": 300, "pingTimeout": 200, "maxPayload": 1_000_000}
PING_INTERVAL_S = 0.3


async def session(port: int) -> str:
    """The path of a new polling session."""
    return f"{POLLING}&sid={await polling_session(port, '/engine.io/')}"


async def polled(engine: Endpoint, path: str) -> None:
    """Return once a poll waits in the session at `path`."""
    connection = engine.find(path.rpartition("=")[2])
    assert connection is not None
    await eventually(lambda: connection.is_polled)


async def opened(port: int, path: str = WEBSOCKET) -> Wire:
    """A WebSocket whose handshake was read."""
    wire = await websocket(port, path)
    await wire.message()
    return wire


async def probed(port: int, path: str) -> Wire:
    """A WebSocket on the way to take over from the polling session at `path`."""
    wire = await websocket(port, path.replace("transport=polling", "transport=websocket"))
    wire.say("2probe")
    assert await wire.message() == "3probe"
    return wire


def handshake(text: str) -> dict[str, Any]:
    assert text[0] == "0"
    fields: dict[str, Any] = json.loads(text[1:])
    assert isinstance(fields.pop("sid"), str)
    return fields


async def test_a_handshake_by_polling_has_exactly_its_fields(port: int) -> None:
    answer = await request(port, "GET", POLLING)
    assert handshake(answer.body.decode()) == {**HANDSHAKE, "upgrades": ["websocket"]}


async def test_a_handshake_by_websocket_has_exactly_its_fields(port: int) -> None:
    async with await websocket(port, WEBSOCKET) as wire:
        assert handshake(str(await wire.message())) == {**HANDSHAKE, "upgrades": []}


@pytest.mark.parametrize(
    ("method", "query"),
    [
        ("GET", "transport=polling"),
        ("GET", "EIO=abc&transport=polling"),
        ("GET", "EIO=3&transport=polling"),
        ("GET", "EIO=4"),
        ("GET", "EIO=4&transport=abc"),
        ("POST", "EIO=4&transport=polling"),
        ("PUT", "EIO=4&transport=polling"),
        ("GET", "EIO=4&transport=polling&sid=unknown"),
    ],
)
async def test_a_bad_request_gets_400(port: int, method: str, query: str) -> None:
    assert (await request(port, method, f"/engine.io/?{query}")).status == 400


@pytest.mark.parametrize("body", ["4hello", "4a\x1e4b\x1e4c", "4hello\x1ebAQIDBA==", "bAQIDBA=="])
async def test_echoes_of_one_post_come_back_in_one_poll(port: int, body: str) -> None:
    path = await session(port)
    posted = await request(port, "POST", path, body=body)
    assert (posted.status, posted.body) == (200, b"ok")
    polled = await request(port, "GET", path)
    assert (polled.status, polled.body.decode()) == (200, body)


async def test_a_malformed_payload_closes_the_session(port: int) -> None:
    path = await session(port)
    assert (await request(port, "POST", path, body="abc")).status == 400
    assert (await request(port, "GET", path)).status == 400


async def test_two_polls_at_once_close_the_session(port: int, engine: Endpoint) -> None:
    path = await session(port)
    first = asyncio.create_task(request(port, "GET", path))
    await polled(engine, path)
    assert (await request(port, "GET", path)).status == 400
    assert ((await first).status, (await first).body) == (200, b"1")
    assert (await request(port, "GET", path)).status == 400


async def test_a_close_by_post_releases_the_poll(port: int, engine: Endpoint) -> None:
    path = await session(port)
    poll = asyncio.create_task(request(port, "GET", path))
    await polled(engine, path)
    assert (await request(port, "POST", path, body="1")).status == 200
    assert ((await poll).status, (await poll).body) == (200, b"6")
    assert (await request(port, "GET", path)).status == 400


async def test_text_and_binary_come_back_as_what_they_were(port: int) -> None:
    async with await opened(port) as wire:
        wire.say("4hello", b"\x01\x02\x03\x04")
        assert await wire.message() == "4hello"
        assert await wire.message() == b"\x01\x02\x03\x04"


@pytest.mark.parametrize("text", ["abc", "1"])
async def test_an_unknown_packet_or_a_close_ends_the_websocket(port: int, text: str) -> None:
    async with await opened(port) as wire:
        wire.say(text)
        await wire.closed()


async def test_pings_and_nothing_else_come_by_websocket(port: int) -> None:
    async with await opened(port) as wire:
        for _ in range(3):
            assert await wire.message() == "2"
            wire.say("3")


async def test_pings_and_nothing_else_come_by_polling(port: int) -> None:
    path = await session(port)
    for _ in range(3):
        assert (await request(port, "GET", path)).body == b"2"
        assert (await request(port, "POST", path, body="3")).status == 200


async def test_without_a_pong_the_session_is_over(port: int, engine: Endpoint) -> None:
    began = time.monotonic()
    path = await session(port)
    await eventually(lambda: len(engine) == 0)
    assert time.monotonic() - began > PING_INTERVAL_S
    assert (await request(port, "GET", path)).status == 400


async def test_without_a_pong_the_websocket_is_closed(port: int) -> None:
    began = time.monotonic()
    async with await opened(port) as wire:
        assert await wire.message() == "2"
        await wire.closed()
    assert time.monotonic() - began > PING_INTERVAL_S


async def test_an_upgrade_releases_the_poll_and_goes_on(port: int) -> None:
    path = await session(port)
    async with await probed(port, path) as wire:
        assert (await request(port, "GET", path)).body == b"6"
        wire.say("5", "4hello")
        assert await wire.message() == "4hello"


async def test_a_poll_that_waits_is_released_by_the_probe(port: int, engine: Endpoint) -> None:
    path = await session(port)
    poll = asyncio.create_task(request(port, "GET", path))
    await polled(engine, path)
    async with await probed(port, path):
        assert (await poll).body == b"6"


async def test_after_the_upgrade_polls_and_second_websockets_are_refused(port: int) -> None:
    path = await session(port)
    upgraded = path.replace("transport=polling", "transport=websocket")
    async with await websocket(port, upgraded) as wire:
        wire.say("2probe", "5")
        assert await wire.message() == "3probe"
        assert (await request(port, "GET", path)).status == 400
        async with await websocket(port, upgraded) as second:
            await second.closed()
        wire.say("4hello")
        assert await wire.message() == "4hello"
