"""A TCP connection on its way from HTTP to WebSocket, and what can go wrong on it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from tests.memory import ManualClock
from tests.transport.site import ENGINE, SOCKET, running
from tests.transport.wire import (
    Wire,
    eventually,
    frame,
    polling_session,
    request,
    text,
    upgrade_request,
    websocket,
)
from webchat.session.endpoint import EngineSettings
from webchat.transport import server
from webchat.transport.server import ServerSettings

UPGRADE = b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"


async def test_bytes_in_the_same_segment_as_the_request_are_not_lost() -> None:
    async with running() as site, await websocket(site.port, ENGINE, rest=text("4early")) as wire:
        assert str(await wire.message()).startswith("0{")
        assert await wire.message() == "4early"


async def test_a_frame_cut_by_the_end_of_the_segment_is_joined() -> None:
    whole = text("4early")
    async with (
        running() as site,
        await websocket(site.port, ENGINE, rest=whole[:5]) as wire,
    ):
        await wire.message()
        wire.write(whole[5:])
        assert await wire.message() == "4early"


async def test_a_request_cut_into_single_bytes_is_accepted() -> None:
    async with running() as site, await Wire.connect(site.port) as wire:
        for byte in upgrade_request(ENGINE):
            wire.write(bytes((byte,)))
            await asyncio.sleep(0)
        assert (await wire.answer()).status == 101


@pytest.mark.parametrize("connection", ["keep-alive, Upgrade", "Upgrade, keep-alive", "upgrade"])
async def test_upgrade_may_be_one_connection_option_of_several(connection: str) -> None:
    headers = {"Connection": connection}
    async with running() as site, await websocket(site.port, ENGINE, headers=headers) as wire:
        assert str(await wire.message()).startswith("0{")


@pytest.mark.parametrize("upgrade_first", [True, False])
async def test_upgrade_may_be_one_connection_line_of_several(upgrade_first: bool) -> None:
    lines = b"Connection: Upgrade\r\n", b"Connection: keep-alive\r\n"
    several = b"".join(lines if upgrade_first else reversed(lines))
    async with running() as site, await Wire.connect(site.port) as wire:
        wire.write(upgrade_request(ENGINE).replace(lines[0], several))
        assert (await wire.answer()).status == 101


async def test_a_websocket_can_follow_requests_on_the_same_connection() -> None:
    async with running() as site, await Wire.connect(site.port) as wire:
        wire.write(b"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n")
        head = await wire.reader.readuntil(b"0\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 404")
        wire.write(upgrade_request(ENGINE))
        assert (await wire.answer()).status == 101
        wire.say("4hello")
        await wire.message()
        assert await wire.message() == "4hello"


async def test_a_websocket_begins_with_http_1_1() -> None:
    async with running() as site, await Wire.connect(site.port) as wire:
        wire.write(upgrade_request(ENGINE).replace(b"HTTP/1.1", b"HTTP/1.0", 1))
        assert (await wire.answer()).status == 400


async def test_compression_is_offered_in_vain() -> None:
    offer = {"Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits"}
    async with running() as site, await Wire.connect(site.port) as wire:
        wire.write(upgrade_request(ENGINE, offer))
        answer = await wire.answer()
        assert answer.status == 101
        assert "sec-websocket-extensions" not in answer.headers


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        (ENGINE, {"Sec-WebSocket-Version": "8"}, 426),
        (ENGINE, {"Sec-WebSocket-Key": "short"}, 400),
        ("/engine.io/?transport=websocket", {}, 400),
        ("/engine.io/?EIO=3&transport=websocket", {}, 400),
        ("/engine.io/?EIO=4&transport=polling", {}, 400),
        ("/engine.io/?EIO=4", {}, 400),
        (f"{ENGINE}&sid=unknown", {}, 400),
        ("/elsewhere", {}, 404),
        (ENGINE, {"Origin": "http://evil.example"}, 403),
    ],
)
async def test_what_cannot_become_a_websocket_is_refused(
    path: str, headers: dict[str, str], status: int
) -> None:
    async with running() as site, await Wire.connect(site.port) as wire:
        wire.write(upgrade_request(path, headers))
        assert (await wire.answer()).status == status
        assert await wire.ended() == b""


async def test_a_page_of_the_own_host_may_connect() -> None:
    headers = {"Origin": "http://localhost"}
    async with running() as site, await websocket(site.port, ENGINE, headers=headers) as wire:
        assert str(await wire.message()).startswith("0{")


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x81\x01a", 1002),
        (frame(0xC1, b"a"), 1002),
        (frame(0x81, b"4\xff"), 1007),
        (frame(0x82, bytes(1_001)), 1009),
        (frame(0x02, bytes(600)) + frame(0x80, bytes(401)), 1009),
        (frame(0x88, (1005).to_bytes(2, "big")), 1002),
    ],
)
async def test_a_breach_is_answered_with_its_code_and_the_end(data: bytes, code: int) -> None:
    settings = EngineSettings(max_payload_bytes=1_000)
    async with running(settings) as site, await websocket(site.port, ENGINE) as wire:
        wire.write(data)
        assert (await wire.closed())[0] == code
        assert await wire.ended() == b""
        assert len(site.engine) == 0


async def test_until_a_client_is_in_a_long_message_is_refused_by_its_head() -> None:
    async with running() as site, await websocket(site.port, SOCKET) as wire:
        wire.write(b"\x81\xff" + (300_000).to_bytes(8, "big") + bytes(4))
        assert (await wire.closed())[0] == 1009
    async with running() as site, await websocket(site.port, SOCKET) as wire:
        await wire.message()
        wire.say("40")
        assert str(await wire.message()).startswith("40{")
        await wire.message()
        wire.say(f'42["message","{"x" * 300_000}"]')
        assert len(await wire.message()) > 300_000


async def test_fragments_are_joined_and_pings_answered_in_between() -> None:
    async with running() as site, await websocket(site.port, ENGINE) as wire:
        await wire.message()
        wire.write(frame(0x01, b"4he") + frame(0x89, b"beat") + frame(0x80, b"llo"))
        assert await wire.frame() == (0xA, b"beat")
        assert await wire.message() == "4hello"


async def test_a_close_is_answered_and_the_connection_ended() -> None:
    async with running() as site, await websocket(site.port, ENGINE) as wire:
        await wire.message()
        wire.write(frame(0x88, (1000).to_bytes(2, "big") + b"bye"))
        assert await wire.closed() == (1000, "bye")
        assert await wire.ended() == b""
        assert len(site.engine) == 0


async def test_a_peer_that_never_answers_the_close_is_cut_off() -> None:
    settings = ServerSettings(close_timeout_ms=100)
    async with running(settings=settings) as site, await websocket(site.port, SOCKET) as wire:
        await wire.message()
        wire.say("4abc")
        assert await wire.closed() == (1002, "protocol_error")
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await wire.frame()


async def test_a_reader_that_stalls_is_closed_before_memory_queues_up() -> None:
    engine = EngineSettings(max_outbox_bytes=200_000, max_payload_bytes=100_000)
    settings = ServerSettings(close_timeout_ms=200)
    async with running(engine, settings) as site, await websocket(site.port, ENGINE) as wire:
        await wire.message()
        flood = text("4" + "x" * 50_000)

        # The echo is never read, so the server's buffers fill, and then it closes.
        def is_closed() -> bool:
            wire.write(flood)
            return len(site.engine) == 0

        await eventually(is_closed)


async def test_a_reader_that_goes_on_reading_hears_why_it_was_closed() -> None:
    engine = EngineSettings(max_outbox_bytes=200_000, max_payload_bytes=100_000)
    async with running(engine) as site, await websocket(site.port, ENGINE) as wire:
        flood = text("4" + "x" * 50_000)

        def is_closed() -> bool:
            wire.write(flood)
            return len(site.engine) == 0

        await wire.message()
        await eventually(is_closed)
        assert await wire.closed() == (1013, "slow_consumer")


async def test_other_connections_do_not_feel_a_stalled_one() -> None:
    async with (
        running() as site,
        await websocket(site.port, ENGINE) as stalled,
        await websocket(site.port, ENGINE) as other,
    ):
        for _ in range(50):
            stalled.write(text("4" + "x" * 50_000))
        await other.message()
        other.say("4hello")
        assert await other.message() == "4hello"


async def test_a_head_that_is_too_big_is_refused() -> None:
    settings = ServerSettings(max_head_bytes=4_096)
    async with running(settings=settings) as site, await Wire.connect(site.port) as wire:
        wire.write(b"GET / HTTP/1.1\r\n")
        for _ in range(5):
            wire.write(b"X-Filler: " + b"x" * 1_000 + b"\r\n")
        assert (await wire.answer()).status == 431


@pytest.mark.parametrize("start", [b"", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nX: "])
async def test_a_head_that_takes_too_long_is_cut_off(start: bytes) -> None:
    settings = ServerSettings(head_timeout_ms=100)
    async with running(settings=settings) as site, await Wire.connect(site.port) as wire:
        wire.write(start)
        assert await wire.ended() == b""


async def test_who_waits_for_its_turn_is_not_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    turns: list[Callable[[], object]] = []

    class Busy:
        def __init__(self, *_: object) -> None:
            pass

        def begin(self, act: Callable[[], object]) -> bool:
            turns.append(act)
            return False

    monkeypatch.setattr(server, "Pacing", Busy)
    clock = ManualClock()
    async with (
        running(clock=clock) as site,
        await Wire.connect(site.port) as whole,
        await Wire.connect(site.port) as cut,
    ):
        whole.write(upgrade_request(ENGINE))
        cut.write(b"GET /")
        await eventually(lambda: len(turns) == 2)
        clock.advance(60)
        for begin in turns:
            begin()
        assert (await whole.answer()).status == 101
        clock.advance(60)
        assert await cut.ended() == b""


async def test_what_is_no_http_is_refused() -> None:
    async with running() as site, await Wire.connect(site.port) as wire:
        wire.write(b"\x16\x03\x01\x02\x00\r\n\r\n")
        assert (await wire.answer()).status == 400


async def test_an_upgrade_to_something_else_is_an_ordinary_request() -> None:
    headers = {"Connection": "Upgrade", "Upgrade": "h2c"}
    async with running() as site:
        path = "/engine.io/?EIO=4&transport=polling"
        assert (await request(site.port, "GET", path, headers=headers)).status == 200


@pytest.mark.parametrize(
    "data",
    [
        b"CONNECT localhost:443 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET * HTTP/1.1\r\n" + UPGRADE,
        b"GET http://[ HTTP/1.1\r\n" + UPGRADE,
        b"GET /engine.io/?\xff HTTP/1.1\r\n" + UPGRADE,
        b"POST / HTTP/1.1\r\nContent-Length: 2\r\n" + UPGRADE + b"hi",
        b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n" + upgrade_request("/elsewhere"),
        upgrade_request(ENGINE)[:-2] + b"Sec-WebSocket-Key: again\r\n\r\n",
    ],
)
async def test_no_request_however_odd_reaches_the_log(
    data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with running() as site:
        async with await Wire.connect(site.port) as wire:
            wire.write(data)
            wire.writer.write_eof()
            await wire.ended()
        async with await websocket(site.port, ENGINE) as other:
            assert str(await other.message()).startswith("0{")
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []


async def test_an_upgrade_behind_a_request_that_is_not_answered_is_refused() -> None:
    poll = b"GET /engine.io/?EIO=4&transport=polling&sid=%b HTTP/1.1\r\nHost: a\r\n\r\n"
    async with running() as site:
        sid = await polling_session(site.port, "/engine.io/")
        async with await Wire.connect(site.port) as wire:
            wire.write(poll % sid.encode() + upgrade_request(ENGINE))
            assert (await wire.answer()).status == 400
        await eventually(lambda: len(site.engine) == 0)
