"""What one HTTP connection can cost the server: in memory, in time, and at others' expense."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from typing import Any

import pytest

from tests.memory import ManualClock
from tests.transport.site import POLLING, Running, running
from tests.transport.wire import TIMEOUT_S, Wire, eventually, polling_session
from webchat.transport.asgi import Receive, Scope, Send, read_body, respond
from webchat.transport.server import ServerSettings
from webchat.transport.unread import unread_bytes

GET = b"GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n"
CHUNKED = b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
BIG = b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n"
BIG_BYTES = 16_000_000
UPLOAD = b"POST /nothing HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n"


class Echo:
    """Answers with what it was sent and the names of its headers; /big with 16 MB, /nothing before
    its body came."""

    def __init__(self) -> None:
        self.heads: list[list[tuple[bytes, bytes]]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.heads.append(scope["headers"])
        if scope["path"] == "/big":
            await respond(send, 200, bytes(BIG_BYTES), [])
        elif scope["path"] == "/nothing":
            await respond(send, 404, b"", [])
        else:
            body = await read_body(receive, 1_000_000, TIMEOUT_S)
            if body is not None:
                await respond(send, 200, body, [])


def connection(site: Running) -> Any:
    """The server's end of the only connection."""
    (host,) = site.server._hosts
    (only,) = host.server_state.connections
    return only


async def connected(port: int) -> socket.socket:
    """A client whose kernel takes next to nothing that it does not read."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    client.setblocking(False)
    await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", port))
    return client


async def cut_off(wire: Wire) -> None:
    """Return once the server has ended the connection, in whatever way."""
    with contextlib.suppress(ConnectionResetError):
        await wire.ended()


async def test_a_trailer_is_no_header() -> None:
    app = Echo()
    async with running(app=app) as site, await Wire.connect(site.port) as wire:
        wire.write(CHUNKED + b"2\r\nhi\r\n0\r\nAuthorization: Bearer t\r\nOrigin: http://b\r\n\r\n")
        assert (await wire.answer()).body == b"hi"
        wire.write(GET)
        assert (await wire.answer()).status == 404
    assert [[name for name, _ in head] for head in app.heads] == [
        [b"host", b"transfer-encoding"], [b"host"],
    ]  # fmt: skip


@pytest.mark.parametrize("line", [b"X: y\r\n", b"x" * 100], ids=["many", "one without an end"])
@pytest.mark.parametrize("path", [b"/echo", b"/nothing"])
async def test_trailers_that_are_too_big_end_the_connection(path: bytes, line: bytes) -> None:
    settings = ServerSettings(max_head_bytes=4_096)
    async with (
        running(settings=settings, app=Echo()) as site,
        await Wire.connect(site.port) as wire,
    ):
        wire.write(CHUNKED.replace(b"/echo", path) + b"0\r\nX: ")
        wire.write(line * (10_000 // len(line)))
        await cut_off(wire)


async def test_a_body_is_no_overhead_however_it_is_cut() -> None:
    settings = ServerSettings(max_head_bytes=4_096)
    body = b"x" * 20_000
    async with (
        running(settings=settings, app=Echo()) as site,
        await Wire.connect(site.port) as wire,
    ):
        wire.write(CHUNKED + b"1\r\nx\r\n" * len(body) + b"0\r\n\r\n")
        assert (await wire.answer()).body == body
        wire.write(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\n" + body)
        assert (await wire.answer()).body == body


@pytest.mark.parametrize("upgrade", ["h2c", "websocket, h2c"])
async def test_the_body_of_a_request_for_an_upgrade_is_no_request(upgrade: str) -> None:
    app = Echo()
    async with running(app=app) as site, await Wire.connect(site.port) as wire:
        head = f"POST /echo HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: {upgrade}\r\n"
        wire.write(head.encode() + b"Content-Length: %d\r\n\r\n" % len(GET))
        await eventually(lambda: len(app.heads) == 1)
        wire.write(GET)
        answer = await wire.answer()
        assert (answer.status, answer.body) == (200, GET)
        wire.write(GET)
        assert (await wire.answer()).status == 404
    assert len(app.heads) == 2


async def test_a_request_behind_an_upgrade_that_is_not_taken_is_answered() -> None:
    upgrade = GET.replace(b"Host", b"Connection: Upgrade\r\nUpgrade: h2c\r\nHost")
    async with running() as site, await Wire.connect(site.port) as wire:
        wire.write(upgrade + GET)
        for _ in range(2):
            assert (await wire.reader.readuntil(b"0\r\n\r\n")).startswith(b"HTTP/1.1 404")


@pytest.mark.parametrize("target", [b"/a", b"a:443", b"http://a/b"])
async def test_a_tunnel_is_refused(target: bytes) -> None:
    async with running() as site, await Wire.connect(site.port) as wire:
        wire.write(b"CONNECT %b HTTP/1.1\r\nHost: a\r\n\r\n" % target)
        assert (await wire.answer()).status == 400
        assert await wire.ended() == b""


async def test_more_requests_than_anybody_sends_at_once_end_the_connection() -> None:
    settings = ServerSettings(max_pipelined=4)
    async with (
        running(settings=settings, app=Echo()) as site,
        await Wire.connect(site.port) as wire,
    ):
        wire.write(GET * 5)
        for _ in range(5):
            assert (await wire.answer()).status == 404
        wire.write(GET * 6)
        await cut_off(wire)


@pytest.mark.parametrize("drops", [0, 1, 3])
async def test_the_rest_of_a_body_has_to_come_in_time_once_it_is_answered(drops: int) -> None:
    clock = ManualClock()
    async with running(clock=clock, app=Echo()) as site, await Wire.connect(site.port) as wire:
        wire.write(UPLOAD.replace(b"3", b"1000"))
        assert (await wire.answer()).status == 404
        for _ in range(drops):
            wire.write(b"x")
            clock.advance(3)
        clock.advance(10)
        await cut_off(wire)


@pytest.mark.parametrize("rest", [b"", b"\r\n"])
async def test_a_body_that_comes_whole_after_its_answer_leaves_the_connection_idle(
    rest: bytes,
) -> None:
    clock = ManualClock()
    async with running(clock=clock, app=Echo()) as site, await Wire.connect(site.port) as wire:
        wire.write(UPLOAD)
        assert (await wire.answer()).status == 404
        await eventually(lambda: len(site.server._heads) == 1)
        wire.write(b"abc" + rest)
        await eventually(lambda: len(site.server._heads) == 0)
        clock.advance(70)
        wire.write(GET)
        assert (await wire.answer()).status == 404
        wire.write(rest)
        clock.advance(75)
        await cut_off(wire)


async def test_an_idle_connection_is_kept_as_long_as_is_said_however_often_it_is_used() -> None:
    clock = ManualClock()
    async with running(clock=clock, app=Echo()) as site, await Wire.connect(site.port) as wire:
        for _ in range(4):
            wire.write(GET)
            assert (await wire.answer()).status == 404
            clock.advance(74)
        clock.advance(1)
        assert await wire.ended() == b""


@pytest.mark.parametrize("option", [b"keep-alive", b"close"])
@pytest.mark.parametrize("times", [1, 3])
async def test_a_reader_that_reads_nothing_is_cut_off(option: bytes, times: int) -> None:
    clock = ManualClock()
    async with running(clock=clock, app=Echo()) as site:
        with await connected(site.port) as client:
            ask = BIG.replace(b"Host", b"Connection: %b\r\nHost" % option)
            await asyncio.get_running_loop().sock_sendall(client, ask * times)
            (host,) = site.server._hosts
            await eventually(lambda: bool(host.server_state.connections))
            end = connection(site)
            await eventually(lambda: end.flow.write_paused or end.transport.is_closing())
            for _ in range(4):
                clock.advance(30)
            await eventually(lambda: not host.server_state.connections)


async def test_a_reader_that_reads_slowly_is_served_to_the_end() -> None:
    clock, loop = ManualClock(), asyncio.get_running_loop()
    async with running(clock=clock, app=Echo()) as site:
        with await connected(site.port) as client:
            await loop.sock_sendall(client, BIG)
            got = len(await loop.sock_recv(client, 1))
            transport = connection(site).transport
            unread = [unread_bytes(transport)]
            for _ in range(10):
                for _ in range(20):
                    got += len(await loop.sock_recv(client, 1_000))
                await eventually(lambda: unread_bytes(transport) < unread[-1])
                unread.append(unread_bytes(transport))
                clock.advance(30)
            while got < BIG_BYTES:
                piece = await loop.sock_recv(client, 1_000_000)
                assert piece
                got += len(piece)


async def test_a_pipelining_client_that_stalls_and_goes_leaves_nothing_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with running(app=Echo()) as site:
        (host,) = site.server._hosts
        with await connected(site.port) as client:
            await asyncio.get_running_loop().sock_sendall(client, BIG * 3)
            await eventually(lambda: bool(host.server_state.tasks))
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await eventually(lambda: not host.server_state.connections and not host.server_state.tasks)
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []


async def test_whose_turn_it_is_hears_that_its_client_went_whatever_came_after_it() -> None:
    async with running(app=Echo()) as site:
        sid = await polling_session(site.port, "/engine.io/")
        session = site.engine.find(sid)
        assert session is not None
        async with await Wire.connect(site.port) as wire:
            wire.write(f"GET {POLLING}&sid={sid} HTTP/1.1\r\nHost: a\r\n\r\n".encode() + GET)
            await eventually(lambda: session.is_polled)
        await eventually(lambda: not session.is_polled)


async def test_rubbish_does_not_get_into_the_middle_of_an_answer() -> None:
    half = asyncio.Event()

    async def answer_by_half(scope: Scope, receive: Receive, send: Send) -> None:
        start = {"type": "http.response.start", "status": 200}
        await send({**start, "headers": [(b"content-length", b"1000")]})
        await send({"type": "http.response.body", "body": b"x" * 500, "more_body": True})
        await half.wait()

    async with running(app=answer_by_half) as site, await Wire.connect(site.port) as wire:
        wire.write(GET)
        head = await wire.reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        assert await wire.reader.readexactly(500) == b"x" * 500
        wire.write(b"rubbish\r\n\r\n")
        assert await wire.ended() == b""
        half.set()
