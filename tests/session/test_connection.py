"""An Engine.IO connection: heartbeat, polling, close, limits."""

from __future__ import annotations

import asyncio
import json
from itertools import pairwise

import msgspec
import pytest

from tests.session.world import EchoApplication, EngineWorld, FakeWire, a_request, turn
from webchat import tuning
from webchat.config import Settings
from webchat.errors import Closing
from webchat.protocol.engineio import Packet
from webchat.session.connection import State
from webchat.session.endpoint import Busy, EngineSettings
from webchat.session.poll import DuplicatePoll, DuplicatePost


async def test_a_websocket_begins_with_the_handshake() -> None:
    world = EngineWorld()
    connection, wire = world.by_websocket()
    text = wire.writes[0][0]
    assert text[0] == "0"
    assert json.loads(text[1:])["sid"] == connection.sid
    assert json.loads(text[1:])["upgrades"] == []


@pytest.mark.parametrize(
    ("cookies", "kept"),
    [
        ("mine=t", "mine=t"),
        (f"theirs={'x' * 60_000}; mine = t ;flag;mine2=u", "mine=t"),
        ("mine=old; theirs=x; mine=t=1", "mine=t=1"),
        ("theirs=x", None),
        ("mine=t; mine=", None),
        (f"mine={'x' * 5_000}", None),
    ],
)
async def test_of_the_headers_an_open_connection_keeps_its_cookie_alone(
    cookies: str, kept: str | None
) -> None:
    world = EngineWorld(EngineSettings(kept_cookie="mine"))
    headers = {"cookie": cookies, "user-agent": "u" * 200, "origin": "http://a.test"}
    request = msgspec.structs.replace(a_request(), headers=headers)
    connection = world.endpoint.open(request, FakeWire())
    assert connection.request.headers.get("cookie") == kept
    assert len(connection.request.headers) == (kept is not None)


async def test_an_endpoint_that_names_no_cookie_keeps_none() -> None:
    request = msgspec.structs.replace(a_request(), headers={"cookie": "=a; b=c"})
    assert not EngineWorld().endpoint.open(request, FakeWire()).request.headers


async def test_polling_offers_an_upgrade() -> None:
    connection = EngineWorld().endpoint.open(a_request(websocket=False))
    assert json.loads(connection.poll().result()[1:])["upgrades"] == ["websocket"]


async def test_a_ping_comes_each_interval_while_pongs_do() -> None:
    world = EngineWorld()
    _, wire = world.by_websocket()
    for pings in range(1, 4):
        world.clock.advance(25)
        await turn()
        assert wire.sent == ["2"] * pings
        wire.says("3")
    assert wire.closed is None


async def test_without_a_pong_the_connection_is_closed_in_time() -> None:
    world = EngineWorld()
    connection, wire = world.by_websocket()
    world.clock.advance(25)
    world.clock.advance(19.9)
    assert world.endpoint.find(connection.sid) is connection
    world.clock.advance(0.1)
    assert wire.closed == (1001, "ping timeout")
    assert world.endpoint.find(connection.sid) is None
    assert world.applications[0].closings == 1


async def test_a_pong_that_was_not_asked_for_puts_nothing_off() -> None:
    world = EngineWorld()
    _, wire = world.by_websocket()
    world.clock.advance(20)
    wire.says("3")
    world.clock.advance(5)
    await turn()
    assert wire.sent == ["2"]


async def test_in_protocol_3_the_client_pings() -> None:
    world = EngineWorld(EngineSettings(allow_engine3=True))
    _, wire = world.by_websocket(engine=3)
    for _ in range(3):
        world.clock.advance(44)
        wire.says("2")
    await turn()
    assert wire.sent == ["3"] * 3
    world.clock.advance(45)
    assert wire.closed == (1001, "ping timeout")


@pytest.mark.parametrize("text", ["abc", "", "0", "5", "2", "7"])
async def test_what_no_client_may_send_closes(text: str) -> None:
    world = EngineWorld()
    _, wire = world.by_websocket()
    wire.says(text)
    assert wire.closed == (1002, "protocol_error")


async def test_a_noop_is_passed_over() -> None:
    _, wire = EngineWorld().by_websocket()
    wire.says("6", "4a")
    await turn()
    assert wire.sent == ["4a"]


async def test_a_poll_waits_for_something_to_say() -> None:
    connection = EngineWorld().by_polling()
    body = connection.poll()
    await turn()
    assert not body.done()
    assert await connection.payload(b"4a\x1e4b\x1ebAQ==")
    await turn()
    assert body.result() == b"4a\x1e4b\x1ebAQ=="


async def test_an_answer_to_a_poll_has_so_many_packets_at_most() -> None:
    connection = EngineWorld(EngineSettings(max_poll_packets=16)).by_polling()
    for number in range(40):
        connection.outbox.put(Packet(b"4%d" % number))
    answers = [connection.poll().result().split(b"\x1e") for _ in range(3)]
    assert [len(answer) for answer in answers] == [16, 16, 8]
    assert [piece for answer in answers for piece in answer] == [b"4%d" % n for n in range(40)]
    assert not connection.poll().done()
    assert connection.outbox.waiting_bytes == 0


async def test_a_second_poll_at_once_ends_the_connection() -> None:
    world = EngineWorld()
    connection = world.by_polling()
    first = connection.poll()
    with pytest.raises(DuplicatePoll):
        connection.poll()
    assert first.result() == b"1"
    assert world.endpoint.find(connection.sid) is None


async def test_of_many_packets_in_one_payload_each_turn_of_the_loop_has_its_share() -> None:
    world = EngineWorld()
    connection = world.by_polling()
    (application,) = world.applications
    packets = [f"4{number}" for number in range(10_000)]
    posting = asyncio.create_task(connection.payload("\x1e".join(packets).encode()))
    counts = [0]
    while not posting.done():
        await asyncio.sleep(0)
        counts.append(len(application.messages))
    assert await posting
    assert max(after - before for before, after in pairwise(counts)) <= 500
    assert application.messages == packets


@pytest.mark.parametrize("engine", [3, 4])
async def test_of_a_payload_that_breaks_off_the_packets_before_count(engine: int) -> None:
    world = EngineWorld(EngineSettings(allow_engine3=True))
    connection = world.by_polling(engine=engine)
    body = b"2:4a2:4b1:z2:4c" if engine == 3 else b"4a\x1e4b\x1ez\x1e4c"
    assert not await connection.payload(body)
    assert world.applications[0].messages == ["4a", "4b"]
    assert world.endpoint.find(connection.sid) is None


async def test_a_second_post_at_once_ends_the_connection() -> None:
    world = EngineWorld()
    connection = world.by_polling()
    with connection.posting():
        assert await connection.payload(b"4a")
    with connection.posting(), pytest.raises(DuplicatePost), connection.posting():
        pass
    assert world.endpoint.find(connection.sid) is None


async def test_a_malformed_payload_ends_the_connection() -> None:
    world = EngineWorld()
    connection = world.by_polling()
    assert not await connection.payload(b"abc")
    assert world.endpoint.find(connection.sid) is None


async def test_a_client_that_closes_gets_its_poll_back() -> None:
    world = EngineWorld()
    connection = world.by_polling()
    body = connection.poll()
    assert await connection.payload(b"1\x1e4after")
    assert body.result() == b"6"
    assert world.endpoint.find(connection.sid) is None
    assert world.applications[0].messages == []


async def test_a_client_that_leaves_its_poll_is_gone() -> None:
    world = EngineWorld()
    connection = world.by_polling()
    connection.poll_lost(connection.poll())
    assert connection.state is State.CLOSED
    assert world.applications[0].closings == 1


async def test_a_closing_with_a_code_is_said_before_the_close_frame() -> None:
    world = EngineWorld()
    connection, wire = world.by_websocket()
    connection.outbox.put(Packet(b"4queued"))
    connection.close(Closing.SESSION_REVOKED, "Logged out.")
    assert wire.sent == ["4queued", "4bye session_revoked False"]
    assert wire.closed == (1008, "session_revoked")


async def test_a_closing_by_polling_answers_the_poll_that_waits_then_closes_the_next() -> None:
    world = EngineWorld()
    connection = world.by_polling()
    body = connection.poll()
    connection.close(Closing.SERVER_DRAINING, "Restart.", 10)
    assert body.result() == b"4bye server_draining True"
    assert connection.poll().result() == b"1"
    assert world.endpoint.find(connection.sid) is None


async def test_a_closing_by_polling_waits_for_the_last_polls() -> None:
    world = EngineWorld()
    connection = world.by_polling()
    connection.outbox.put(Packet(b"4queued"))
    connection.close(Closing.SESSION_REVOKED, "Logged out.")
    assert world.applications[0].closings == 1
    assert connection.poll().result() == b"4queued\x1e4bye session_revoked False"
    assert connection.poll().result() == b"1"
    assert connection.state is State.CLOSED


async def test_a_last_poll_that_never_comes_is_not_waited_for_long() -> None:
    world = EngineWorld()
    connection = world.by_polling()
    connection.close(Closing.SESSION_REVOKED, "Logged out.")
    world.clock.advance(5)
    assert connection.state is State.CLOSED
    assert len(world.endpoint) == 0


async def test_a_slow_reader_loses_its_queue_and_hears_why() -> None:
    world = EngineWorld(EngineSettings(max_outbox_bytes=1_000))
    connection, wire = world.by_websocket()
    connection.pause(held_bytes=500)
    for _ in range(6):
        connection.outbox.put(Packet(b"4" + b"x" * 99))
    assert wire.closed == (1013, "slow_consumer")
    assert wire.sent == ["4bye slow_consumer False"]
    connection.outbox.put(Packet(b"4late"))
    await turn()
    assert wire.sent == ["4bye slow_consumer False"]


async def test_a_transport_that_holds_too_much_is_a_slow_reader_too() -> None:
    connection, wire = EngineWorld(EngineSettings(max_outbox_bytes=1_000)).by_websocket()
    connection.pause(held_bytes=1_001)
    assert wire.closed == (1013, "slow_consumer")


async def test_a_poller_that_never_polls_is_bounded_too() -> None:
    world = EngineWorld(EngineSettings(max_outbox_bytes=1_000))
    connection = world.by_polling()
    for _ in range(7):
        connection.outbox.put(Packet(b"4" + b"x" * 99))
    assert connection.poll().result() == b"4bye slow_consumer False"


async def test_a_fault_of_our_own_closes_that_connection_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = EngineWorld()
    connection, wire = world.by_websocket()
    _, other = world.by_websocket()

    def fail(_: object) -> None:
        raise ZeroDivisionError

    connection.guarded(fail, None)
    assert wire.closed == (1011, "internal")
    other.says("4a")
    await turn()
    assert other.sent == ["4a"]
    assert "ZeroDivisionError" in caplog.text


async def test_there_is_room_for_so_many_and_no_more() -> None:
    world = EngineWorld(EngineSettings(max_connections=3, max_polling_connections=1))
    polling = world.by_polling()
    with pytest.raises(Busy):
        world.by_polling()
    world.by_websocket()
    wire = FakeWire()
    polling.offer(wire)
    wire.says("2probe", "5")
    world.by_polling()
    with pytest.raises(Busy) as busy:
        world.by_websocket()
    assert 0 < busy.value.retry_after_ms <= 5_000
    wire.says("1")
    world.by_websocket()


async def test_how_many_may_poll_is_a_setting() -> None:
    world = EngineWorld(tuning.engine_settings(Settings(sessions=4, polling_sessions=2)))
    world.by_polling()
    world.by_polling()
    with pytest.raises(Busy):
        world.by_polling()
    world.by_websocket()


async def test_who_polls_and_is_not_let_in_makes_room_for_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = EngineWorld(EngineSettings(max_polling_connections=3))
    inside = world.by_polling()
    monkeypatch.setattr(EchoApplication, "lets_in", False)
    outside = [world.by_polling() for _ in range(4)]
    assert [each.is_open for each in (inside, *outside)] == [True, False, False, True, True]
    for each in outside[2:]:
        each.let_in()
    with pytest.raises(Busy):
        world.by_polling()


async def test_draining_tells_everybody_and_takes_nobody() -> None:
    world = EngineWorld()
    connection, wire = world.by_websocket()
    world.endpoint.drain()
    assert wire.sent == ["4bye server_draining True"]
    assert wire.closed == (1012, "server_draining")
    assert connection.state is State.CLOSED
    with pytest.raises(Busy):
        world.by_websocket()


class FullWire(FakeWire):
    """A WebSocket whose peer takes nothing. `holds`: how much that is, said at the next write."""

    holds = 0

    def send(self, packets: list[Packet]) -> bool:
        super().send(packets)
        holds, self.holds = self.holds, 0
        if holds and self.receiver is not None:
            self.receiver.pause(holds)
        return False


async def test_last_words_that_are_too_much_for_a_slow_reader_are_said_all_the_same() -> None:
    world = EngineWorld(EngineSettings(max_outbox_bytes=1_000))
    slow, other = FullWire(), FakeWire()
    for wire in (slow, other):
        world.endpoint.open(a_request(), wire)
    slow.holds = 1_001
    world.endpoint.drain()
    for wire in (slow, other):
        assert wire.sent == ["4bye server_draining True"]
        assert wire.closed == (1012, "server_draining")
    assert len(world.endpoint) == 0
    assert [each.closings for each in world.applications] == [1, 1]
