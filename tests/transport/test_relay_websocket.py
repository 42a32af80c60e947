"""WebSockets of sessions that live on another node: joined byte for byte, both ways."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.transport.nodes import POLLING, WEBSOCKET, Nodes, Running, nodes, quick
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
from webchat.ports.nodes import NodeRow
from webchat.session.endpoint import EngineSettings
from webchat.session.sids import Sids
from webchat.transport.origins import any_origin
from webchat.transport.server import bind


@pytest.fixture
async def town() -> AsyncIterator[Nodes]:
    async with nodes() as made:
        yield made


async def upgraded(through: Running, sid: str, rest: bytes = b"") -> Wire:
    """A WebSocket of the session through a node, past the probe and the upgrade."""
    wire = await websocket(through.port, f"{WEBSOCKET}&sid={sid}", rest=text("2probe") + rest)
    assert await wire.message() == "3probe"
    wire.say("5")
    return wire


@asynccontextmanager
async def full_port() -> AsyncIterator[int]:
    """A port where nobody accepts and no more can wait: whoever connects hears nothing."""
    with contextlib.ExitStack() as opened:
        listening = opened.enter_context(bind("127.0.0.1", 0))
        listening.listen(0)
        waiting = opened.enter_context(socket.socket())
        waiting.connect(listening.getsockname())
        yield listening.getsockname()[1]


def connections_of(node: Running) -> int:
    (host,) = node.server._hosts
    return len(host.server_state.connections)


async def test_a_polling_session_is_upgraded_through_another_node(town: Nodes) -> None:
    a, b = await town.add("a"), await town.add("b")
    sid = await polling_session(a.port, "/engine.io/")
    async with await upgraded(b, sid) as wire:
        wire.say("4hello", b"bytes")
        assert await wire.message() == "4hello"
        assert await wire.message() == b"bytes"
        assert len(a.engine) == 1
        assert len(b.engine) == 0
        late = await request(b.port, "GET", f"{POLLING}&sid={sid}")
        assert late.status == 400
    await eventually(lambda: len(a.engine) == 0)
    await eventually(lambda: connections_of(b) == 0)


async def test_a_session_is_upgraded_through_a_node_that_had_not_heard_of_its_own(
    town: Nodes,
) -> None:
    a, b = await town.add("a"), await town.add("b")
    sid = await polling_session(a.port, "/engine.io/")
    town.hide(a)
    async with await upgraded(b, sid) as wire:
        wire.say("4hello")
        assert await wire.message() == "4hello"


async def test_an_upgrade_whose_owner_is_gone_is_refused(town: Nodes) -> None:
    a, b = await town.add("a"), await town.add("b")
    sid = await polling_session(a.port, "/engine.io/")
    await town.lapse(a)
    async with await Wire.connect(b.port) as wire:
        wire.write(upgrade_request(f"{WEBSOCKET}&sid={sid}"))
        answer = await wire.answer()
    assert (answer.status, answer.json) == (400, {"code": 1, "message": "Session ID unknown"})


async def test_what_comes_with_the_request_s_head_goes_on_with_it(town: Nodes) -> None:
    a, b = await town.add("a"), await town.add("b")
    sid = await polling_session(a.port, "/engine.io/")
    wire = await websocket(
        b.port, f"{WEBSOCKET}&sid={sid}", rest=text("2probe") + text("5") + text("4early")
    )
    async with wire:
        assert await wire.message() == "3probe"
        assert await wire.message() == "4early"


async def test_a_request_that_comes_in_single_bytes_goes_on(town: Nodes) -> None:
    a, b = await town.add("a"), await town.add("b")
    sid = await polling_session(a.port, "/engine.io/")
    async with await Wire.connect(b.port) as wire:
        for byte in upgrade_request(f"{WEBSOCKET}&sid={sid}") + text("2probe"):
            wire.write(bytes((byte,)))
            await asyncio.sleep(0)
        assert (await wire.answer()).status == 101
        assert await wire.message() == "3probe"


async def test_large_messages_come_back_whole(town: Nodes) -> None:
    a, b = await town.add("a"), await town.add("b")
    sid = await polling_session(a.port, "/engine.io/")
    async with await upgraded(b, sid) as wire:
        message = "4" + "x" * 900_000
        wire.say(message)
        assert await wire.message() == message


async def test_the_close_handshake_goes_both_ways(town: Nodes) -> None:
    a, b = await town.add("a"), await town.add("b")
    sid = await polling_session(a.port, "/engine.io/")
    async with await upgraded(b, sid) as wire:
        wire.write(frame(0x88, (1000).to_bytes(2, "big") + b"bye"))
        assert await wire.closed() == (1000, "bye")
        assert await wire.ended() == b""
    await eventually(lambda: connections_of(a) == connections_of(b) == 0)


async def test_a_client_that_says_no_more_still_hears_the_rest(town: Nodes) -> None:
    a, b = await town.add("a"), await town.add("b")
    sid = await polling_session(a.port, "/engine.io/")
    async with await upgraded(b, sid) as wire:
        wire.say("4last")
        wire.writer.write_eof()
        assert await wire.message() == "4last"
        assert await wire.ended() == b""
    await eventually(lambda: connections_of(a) == connections_of(b) == 0)


async def test_a_client_that_is_cut_off_is_gone_at_the_owner_too(town: Nodes) -> None:
    a, b = await town.add("a"), await town.add("b")
    sid = await polling_session(a.port, "/engine.io/")
    wire = await upgraded(b, sid)
    await eventually(lambda: connections_of(b) == 1)
    wire.writer.transport.abort()
    await eventually(lambda: len(a.engine) == 0)
    await eventually(lambda: connections_of(a) == connections_of(b) == 0)


async def test_an_owner_that_cuts_off_ends_the_client_s_connection(town: Nodes) -> None:
    a, b = await town.add("a"), await town.add("b")
    sid = await polling_session(a.port, "/engine.io/")
    async with await upgraded(b, sid) as wire:
        wire.say("4hello")
        await wire.message()
        (host,) = a.server._hosts
        for connection in list(host.server_state.connections):
            connection.abort()  # type: ignore[union-attr]
        assert await wire.ended() == b""


async def test_a_reader_that_stalls_slows_the_owner_down_and_is_closed_there() -> None:
    engine = EngineSettings(max_outbox_bytes=200_000, max_payload_bytes=100_000)
    async with nodes(engine=engine, relay=quick()) as town:
        a, b = await town.add("a"), await town.add("b")
        sid = await polling_session(a.port, "/engine.io/")
        async with await upgraded(b, sid) as wire:
            flood = text("4" + "x" * 50_000)

            # The echo is never read: the buffers on the way fill, then the owner's outbox does.
            def is_closed() -> bool:
                wire.write(flood)
                return len(a.engine) == 0

            await eventually(is_closed)


async def test_the_refusal_of_the_owner_comes_back_and_the_connection_ends(town: Nodes) -> None:
    a, b = await town.add("a"), await town.add("b")
    sid = await polling_session(a.port, "/engine.io/")
    async with await Wire.connect(b.port) as wire:
        wire.write(upgrade_request(f"{WEBSOCKET}&sid={sid}", {"Sec-WebSocket-Version": "8"}))
        assert (await wire.answer()).status == 426
        assert await wire.ended() == b""


async def test_the_owner_checks_the_origin_of_an_upgrade_too(town: Nodes) -> None:
    a = await town.add("a")
    lenient = await town.add("b", allowed=any_origin)
    sid = await polling_session(a.port, "/engine.io/")
    headers = {"Origin": "http://page.example"}
    async with await Wire.connect(lenient.port) as wire:
        wire.write(upgrade_request(f"{WEBSOCKET}&sid={sid}", headers))
        assert (await wire.answer()).status == 403


@pytest.mark.parametrize("secret", [b"another key", b"the key of this store"])
async def test_an_upgrade_of_a_forged_or_a_past_session_is_refused(
    town: Nodes, secret: bytes
) -> None:
    await town.add("a")
    b = await town.add("b")
    async with await Wire.connect(b.port) as wire:
        wire.write(upgrade_request(f"{WEBSOCKET}&sid={Sids('a', secret).new()}"))
        answer = await wire.answer()
        assert (answer.status, answer.json["message"]) == (400, "Session ID unknown")
        assert await wire.ended() == b""


async def test_an_upgrade_whose_owner_cannot_be_reached_is_refused_for_now(town: Nodes) -> None:
    a, b = await town.add("a"), await town.add("b")
    sid = await polling_session(a.port, "/engine.io/")
    await a.server.stop(0.1)
    async with await Wire.connect(b.port) as wire:
        wire.write(upgrade_request(f"{WEBSOCKET}&sid={sid}"))
        answer = await wire.answer()
        assert answer.status == 503
        assert answer.headers["retry-after"] == "1"
        assert await wire.ended() == b""
    await eventually(lambda: connections_of(b) == 0)


async def test_an_owner_that_takes_no_connection_in_time_is_not_waited_for() -> None:
    async with nodes(relay=quick(connect_timeout_ms=200)) as town, full_port() as port:
        b = await town.add("b")
        b.peers.rows["a"] = NodeRow("a", "1", f"http://127.0.0.1:{port}", ("chat",), "1", 1, 0)
        sid = Sids("a", b"the key of this store").new()
        async with await Wire.connect(b.port) as wire:
            wire.write(upgrade_request(f"{WEBSOCKET}&sid={sid}"))
            assert (await wire.answer()).status == 503


async def test_when_the_owner_s_lease_lapses_its_clients_are_let_go(town: Nodes) -> None:
    a, b = await town.add("a"), await town.add("b")
    sid = await polling_session(a.port, "/engine.io/")
    async with await upgraded(b, sid) as wire:
        wire.say("4hello")
        await wire.message()
        await town.lapse(a)
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await wire.frame()


async def test_clients_of_a_node_that_was_started_anew_stay_when_its_former_lease_lapses(
    town: Nodes,
) -> None:
    a, b = await town.add("a"), await town.add("b")
    sid = await polling_session(a.port, "/engine.io/")
    async with await upgraded(b, sid) as wire:
        await town.lapse_of_predecessor(a)
        wire.say("4hello")
        assert await wire.message() == "4hello"


async def test_at_the_end_of_a_node_what_it_passes_on_ends_in_time(town: Nodes) -> None:
    a, b = await town.add("a"), await town.add("b")
    sid = await polling_session(a.port, "/engine.io/")
    async with await upgraded(b, sid) as wire:
        wire.say("4hello")
        await wire.message()
        async with asyncio.timeout(2.0):
            await b.server.stop(grace_s=1.5)
        assert await wire.ended() == b""
    await eventually(lambda: len(a.engine) == 0)
