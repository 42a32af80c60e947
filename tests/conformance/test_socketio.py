"""Socket.IO 5 as the official suite asks for it, frame by frame."""

from __future__ import annotations

import asyncio
import json
import signal
import sys

import pytest

from tests.transport.wire import Wire, polling_session, request, websocket

WEBSOCKET = "/socket.io/?EIO=4&transport=websocket"
TWO_PLACEHOLDERS = '{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}'


async def opened(port: int) -> Wire:
    """A WebSocket whose Engine.IO handshake was read."""
    wire = await websocket(port, WEBSOCKET)
    assert str(await wire.message()).startswith("0{")
    return wire


async def connected(port: int) -> Wire:
    """A client of the namespace `/`."""
    wire = await opened(port)
    wire.say("40")
    assert str(await wire.message()).startswith("40{")
    assert await wire.message() == '42["auth",{}]'
    return wire


@pytest.mark.parametrize(
    ("connect", "prefix", "auth"),
    [
        ("40", "40", '42["auth",{}]'),
        ('40{"token":"123"}', "40", '42["auth",{"token":"123"}]'),
        ("40/custom,", "40/custom,", '42/custom,["auth",{}]'),
        ("40/custom", "40/custom,", '42/custom,["auth",{}]'),
        ('40/custom,{"token":"abc"}', "40/custom,", '42/custom,["auth",{"token":"abc"}]'),
    ],
)
async def test_a_connect_is_answered_with_a_sid_and_the_auth(
    port: int, connect: str, prefix: str, auth: str
) -> None:
    async with await opened(port) as wire:
        wire.say(connect)
        answer = str(await wire.message())
        assert answer.startswith(prefix)
        assert list(json.loads(answer.removeprefix(prefix))) == ["sid"]
        assert await wire.message() == auth


@pytest.mark.parametrize("connect", ["40/random", "40/random,"])
async def test_an_unknown_namespace_is_refused(port: int, connect: str) -> None:
    async with await opened(port) as wire:
        wire.say(connect)
        assert await wire.message() == '44/random,{"message":"Invalid namespace"}'


async def test_without_a_connect_the_connection_is_closed(port: int) -> None:
    async with await opened(port) as wire, asyncio.timeout(1.5):
        while True:
            opcode, _ = await wire.frame()
            if opcode == 8:
                break
            wire.say("3")


async def test_leaving_the_root_leaves_the_transport_open(port: int) -> None:
    async with await connected(port) as wire:
        wire.say("41")
        assert await wire.message() == "2"


async def test_leaving_a_namespace_leaves_the_root_working(port: int) -> None:
    async with await connected(port) as wire:
        wire.say("40/custom")
        assert str(await wire.message()).startswith("40/custom,{")
        assert await wire.message() == '42/custom,["auth",{}]'
        wire.say("41/custom", '42["message","to the root"]')
        assert await wire.message() == '42["message-back","to the root"]'


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        ('42["message",1,"2",{"3":[true]}]', '42["message-back",1,"2",{"3":[true]}]'),
        ('42["message"]', '42["message-back"]'),
        ('42456["message-with-ack",1,"2",{"3":[false]}]', '43456[1,"2",{"3":[false]}]'),
        ('420["message-with-ack"]', "430[]"),
    ],
)
async def test_events_and_acks_come_back(port: int, sent: str, answer: str) -> None:
    async with await connected(port) as wire:
        wire.say(sent)
        assert await wire.message() == answer


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (f'452-["message",{TWO_PLACEHOLDERS}]', f'452-["message-back",{TWO_PLACEHOLDERS}]'),
        (f'452-789["message-with-ack",{TWO_PLACEHOLDERS}]', f"462-789[{TWO_PLACEHOLDERS}]"),
    ],
)
async def test_attachments_come_back(port: int, sent: str, answer: str) -> None:
    async with await connected(port) as wire:
        wire.say(sent, b"\x01\x02\x03", b"\x04\x05\x06")
        assert await wire.message() == answer
        assert await wire.message() == b"\x01\x02\x03"
        assert await wire.message() == b"\x04\x05\x06"


@pytest.mark.parametrize("text", ["4abc", "42{}", '42abc["message-with-ack",1]', '42["message'])
async def test_a_broken_packet_closes_the_connection(port: int, text: str) -> None:
    async with await connected(port) as wire:
        wire.say(text)
        assert await wire.closed() == (1002, "protocol_error")


@pytest.mark.parametrize("text", ["4abc", '42["message"]'])
async def test_nothing_but_connect_may_come_first(port: int, text: str) -> None:
    async with await opened(port) as wire:
        wire.say(text)
        assert await wire.closed() == (1002, "protocol_error")


async def test_events_go_by_polling_too(port: int) -> None:
    sid = await polling_session(port, "/socket.io/")
    path = f"/socket.io/?EIO=4&transport=polling&sid={sid}"
    assert (await request(port, "POST", path, body="40")).body == b"ok"
    answer = (await request(port, "GET", path)).body.decode()
    connect, auth = answer.split("\x1e")
    assert (connect[:3], auth) == ("40{", '42["auth",{}]')
    body = '451-["message",{"_placeholder":true,"num":0}]\x1ebAQID'
    await request(port, "POST", path, body=body)
    polled = (await request(port, "GET", path)).body.decode()
    assert polled == '451-["message-back",{"_placeholder":true,"num":0}]\x1ebAQID'


async def test_the_command_serves_and_ends_when_asked() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.conformance.app", "--port", "0",
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    port = int(await process.stdout.readline())
    async with await connected(port) as wire:
        process.send_signal(signal.SIGTERM)
        assert await wire.closed() == (1012, "server_draining")
    assert await asyncio.wait_for(process.wait(), 10) == 0
