"""Polling sessions served through whichever node their next request reaches."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from ipaddress import ip_network

import pytest

from tests.transport.nodes import POLLING, Nodes, Running, nodes, quick
from tests.transport.wire import Answer, Wire, eventually, polling_session, request
from webchat.session.endpoint import EngineSettings
from webchat.session.sids import Sids
from webchat.transport.origins import OwnOrListed, any_origin
from webchat.transport.proxy import Proxies

UNKNOWN = {"code": 1, "message": "Session ID unknown"}
PAGE = {"Origin": "http://page.example"}


@pytest.fixture
async def town() -> AsyncIterator[Nodes]:
    async with nodes() as made:
        yield made


def poll_head(sid: str) -> bytes:
    return f"GET {POLLING}&sid={sid} HTTP/1.1\r\nHost: a\r\n\r\n".encode()


def address_of(node: Running, sid: str) -> str:
    connection = node.engine.find(sid)
    assert connection is not None
    return connection.request.address


async def polled_through(node: Running, owner: Running) -> tuple[str, asyncio.Task[Answer]]:
    """A session of `owner`, and a poll for it that waits, by another node."""
    sid = await polling_session(owner.port, "/engine.io/")
    connection = owner.engine.find(sid)
    assert connection is not None
    poll = asyncio.create_task(request(node.port, "GET", f"{POLLING}&sid={sid}"))
    await eventually(lambda: connection.is_polled)
    return sid, poll


async def test_a_session_is_served_whichever_node_its_next_request_reaches(town: Nodes) -> None:
    a, b, c = [await town.add(name) for name in "abc"]
    sid = await polling_session(a.port, "/engine.io/")
    path = f"{POLLING}&sid={sid}"
    for number, node in enumerate((b, c, a, b, c)):
        sent = await request(node.port, "POST", path, body=f"4hello {number}")
        assert (sent.status, sent.body) == (200, b"ok")
    heard = await request(c.port, "GET", path)
    assert heard.status == 200
    assert heard.headers["content-type"] == "text/plain; charset=UTF-8"
    assert heard.body.decode().split("\x1e") == [f"4hello {number}" for number in range(5)]
    assert [len(node.engine) for node in (a, b, c)] == [1, 0, 0]


async def test_a_poll_is_held_until_there_is_something_to_say(town: Nodes) -> None:
    a, b = await town.add("a"), await town.add("b")
    sid, poll = await polled_through(b, a)
    assert not poll.done()
    await request(b.port, "POST", f"{POLLING}&sid={sid}", body="4late")
    assert (await poll).body == b"4late"


async def test_the_owner_hears_that_the_client_of_a_poll_went_away(town: Nodes) -> None:
    a, b = await town.add("a"), await town.add("b")
    sid = await polling_session(a.port, "/engine.io/")
    connection = a.engine.find(sid)
    assert connection is not None
    async with await Wire.connect(b.port) as wire:
        wire.write(poll_head(sid))
        await eventually(lambda: connection.is_polled)
    await eventually(lambda: not connection.is_polled)


async def test_requests_follow_each_other_on_a_kept_connection(town: Nodes) -> None:
    a, b = await town.add("a"), await town.add("b")
    sid = await polling_session(a.port, "/engine.io/")
    (host,) = a.server._hosts
    for number in range(10):
        await request(b.port, "POST", f"{POLLING}&sid={sid}", body=f"4{number}")
    assert len(host.server_state.connections) == 1


async def test_a_kept_connection_that_the_owner_closed_is_replaced() -> None:
    async with nodes() as town:
        a, b = await town.add("a"), await town.add("b")
        sid = await polling_session(a.port, "/engine.io/")
        await request(b.port, "POST", f"{POLLING}&sid={sid}", body="41")
        (host,) = a.server._hosts
        for connection in list(host.server_state.connections):
            connection.abort()  # type: ignore[union-attr]
        await eventually(lambda: not host.server_state.connections)
        heard = await request(b.port, "GET", f"{POLLING}&sid={sid}")
        assert (heard.status, heard.body) == (200, b"41")


async def test_a_poll_whose_answer_is_lost_is_not_asked_for_again() -> None:
    async with nodes() as town:
        a, b = await town.add("a"), await town.add("b")
        sid = await polling_session(a.port, "/engine.io/")
        path = f"{POLLING}&sid={sid}"
        await request(b.port, "POST", path, body="4first")
        await request(b.port, "GET", path)
        connection = a.engine.find(sid)
        assert connection is not None
        poll = asyncio.create_task(request(b.port, "GET", path))
        await eventually(lambda: connection.is_polled)
        (host,) = a.server._hosts
        for each in list(host.server_state.connections):
            each.abort()  # type: ignore[union-attr]
        assert (await poll).status == 503
        await eventually(lambda: not connection.is_polled)


async def test_what_waits_too_long_for_the_next_request_is_closed() -> None:
    async with nodes(relay=quick(idle_ms=100)) as town:
        a, b = await town.add("a"), await town.add("b")
        sid = await polling_session(a.port, "/engine.io/")
        await request(b.port, "POST", f"{POLLING}&sid={sid}", body="41")
        (host,) = a.server._hosts
        await eventually(lambda: not host.server_state.connections)


async def test_a_large_body_goes_through_whole_and_comes_back_whole(town: Nodes) -> None:
    a, b = await town.add("a"), await town.add("b")
    sid = await polling_session(a.port, "/engine.io/")
    message = "4" + "x" * 700_000
    assert (await request(b.port, "POST", f"{POLLING}&sid={sid}", body=message)).status == 200
    assert (await request(b.port, "GET", f"{POLLING}&sid={sid}")).body.decode() == message


async def test_a_body_over_the_limit_is_refused_and_the_session_stays() -> None:
    async with nodes() as town:
        a, b = await town.add("a"), await town.add("b")
        sid = await polling_session(a.port, "/engine.io/")
        path = f"{POLLING}&sid={sid}"
        assert (await request(b.port, "POST", path, body="4" * 1_000_001)).status == 413
        await request(b.port, "POST", path, body="4on")
        assert (await request(b.port, "GET", path)).body == b"4on"


async def test_the_owner_s_own_limit_counts() -> None:
    async with nodes(engine=EngineSettings(max_payload_bytes=1_000)) as town:
        a, b = await town.add("a"), await town.add("b")
        sid = await polling_session(a.port, "/engine.io/")
        path = f"{POLLING}&sid={sid}"
        assert (await request(b.port, "POST", path, body="4" * 1_001)).status == 413
        assert a.engine.find(sid) is not None


async def test_the_refusals_of_the_owner_come_back_as_they_are(town: Nodes) -> None:
    a, b = await town.add("a"), await town.add("b")
    sid = await polling_session(a.port, "/engine.io/")
    put = await request(b.port, "PUT", f"{POLLING}&sid={sid}")
    assert (put.status, put.json) == (400, {"code": 3, "message": "Bad request"})
    other_version = f"/engine.io/?EIO=3&transport=polling&sid={sid}"
    assert (await request(b.port, "GET", other_version)).status == 400


@pytest.mark.parametrize("sid", ["unknown", "a.b.c", "a..", "", ".", "a.AAAAAAAA.%C3%A9%FF"])
async def test_an_id_that_no_node_made_is_refused_at_once(town: Nodes, sid: str) -> None:
    a, b = await town.add("a"), await town.add("b")
    answer = await request(b.port, "GET", f"{POLLING}&sid={sid}")
    assert (answer.status, answer.json) == (400, UNKNOWN)
    (host,) = a.server._hosts
    assert not host.server_state.connections


async def test_an_id_signed_with_another_key_is_refused(town: Nodes) -> None:
    await town.add("a")
    b = await town.add("b")
    forged = Sids("a", b"another key").new()
    assert (await request(b.port, "GET", f"{POLLING}&sid={forged}")).json == UNKNOWN


async def test_a_session_that_is_over_is_unknown_on_its_node_and_through_others(
    town: Nodes,
) -> None:
    a, b = await town.add("a"), await town.add("b")
    gone = Sids("a", b"the key of this store").new()
    for node in (a, b):
        answer = await request(node.port, "GET", f"{POLLING}&sid={gone}")
        assert (answer.status, answer.json) == (400, UNKNOWN)


async def test_the_sessions_of_a_node_that_is_gone_are_unknown(town: Nodes) -> None:
    a, b = await town.add("a"), await town.add("b")
    sid = await polling_session(a.port, "/engine.io/")
    await a.server.stop(0.1)
    await town.lapse(a)
    answer = await request(b.port, "GET", f"{POLLING}&sid={sid}")
    assert (answer.status, answer.json) == (400, UNKNOWN)


async def test_the_sessions_of_a_node_that_was_not_heard_of_yet_are_passed_on(town: Nodes) -> None:
    a, b = await town.add("a"), await town.add("b")
    sid = await polling_session(a.port, "/engine.io/")
    town.hide(a)
    sent = await request(b.port, "POST", f"{POLLING}&sid={sid}", body="4hello")
    assert (sent.status, sent.body) == (200, b"ok")


async def test_a_node_that_cannot_be_reached_is_to_be_asked_again_soon(town: Nodes) -> None:
    a, b = await town.add("a"), await town.add("b")
    sid = await polling_session(a.port, "/engine.io/")
    await a.server.stop(0.1)
    answer = await request(b.port, "GET", f"{POLLING}&sid={sid}", headers={"Host": "b"})
    assert answer.status == 503
    assert answer.headers["retry-after"] == "1"


async def test_a_node_that_does_not_answer_in_time_is_to_be_asked_again_soon() -> None:
    async with nodes(relay=quick(answer_timeout_ms=200)) as town:
        a, b = await town.add("a"), await town.add("b")
        sid = await polling_session(a.port, "/engine.io/")
        answer = await request(b.port, "GET", f"{POLLING}&sid={sid}")
        assert answer.status == 503


async def test_a_poll_through_another_node_ends_when_the_owner_s_lease_lapses(
    town: Nodes,
) -> None:
    a, b = await town.add("a"), await town.add("b")
    _, poll = await polled_through(b, a)
    await town.lapse(a)
    assert (await poll).status == 503


async def test_a_poll_through_another_node_outlives_the_lease_of_its_owner_s_predecessor(
    town: Nodes,
) -> None:
    a, b = await town.add("a"), await town.add("b")
    sid, poll = await polled_through(b, a)
    await town.lapse_of_predecessor(a)
    await request(b.port, "POST", f"{POLLING}&sid={sid}", body="4still here")
    answer = await poll
    assert (answer.status, answer.body) == (200, b"4still here")


async def test_the_client_s_address_and_scheme_come_with_the_request() -> None:
    proxies = Proxies([ip_network("127.0.0.0/8")])
    async with nodes(proxies=proxies, allowed=OwnOrListed()) as town:
        a, b = await town.add("a"), await town.add("b")
        headers = {
            "X-Forwarded-For": "203.0.113.9, 198.51.100.7",
            "X-Forwarded-Proto": "https",
            "Host": "chat.example",
            "Origin": "https://chat.example",
        }
        answer = await request(a.port, "GET", POLLING, headers=headers)
        sid = answer.body.decode().split('"sid":"')[1].split('"')[0]
        assert address_of(a, sid) == "198.51.100.7"
        sent = await request(b.port, "POST", f"{POLLING}&sid={sid}", body="4x", headers=headers)
        assert sent.status == 200
        assert sent.headers["access-control-allow-origin"] == "https://chat.example"


async def test_a_page_of_another_origin_reads_the_relayed_answer() -> None:
    async with nodes(allowed=any_origin) as town:
        a, b = await town.add("a"), await town.add("b")
        sid = await polling_session(a.port, "/engine.io/")
        path = f"{POLLING}&sid={sid}"
        asked = {**PAGE, "Access-Control-Request-Method": "POST"}
        preflight = await request(b.port, "OPTIONS", path, headers=asked)
        assert preflight.status == 204
        sent = await request(b.port, "POST", path, body="4x", headers=PAGE)
        assert sent.headers["access-control-allow-origin"] == PAGE["Origin"]
        assert sent.headers["access-control-allow-credentials"] == "true"


async def test_the_owner_checks_the_origin_too(town: Nodes) -> None:
    a = await town.add("a")
    lenient = await town.add("b", allowed=any_origin)
    sid = await polling_session(a.port, "/engine.io/")
    path = f"{POLLING}&sid={sid}"
    assert (await request(lenient.port, "POST", path, body="4x", headers=PAGE)).status == 403
    assert (await request(lenient.port, "POST", path, body="4x")).status == 200


async def test_header_fields_for_the_connection_alone_do_not_go_on(town: Nodes) -> None:
    chat = await town.add("a", "chat")
    web = await town.add("w", "web")
    headers = {
        "Connection": "keep-alive, X-Mine",
        "X-Mine": "1",
        "Keep-Alive": "timeout=5",
        "X-Yours": "2",
        "Cookie": "session=abc",
    }
    answer = await request(web.port, "POST", "/api/echo?a=1", body="hello", headers=headers)
    assert (answer.status, answer.body) == (200, b"hello")
    assert answer.headers["x-echo"] == "a=1"
    names = {name for name, _ in chat.requests[0]["headers"]}
    assert {b"x-yours", b"cookie", b"host", b"content-length"} <= names
    assert names.isdisjoint({b"connection", b"x-mine", b"keep-alive"})


async def test_the_answer_has_one_date() -> None:
    async with nodes() as town:
        a, b = await town.add("a"), await town.add("b")
        sid = await polling_session(a.port, "/engine.io/")
        async with await Wire.connect(b.port) as wire:
            wire.write(f"POST {POLLING}&sid={sid} HTTP/1.1\r\nHost: a\r\n".encode())
            wire.write(b"Content-Length: 2\r\nConnection: close\r\n\r\n4x")
            answer = await wire.ended()
        assert answer.lower().count(b"\r\ndate:") == 1
