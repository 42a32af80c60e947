"""Requests that a node passes on to one that plays another role."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import aiohttp
import engineio
import pytest

from tests.transport.nodes import POLLING, WEBSOCKET, Nodes, nodes
from tests.transport.wire import Wire, polling_session, request, text, upgrade_request, websocket
from webchat.ports.nodes import NodeRow
from webchat.session.sids import Sids
from webchat.transport.relay import RelaySettings


@pytest.fixture
async def town() -> AsyncIterator[Nodes]:
    async with nodes() as made:
        yield made


async def test_the_nodes_of_a_role_take_turns(town: Nodes) -> None:
    chats = [await town.add(name, "chat") for name in "abc"]
    await town.add("p", "profile")
    web = await town.add("w", "web")
    for number in range(6):
        answer = await request(web.port, "PUT", f"/api/x?n={number}", body="é")
        assert (answer.status, answer.body.decode()) == (200, "é")
    assert [len(chat.requests) for chat in chats] == [2, 2, 2]
    assert chats[0].requests[0]["method"] == "PUT"


async def test_a_large_answer_comes_through_whole(town: Nodes) -> None:
    await town.add("a", "chat")
    web = await town.add("w", "web")
    answer = await request(web.port, "GET", "/big")
    assert answer.body == b"x" * 1_000_000


async def test_an_answer_to_head_has_no_body_and_the_next_request_is_answered(
    town: Nodes,
) -> None:
    await town.add("a", "chat")
    web = await town.add("w", "web")
    async with await Wire.connect(web.port) as wire:
        wire.write(b"HEAD /big HTTP/1.1\r\nHost: a\r\n\r\n")
        head = await wire.reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        assert b"content-length: 1000000\r\n" in head
        wire.write(b"GET /a?b HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await wire.answer()).headers["x-echo"] == "b"


async def test_a_body_that_is_too_large_is_refused_in_the_words_of_rest(town: Nodes) -> None:
    chat, web = await town.add("a", "chat"), await town.add("w", "web")
    answer = await request(web.port, "POST", "/api/x", body="x" * 1_000_001)
    assert (answer.status, answer.json["code"]) == (413, "too_large")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["connection"] == "close"
    assert chat.requests == []


async def test_a_body_that_does_not_come_is_refused_in_the_words_of_rest() -> None:
    async with nodes(relay=RelaySettings(body_timeout_ms=50)) as town:
        await town.add("a", "chat")
        web = await town.add("w", "web")
        async with await Wire.connect(web.port) as wire:
            wire.write(b"POST /api/x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab")
            answer = await wire.answer()
            assert (answer.status, answer.json["code"]) == (400, "bad_request")
            assert await wire.ended() == b""


async def test_an_answer_that_breaks_off_breaks_off_for_the_client_too(
    town: Nodes, caplog: pytest.LogCaptureFixture
) -> None:
    await town.add("a", "chat")
    web = await town.add("w", "web")
    async with await Wire.connect(web.port) as wire:
        wire.write(b"GET /broken HTTP/1.1\r\nHost: a\r\n\r\n")
        head = await wire.reader.readuntil(b"\r\n\r\n")
        assert b"content-length: 200000\r\n" in head
        assert await wire.ended() == b"x" * 100_000
    assert (await request(web.port, "GET", "/api/me")).status == 200
    assert [record for record in caplog.records if record.exc_info] == []


async def test_an_escaped_path_goes_on_as_it_came(town: Nodes) -> None:
    chat, web = await town.add("a", "chat"), await town.add("w", "web")
    await request(web.port, "GET", "/api/a%2Fb%20c?d=%C3%A9")
    (asked,) = chat.requests
    assert asked["raw_path"] == b"/api/a%2Fb%20c"
    assert asked["query_string"] == b"d=%C3%A9"


async def test_a_node_that_cannot_be_reached_is_passed_over(town: Nodes) -> None:
    a, b = await town.add("a", "chat"), await town.add("b", "chat")
    web = await town.add("w", "web")
    await a.server.stop(0.1)
    for _ in range(4):
        assert (await request(web.port, "POST", "/api/x", body="1")).status == 200
        async with await websocket(web.port, WEBSOCKET) as wire:
            assert str(await wire.message()).startswith("0{")
    assert len(b.requests) == 4


async def test_a_node_of_the_role_that_was_not_heard_of_yet_answers(town: Nodes) -> None:
    web, chat = await town.add("web", "web"), await town.add("chat", "chat")
    town.hide(chat)
    assert (await request(web.port, "GET", "/some")).status == 200
    assert len(chat.requests) == 1


async def test_where_nobody_plays_the_role_it_is_said_so(town: Nodes) -> None:
    await town.add("p", "profile")
    web = await town.add("w", "web")
    answer = await request(web.port, "GET", "/api/me")
    assert answer.status == 503
    assert answer.headers["retry-after"] == "1"
    assert answer.json["code"] == "unavailable"
    async with await Wire.connect(web.port) as wire:
        wire.write(upgrade_request(WEBSOCKET))
        assert (await wire.answer()).status == 503


async def test_sessions_begin_on_different_nodes_and_are_found_again(town: Nodes) -> None:
    chats = [await town.add(name, "chat") for name in "ab"]
    web = await town.add("w", "web")
    sids = [await polling_session(web.port, "/engine.io/") for _ in range(4)]
    assert Counter(sid.split(".")[0] for sid in sids) == {"a": 2, "b": 2}
    for sid in sids:
        await request(web.port, "POST", f"{POLLING}&sid={sid}", body=f"4{sid}")
        assert (await request(web.port, "GET", f"{POLLING}&sid={sid}")).body == f"4{sid}".encode()
        wire = await websocket(web.port, f"{WEBSOCKET}&sid={sid}", rest=text("2probe"))
        async with wire:
            assert await wire.message() == "3probe"
    assert sum(len(chat.engine) for chat in chats) == 4


async def test_a_client_of_another_library_polls_and_upgrades_through_it(town: Nodes) -> None:
    for name in "ab":
        await town.add(name, "chat")
    web = await town.add("w", "web")
    heard: asyncio.Queue[str] = asyncio.Queue()
    async with aiohttp.ClientSession() as http, asyncio.timeout(5.0):
        client = engineio.AsyncClient(http_session=http)
        client.on("message", heard.put)
        await client.connect(f"http://127.0.0.1:{web.port}", engineio_path="engine.io")
        assert client.transport() == "websocket"
        await client.send("hello")
        assert await heard.get() == "hello"
        await client.disconnect()


async def test_a_websocket_begins_on_a_node_of_the_role(town: Nodes) -> None:
    chat, web = await town.add("a", "chat"), await town.add("w", "web")
    async with await websocket(web.port, WEBSOCKET, rest=text("4early")) as wire:
        assert str(await wire.message()).startswith("0{")
        assert await wire.message() == "4early"
        assert len(chat.engine) == 1


@pytest.mark.parametrize("secret", [b"another key", b"the key of this store"])
async def test_a_session_of_no_living_node_is_unknown(town: Nodes, secret: bytes) -> None:
    await town.add("a", "chat")
    web = await town.add("w", "web")
    sid = Sids("gone", secret).new()
    answer = await request(web.port, "GET", f"{POLLING}&sid={sid}")
    assert (answer.status, answer.json["message"]) == (400, "Session ID unknown")
    async with await Wire.connect(web.port) as wire:
        wire.write(upgrade_request(f"{WEBSOCKET}&sid={sid}"))
        assert (await wire.answer()).status == 400


async def test_nothing_goes_in_a_circle(town: Nodes) -> None:
    web, other = await town.add("w", "web"), await town.add("x", "web")
    for node, wrong in ((web, other), (other, web)):
        row = NodeRow("c", "1", wrong.row.url, ("chat",), "1", 1, 0)
        node.peers.rows["c"] = row
    async with asyncio.timeout(3.0):
        assert (await request(web.port, "GET", "/api/me")).status == 400
        async with await Wire.connect(web.port) as wire:
            wire.write(upgrade_request(WEBSOCKET))
            assert (await wire.answer()).status == 404
