"""The library of the seed's page (Engine.IO 3) over its transports: texts, order, heartbeat."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import get_args

import pytest

from tests import http
from tests.servers import Server
from tests.wire.clients import Refused, SeedWire
from tests.wire.people import Device, SeedKind, Town, message, receipt

KINDS: tuple[SeedKind, ...] = get_args(SeedKind)
TEXTS = [
    "안녕하세요, 한글",
    "👋 beyond the first plane 𝄞",
    "ä ö ü ß — “quoted” 'single' \\ \"",
    "Ã¤ looks as if it were encoded twice",
    "é",
    "line\nbreak\ttab \u2028 \x7f",
    "4:not a packet 1:6",
    "<b>&amp;</b>",
]
ORIGIN = "http://localhost:8080"


def wire_of(device: Device) -> SeedWire:
    """The connection below a device of the seed's library."""
    assert isinstance(device.wire, SeedWire)
    return device.wire


@pytest.mark.parametrize("kind", KINDS)
async def test_texts_beyond_ascii_arrive_as_they_were_typed(
    open_town: Town, kind: SeedKind
) -> None:
    a, b, c = (open_town.person(name) for name in "abc")
    alice, bob = await open_town.seed_device(a, kind), await open_town.seed_device(b, kind)
    carol = await open_town.device(c, "node-websocket")
    for text in TEXTS:
        await alice.chat(json.dumps(message(a, b, text), ensure_ascii=False))
        assert (await bob.hear("message"))["Body"] == text
        await bob.tell(a, text)
        assert (await alice.hear("message"))["Body"] == text
        await carol.tell(a, text)
        assert (await alice.hear("message"))["Body"] == text
        await alice.chat(json.dumps(message(a, c, text), ensure_ascii=False))
        assert (await carol.hear("message"))["Body"] == text


@pytest.mark.parametrize("kind", KINDS)
async def test_messages_keep_their_order_both_ways(open_town: Town, kind: SeedKind) -> None:
    a, b = open_town.person("a"), open_town.person("b")
    alice, bob = await open_town.seed_device(a, kind), await open_town.seed_device(b, kind)
    numbers = [f"{number} 번" for number in range(60)]
    for number in numbers:
        await alice.wire.emit("chat", json.dumps(message(a, b, number)))
        await bob.wire.emit("chat", json.dumps(message(b, a, number)))
    assert [(await bob.hear("message"))["Body"] for _ in numbers] == numbers
    assert [(await alice.hear("message"))["Body"] for _ in numbers] == numbers


@pytest.mark.parametrize("kind", KINDS)
async def test_a_long_text_beyond_ascii_arrives_whole(open_town: Town, kind: SeedKind) -> None:
    a, b = open_town.person("a"), open_town.person("b")
    alice, bob = await open_town.seed_device(a, kind), await open_town.seed_device(b, kind)
    text = "한" * (16 * 1024 // 3)
    await alice.tell(b, text)
    assert (await bob.hear("message"))["Body"] == text


async def test_it_moves_from_polling_to_websocket(open_town: Town) -> None:
    a = open_town.person("a")
    alice = await open_town.seed_device(a, "seed-upgrade")
    _, args = await alice.wire.inbox.take("upgrade", lambda heard: heard[0] == "upgrade")
    assert args == ["websocket"]
    await alice.tell(a, "over the websocket")


@pytest.mark.parametrize("kind", KINDS)
async def test_what_waits_at_the_join_comes_in_one_go(open_town: Town, kind: SeedKind) -> None:
    a, b = open_town.person("a"), open_town.person("b")
    alice = await open_town.seed_device(a, kind)
    for number in range(100):
        await alice.wire.emit("chat", message(a, b, f"{number} 통"))
    await alice.tell(b, "last")
    bob = await open_town.seed_device(b, kind)
    bodies = [(await bob.hear("message"))["Body"] for _ in range(101)]
    assert bodies == [*(f"{number} 통" for number in range(100)), "last"]


@pytest.mark.parametrize("kind", KINDS)
async def test_errors_reach_who_asked_for_no_ack(open_town: Town, kind: SeedKind) -> None:
    a = open_town.person("a")
    alice = await open_town.seed_device(a, kind)
    await alice.wire.emit("chat", json.dumps(message("somebody-else", a, "x")))
    assert (await alice.hear_error())["code"] == "forbidden"


@pytest.mark.parametrize("kind", KINDS)
async def test_it_comes_back_by_itself_and_may_speak_without_a_join(
    open_town: Town, kind: SeedKind
) -> None:
    a, b = open_town.person("a"), open_town.person("b")
    alice, bob = await open_town.seed_device(a, kind), await open_town.seed_device(b)
    await wire_of(alice).drop()
    await alice.wire.inbox.take("reconnect", lambda heard: heard[0] == "reconnect")
    await bob.tell(a, "while it had not joined")
    await alice.wire.emit("chat", json.dumps(message(a, b, "typed after the reconnect")))
    assert (await bob.hear("message"))["Body"] == "typed after the reconnect"
    assert (await alice.hear("message"))["Body"] == "while it had not joined"


async def test_a_receipt_after_the_reconnect_joins_too(open_town: Town) -> None:
    a, b = open_town.person("a"), open_town.person("b")
    alice = await open_town.seed_device(a, "seed-websocket")
    bob = await open_town.seed_device(b)
    sent = await bob.tell(a, "read me")
    await alice.hear("message")
    await wire_of(alice).drop()
    await alice.wire.inbox.take("reconnect", lambda heard: heard[0] == "reconnect")
    await alice.wire.emit("chat", json.dumps(receipt("display", a, b, MsgID=sent["MsgID"])))
    assert (await bob.hear("display"))["MsgID"] == sent["MsgID"]


@pytest.fixture(scope="module")
def beating_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One in open mode with a quick heartbeat."""
    quick = ("--ping-interval-ms=200", "--ping-timeout-ms=600")
    with Server(tmp_path_factory.mktemp("beating"), "--open", *quick) as server:
        yield server


@pytest.fixture
async def beating_town(beating_server: Server) -> AsyncIterator[Town]:
    town = Town(beating_server, open_mode=True)
    yield town
    await town.close()


@pytest.mark.parametrize("kind", KINDS)
async def test_the_clients_pings_keep_it_alive(beating_town: Town, kind: SeedKind) -> None:
    a, b = beating_town.person("a"), beating_town.person("b")
    alice, bob = await beating_town.seed_device(a, kind), await beating_town.seed_device(b)
    for number in range(5):
        await bob.tell(a, str(number))
        await alice.hear("message", Body=str(number))
        await alice.wire.inbox.take("pong", lambda heard: heard[0] == "pong")
    assert not [name for name, _ in alice.wire.inbox.waiting if name == "disconnect"]


@pytest.mark.parametrize("transport", ["websocket", "polling"])
async def test_secured_mode_lets_no_engine_3_in(town: Town, transport: str) -> None:
    with pytest.raises(Refused, match="400"):
        await SeedWire().start(town.server.url, {"transports": [transport], "reconnection": False})


@pytest.mark.parametrize("version", ["0", "1", "2", "5", "33", "", "x"])
def test_exactly_two_engines_are_spoken(open_server: Server, version: str) -> None:
    query = {"EIO": version, "transport": "polling"}
    assert http.get(f"{open_server.url}/socket.io/", params=query).status_code == 400


def test_polling_from_the_seeds_page_echoes_its_origin(open_server: Server) -> None:
    answer = http.get(
        f"{open_server.url}/socket.io/",
        params={"EIO": "3", "transport": "polling", "b64": "1"},
        headers={"Origin": ORIGIN},
    )
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert answer.headers["Access-Control-Allow-Credentials"] == "true"
    length, _, rest = answer.text.partition(":")
    handshake = json.loads(rest[1 : int(length)])
    assert rest[int(length) :] in ("", "2:40")
    assert handshake["upgrades"] == ["websocket"]
