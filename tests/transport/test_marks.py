"""Signatures between nodes: of session ids, and of requests that were passed on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

import pytest

from tests.transport.nodes import POLLING, SECRET, WEBSOCKET, Nodes, nodes
from tests.transport.wire import Wire, request, upgrade_request
from webchat.session.sids import Sids
from webchat.transport.marks import Forged, Marks
from webchat.transport.proxy import Caller

SIDS = Sids("node-1", b"key")
MARKS = Marks(b"key")
CLIENT = Caller("2001:db8::1", secure=True)


@pytest.fixture
async def town() -> AsyncIterator[Nodes]:
    async with nodes() as made:
        yield made


def marked(path: str, method: str = "GET", secret: bytes = SECRET) -> dict[str, str]:
    fields = Marks(secret).fields(method.encode(), path.encode(), CLIENT)
    return {name.decode(): value.decode() for name, value in fields}


def test_a_session_id_says_who_made_it() -> None:
    sid = SIDS.new()
    assert SIDS.owner(sid) == "node-1"
    assert Sids("node-2", b"key").owner(sid) == "node-1"
    assert len({SIDS.new() for _ in range(100)}) == 100


def test_a_session_id_that_was_changed_is_nobody_s() -> None:
    sid = SIDS.new()
    for at in range(len(sid)):
        changed = sid[:at] + ("A" if sid[at] != "A" else "B") + sid[at + 1 :]
        assert SIDS.owner(changed) is None
    for other in ("", ".", "..", sid[:-1], sid + "A", sid.upper(), "node-1"):
        assert SIDS.owner(other) is None
    assert Sids("node-1", b"another key").owner(sid) is None


def test_what_any_of_the_shared_keys_has_signed_counts_and_the_first_one_signs() -> None:
    sids, marks = Sids("node-1", b"new", b"key"), Marks(b"new", b"key")
    assert sids.owner(SIDS.new()) == "node-1"
    assert SIDS.owner(sids.new()) is None
    assert marks.client(b"GET", b"/a", as_headers(MARKS.fields(b"GET", b"/a", CLIENT))) == CLIENT
    with pytest.raises(Forged):
        MARKS.client(b"GET", b"/a", as_headers(marks.fields(b"GET", b"/a", CLIENT)))


def test_a_mark_says_who_asks() -> None:
    fields = MARKS.fields(b"GET", b"/a?b=c", CLIENT)
    assert MARKS.client(b"GET", b"/a?b=c", as_headers(fields)) == CLIENT
    assert MARKS.client(b"GET", b"/a?b=c", {"x-forwarded-for": "10.0.0.1"}) is None


@pytest.mark.parametrize(
    ("method", "target", "changed"),
    [
        (b"POST", b"/a", {}),
        (b"GET", b"/a?b", {}),
        (b"GET", b"/a", {"x-forwarded-for": "10.0.0.1"}),
        (b"GET", b"/a", {"x-forwarded-proto": "http"}),
        (b"GET", b"/a", {"x-webchat-relayed": ""}),
        (b"GET", b"/a", {"x-webchat-relayed": "é"}),
    ],
)
def test_a_mark_is_good_for_nothing_else(
    method: bytes, target: bytes, changed: Mapping[str, str]
) -> None:
    headers = {**as_headers(MARKS.fields(b"GET", b"/a", CLIENT)), **changed}
    with pytest.raises(Forged):
        MARKS.client(method, target, headers)


def as_headers(fields: list[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode(): value.decode("latin-1") for name, value in fields}


async def test_a_marked_request_for_a_session_of_another_node_goes_no_further(
    town: Nodes,
) -> None:
    a, b = await town.add("a"), await town.add("b")
    path = f"{POLLING}&sid={Sids('a', SECRET).new()}"
    answer = await request(b.port, "GET", path, headers=marked(path))
    assert (answer.status, answer.json["message"]) == (400, "Session ID unknown")
    path = f"{WEBSOCKET}&sid={Sids('a', SECRET).new()}"
    async with await Wire.connect(b.port) as wire:
        wire.write(upgrade_request(path, marked(path)))
        assert (await wire.answer()).json["message"] == "Session ID unknown"
    (host,) = a.server._hosts
    assert not host.server_state.connections


async def test_a_marked_request_is_its_client_s(town: Nodes) -> None:
    a = await town.add("a")
    answer = await request(a.port, "GET", POLLING, headers=marked(POLLING))
    assert answer.status == 200
    (connection,) = a.engine._connections.values()
    assert connection.request.address == CLIENT.address


async def test_the_page_of_a_client_that_speaks_tls_is_of_an_https_origin(town: Nodes) -> None:
    a = await town.add("a")
    headers = {**marked(POLLING), "Origin": "https://localhost"}
    assert (await request(a.port, "GET", POLLING, headers=headers)).status == 200
    headers = {"Origin": "https://localhost"}
    assert (await request(a.port, "GET", POLLING, headers=headers)).status == 403


@pytest.mark.parametrize("path", [POLLING, "/anything"])
async def test_a_forged_mark_is_refused(town: Nodes, path: str) -> None:
    a = await town.add("a")
    forged = marked(path, secret=b"another key")
    assert (await request(a.port, "GET", path, headers=forged)).status == 400
    assert a.requests == []
    assert len(a.engine) == 0


async def test_a_forged_mark_on_an_upgrade_is_refused(town: Nodes) -> None:
    a = await town.add("a")
    async with await Wire.connect(a.port) as wire:
        wire.write(upgrade_request(WEBSOCKET, marked(WEBSOCKET, secret=b"another key")))
        assert (await wire.answer()).status == 400


async def test_what_a_client_says_of_its_address_does_not_go_on(town: Nodes) -> None:
    chat, web = await town.add("a", "chat"), await town.add("w", "web")
    headers = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}
    assert (await request(web.port, "GET", "/api/me", headers=headers)).status == 200
    (asked,) = chat.requests
    assert asked["client"][0] == "127.0.0.1"
    assert asked["scheme"] == "http"
