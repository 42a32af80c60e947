"""Start and end of the server, and what answers where."""

from __future__ import annotations

import asyncio
import json
import time

import pytest

from tests.transport.site import ENGINE, POLLING, SOCKET, running
from tests.transport.wire import Wire, eventually, polling_session, request, websocket
from webchat.transport.server import AddressInUse, ServerSettings, bind


async def connected(port: int) -> Wire:
    wire = await websocket(port, SOCKET)
    await wire.message()
    wire.say("40")
    await wire.message()
    assert await wire.message() == '42["auth",{}]'
    return wire


async def test_everything_else_goes_to_the_application() -> None:
    async with running() as site:
        for path in ("/", "/engine.io.x", "/engine.io/more"):
            async with await Wire.connect(site.port) as wire:
                wire.write(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
                head = await wire.reader.readuntil(b"\r\n\r\n")
                assert head.startswith(b"HTTP/1.1 404")
                assert b"server:" not in head.lower()


async def test_two_endpoints_do_not_share_sessions() -> None:
    async with running() as site:
        sid = await polling_session(site.port, "/engine.io/")
        path = f"/socket.io/?EIO=4&transport=polling&sid={sid}"
        assert (await request(site.port, "GET", path)).status == 400


async def test_at_the_end_each_connection_is_told_why_and_when_to_come_back() -> None:
    async with running() as site, await connected(site.port) as wire:
        stopping = asyncio.create_task(site.server.stop(grace_s=3.0))
        error = json.loads(str(await wire.message())[2:])
        assert error[0] == "error"
        assert error[1]["error"]["code"] == "server_draining"
        assert 0 < error[1]["error"]["retry_after_ms"] <= 5_000
        assert await wire.closed() == (1012, "server_draining")
        wire.write(b"\x88\x80\x00\x00\x00\x00")
        assert await wire.ended() == b""
        await stopping


async def test_at_the_end_a_poll_that_waits_is_answered() -> None:
    async with running() as site:
        sid = await polling_session(site.port, "/socket.io/")
        path = f"/socket.io/?EIO=4&transport=polling&sid={sid}"
        await request(site.port, "POST", path, body="40")
        await request(site.port, "GET", path)
        connection = site.sockets.find(sid)
        assert connection is not None
        poll = asyncio.create_task(request(site.port, "GET", path))
        await eventually(lambda: connection.is_polled)
        await site.server.stop(grace_s=3.0)
        assert b"server_draining" in (await poll).body


async def test_the_end_comes_in_time_whoever_does_not_answer() -> None:
    async with running(settings=ServerSettings(close_timeout_ms=60_000)) as site:
        silent = await connected(site.port)
        idle = await Wire.connect(site.port)
        began = time.monotonic()
        await site.server.stop(grace_s=0.5)
        assert time.monotonic() - began < 2.0
        assert len(site.sockets) == 0
        silent.writer.close()
        idle.writer.close()


async def test_a_request_that_never_ends_is_cut_off_without_a_stack_trace(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with running() as site:
        sid = await polling_session(site.port, "/engine.io/")
        async with await Wire.connect(site.port) as wire:
            head = f"POST {POLLING}&sid={sid} HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n"
            wire.write(head.encode())
            (host,) = site.server._hosts
            await eventually(lambda: bool(host.server_state.tasks))
            began = time.monotonic()
            await site.server.stop(grace_s=0.3)
            assert time.monotonic() - began < 1.0
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []


async def test_the_end_does_not_wait_when_everybody_answers() -> None:
    async with running() as site:
        wire = await websocket(site.port, ENGINE)
        began = time.monotonic()
        stopping = asyncio.create_task(site.server.stop(grace_s=10.0))
        await wire.closed()
        wire.writer.close()
        await stopping
        assert time.monotonic() - began < 2.0


async def test_after_the_end_nobody_listens() -> None:
    async with running() as site:
        await site.server.stop(grace_s=1.0)
        with pytest.raises(ConnectionRefusedError):
            await Wire.connect(site.port)


async def test_a_websocket_counts_among_the_server_s_connections_until_it_ends() -> None:
    async with running() as site:
        (host,) = site.server._hosts
        wire = await websocket(site.port, ENGINE)
        assert len(host.server_state.connections) == 1
        wire.writer.close()
        await eventually(lambda: not host.server_state.connections)
        assert len(site.engine) == 0


async def test_a_port_in_use_is_said_in_words() -> None:
    taken = bind("127.0.0.1", 0)
    taken.listen()
    port = taken.getsockname()[1]
    with pytest.raises(AddressInUse, match=f"Port {port} of 127.0.0.1 is in use"):
        bind("127.0.0.1", port)
    taken.close()


async def test_stopping_twice_is_harmless() -> None:
    async with running() as site:
        assert (await request(site.port, "GET", POLLING)).status == 200
        await site.server.stop(grace_s=1.0)
        await site.server.stop(grace_s=1.0)
