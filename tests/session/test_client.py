"""Socket.IO over a connection: namespaces, order, acks, refusals, closings."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.session.world import RecordingHandler, SocketWorld, turn
from webchat.errors import Closing
from webchat.protocol.errors import ProtocolError
from webchat.protocol.socketio import Event, event_packet
from webchat.session.client import SocketSettings
from webchat.session.endpoint import EngineSettings
from webchat.session.handler import ConnectRefused, Socket

TWO = SocketSettings(namespaces=frozenset({"/", "/custom"}))


async def test_a_client_is_connected_once_the_handler_accepts() -> None:
    world = SocketWorld()
    wire = world.by_websocket()
    wire.says('40{"token":"a"}')
    await turn()
    assert world.handler.calls == ["connect / {'token': 'a'}"]
    assert wire.sent == []
    world.handler.decided.set()
    await turn()
    (answer,) = wire.sent
    said = json.loads(answer[2:])
    assert list(said) == ["sid"]
    assert len(said["sid"]) == 20
    assert said["sid"] != json.loads(wire.writes[0][0][1:])["sid"]  # by which it could be polled
    assert world.handler.calls[1:] == ["connected /"]


async def test_events_before_the_decision_wait_in_order() -> None:
    world = SocketWorld()
    wire = world.by_websocket()
    wire.says("40", '42["a"]', '42["b"]')
    await turn()
    assert world.handler.calls == ["connect / {}"]
    world.handler.decided.set()
    await turn()
    wire.says('42["c"]')
    assert world.handler.calls[1:] == [
        "connected /", 'event ["a"]', 'event ["b"]', 'event ["c"]',
    ]  # fmt: skip


async def test_too_many_events_before_the_decision_close() -> None:
    world = SocketWorld(SocketSettings(max_waiting_events=2))
    wire = world.by_websocket()
    wire.says("40", '42["a"]', '42["b"]')
    assert wire.closed is None
    wire.says('42["c"]')
    assert wire.closed == (1002, "protocol_error")


async def test_until_a_client_is_in_its_messages_may_not_be_longer_than_what_may_wait() -> None:
    world = SocketWorld(SocketSettings(max_waiting_bytes=100))
    wire = world.by_websocket()
    assert wire.max_message_bytes == 100 + 1_024
    wire.says("40")
    await turn()
    assert wire.max_message_bytes == 100 + 1_024
    world.handler.decided.set()
    await turn()
    assert wire.max_message_bytes == 1_000_000
    wire.says("41")
    assert wire.max_message_bytes == 1_000_000


async def test_too_many_bytes_before_the_decision_close() -> None:
    world = SocketWorld(SocketSettings(max_waiting_bytes=100))
    wire = world.by_websocket()
    wire.says("40", f'42["{"x" * 90}"]')
    assert wire.closed is None
    wire.says('42["another"]')
    assert wire.closed == (1002, "protocol_error")


async def test_a_refused_client_hears_why_and_may_ask_again() -> None:
    world = SocketWorld()
    world.handler.decided.set()
    world.handler.refusal = ConnectRefused("Log in first.", "unauthenticated")
    wire = world.by_websocket()
    wire.says("40")
    await turn()
    assert wire.sent == ['44{"message":"Log in first.","data":{"code":"unauthenticated"}}']
    world.handler.refusal = None
    wire.says("40")
    await turn()
    assert wire.sent[1].startswith('40{"sid":"')
    assert "disconnected /" not in world.handler.calls


@pytest.mark.parametrize("auth", ['"text"', "[1]", "null", "true", "-1"])
async def test_an_auth_that_is_no_object_is_for_the_handler_to_refuse(auth: str) -> None:
    world = SocketWorld()
    world.handler.decided.set()
    world.handler.refusal = ConnectRefused("Log in first.", "unauthenticated")
    wire = world.by_websocket()
    wire.says(f"40{auth}")
    await turn()
    assert wire.closed is None
    assert wire.sent == ['44{"message":"Log in first.","data":{"code":"unauthenticated"}}']


async def test_an_unknown_namespace_is_refused_without_asking_the_handler() -> None:
    world = SocketWorld()
    wire = world.by_websocket()
    wire.says("40/random")
    await turn()
    assert wire.sent == ['44/random,{"message":"Invalid namespace"}']
    assert world.handler.calls == []


async def test_a_handler_that_fails_refuses_and_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = SocketWorld()
    world.handler.decided.set()
    world.handler.refusal = ZeroDivisionError()
    wire = world.by_websocket()
    wire.says("40")
    await turn()
    assert '"code":"internal"' in wire.sent[0]
    assert "ZeroDivisionError" in caplog.text


async def test_namespaces_come_and_go_by_themselves() -> None:
    world = SocketWorld(TWO)
    world.handler.decided.set()
    wire = world.by_websocket()
    wire.says("40", "40/custom,")
    await turn()
    wire.says("41/custom", '42["still here"]')
    await turn()
    assert world.handler.calls[-2:] == ['event ["still here"]', "disconnected /custom"]
    assert wire.closed is None


@pytest.mark.parametrize(
    "text",
    ["4abc", "42{}", '42abc["a"]', "40", '42/other,["a"]', '451-["a"]4', "4", '44{"a":1}', "43[]"],
)
async def test_a_broken_packet_closes_that_connection_alone(text: str) -> None:
    world = SocketWorld()
    wire, _ = await world.connected()
    other, _ = await world.connected()
    wire.says(text, '42["after"]')
    await turn()
    assert wire.closed == (1002, "protocol_error")
    assert world.handler.calls == ["disconnected /"]
    other.says('42["fine"]')
    assert world.handler.calls[-1] == 'event ["fine"]'


async def test_an_event_before_connect_closes() -> None:
    wire = SocketWorld().by_websocket()
    wire.says('42["a"]')
    assert wire.closed == (1002, "protocol_error")


async def test_an_event_the_handler_finds_broken_closes_with_an_error() -> None:
    world = SocketWorld()
    wire, _ = await world.connected()

    def refuse(socket: Socket, event: Event) -> None:
        raise ProtocolError("no name")

    world.handler.on_event = refuse
    wire.says("42[1]")
    assert wire.closed == (1002, "protocol_error")
    assert json.loads(wire.sent[0][2:]) == [
        "error", {"ok": False, "error": {"code": "protocol_error", "message": "no name"}},
    ]  # fmt: skip


async def test_attachments_are_gathered_before_the_event_is_told() -> None:
    world = SocketWorld()
    wire, _ = await world.connected()
    told: list[Event] = []
    world.handler.on_event = lambda socket, event: told.append(event)
    wire.says('452-7["a",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]')
    assert wire.receiver is not None
    wire.receiver.binary(b"zero")
    assert told == []
    wire.receiver.binary(b"one")
    assert [(event.ack_id, list(event.attachments)) for event in told] == [(7, [b"zero", b"one"])]


async def test_an_attachment_nobody_announced_closes() -> None:
    world = SocketWorld()
    wire, _ = await world.connected()
    assert wire.receiver is not None
    wire.receiver.binary(b"surprise")
    assert wire.closed == (1002, "protocol_error")


async def test_text_instead_of_an_attachment_closes() -> None:
    world = SocketWorld()
    wire, _ = await world.connected()
    wire.says('451-["a",{"_placeholder":true,"num":0}]', '42["b"]')
    assert wire.closed == (1002, "protocol_error")


async def test_attachments_are_bounded_together() -> None:
    world = SocketWorld(SocketSettings(max_attachments_bytes=10))
    wire, _ = await world.connected()
    wire.says('453-["a"]')
    assert wire.receiver is not None
    wire.receiver.binary(bytes(6))
    wire.receiver.binary(bytes(5))
    assert wire.closed == (1002, "protocol_error")


async def test_acks_and_events_bear_the_namespace() -> None:
    world = SocketWorld(TWO)
    world.handler.decided.set()
    wire = world.by_websocket()
    wire.says("40/custom")
    await turn()
    wire.writes.clear()
    (socket,) = world.handler.sockets
    socket.ack(7, b'["ok"]')
    socket.ack_all([8, 9], b'["ok"]')
    socket.emit(event_packet(b'["a"]', namespace="/custom"))
    await turn()
    acks = [f'43/custom,{ack_id}["ok"]' for ack_id in (7, 8, 9)]
    assert wire.writes == [[*acks, '42/custom,["a"]']]


async def test_of_events_answered_alike_those_get_an_ack_that_asked_for_one() -> None:
    world = SocketWorld()
    wire, socket = await world.connected()
    socket.ack_all([None], b"[]")
    await turn()
    assert wire.sent == []
    socket.ack_all([1, None, 3], b'["100 %"]')
    await turn()
    assert wire.sent == ['431["100 %"]', '433["100 %"]']


async def test_a_closing_is_an_error_event_and_a_close_frame_never_a_disconnect() -> None:
    world = SocketWorld()
    wire, socket = await world.connected()
    socket.close(Closing.SESSION_REVOKED, "Logged out.")
    (text,) = wire.sent
    assert text.startswith("42")
    error = {"code": "session_revoked", "message": "Logged out."}
    assert json.loads(text[2:]) == ["error", {"ok": False, "error": error}]
    assert wire.closed == (1008, "session_revoked")


async def test_who_is_closed_since_the_server_ends_hears_when_to_come_back() -> None:
    world = SocketWorld(engine=EngineSettings(drain_spread_ms=1))
    wire, _ = await world.connected()
    world.endpoint.drain()
    (text,) = wire.sent
    error = {"code": "server_draining", "message": "The server is restarting."}
    assert json.loads(text[2:])[1]["error"] == error | {"retry_after_ms": 1}
    assert wire.closed == (1012, "server_draining")


async def test_the_handler_hears_of_the_end_later_and_once() -> None:
    world = SocketWorld()
    wire, socket = await world.connected()
    socket.close(Closing.SESSION_REVOKED, "Logged out.")
    assert socket.closed
    assert world.handler.calls == []
    wire.says("1")
    socket.close(Closing.SESSION_REVOKED, "Again.")
    await turn()
    assert world.handler.calls == ["disconnected /"]


async def test_a_closed_socket_takes_nothing() -> None:
    world = SocketWorld()
    wire, socket = await world.connected()
    wire.says("41")
    socket.emit(event_packet(b'["late"]'))
    socket.ack(1, b"[]")
    socket.ack_all([2], b"[]")
    await asyncio.wait_for(socket.drained(), 1)
    await turn()
    assert wire.sent == []


async def test_who_awaits_drained_goes_on_when_the_connection_ends() -> None:
    world = SocketWorld(engine=EngineSettings(low_water_bytes=10))
    wire, socket = await world.connected()
    assert wire.receiver is not None
    wire.receiver.pause(100)
    assert socket.congested
    waiting = asyncio.create_task(socket.drained())
    await turn()
    assert not waiting.done()
    wire.receiver.lost()
    await turn()
    assert waiting.done()


async def test_a_client_that_goes_while_the_handler_decides_is_never_connected() -> None:
    world = SocketWorld()
    wire = world.by_websocket()
    wire.says("40")
    await turn()
    wire.says("1")
    world.handler.decided.set()
    await turn()
    assert world.handler.calls == ["connect / {}"]
    assert world.handler.sockets[0].closed


class PatientHandler(RecordingHandler):
    """Says how its decisions ended."""

    async def connect(self, socket: Socket, auth: object) -> None:
        try:
            await super().connect(socket, auth)
            self.calls.append("decided")
        except asyncio.CancelledError:
            self.calls.append("broken off")
            raise


@pytest.mark.parametrize("goes", ["41", "1"])
async def test_a_decision_on_a_client_that_goes_is_not_broken_off(goes: str) -> None:
    world = SocketWorld(handler=PatientHandler())
    wire = world.by_websocket()
    wire.says("40")
    await turn()
    wire.says(goes)
    await turn()
    world.handler.decided.set()
    await turn()
    assert world.handler.calls == ["connect / {}", "decided"]
    assert world.handler.sockets[0].closed


async def test_at_the_end_decisions_that_nobody_waits_for_are_broken_off() -> None:
    world = SocketWorld(handler=PatientHandler())
    wire = world.by_websocket()
    wire.says("40")
    await turn()
    wire.says("1")
    await world.application.close()
    assert world.handler.calls == ["connect / {}", "broken off"]


async def test_in_protocol_3_the_root_is_connected_unasked() -> None:
    world = SocketWorld(TWO)
    world.handler.decided.set()
    wire = world.by_websocket(engine=3)
    await turn()
    assert wire.sent == ["40"]
    wire.says("40/custom")
    await turn()
    assert wire.sent == ["40", "40/custom"]
    wire.says('42["a"]')
    assert world.handler.calls[-1] == 'event ["a"]'
    assert wire.receiver is not None
    wire.says('451-["b",{"_placeholder":true,"num":0}]')
    wire.receiver.binary(b"\x04data")
    assert world.handler.calls[-1].startswith('event ["b"')
    wire.says('451-["c",{"_placeholder":true,"num":0}]', "b4AQID")
    assert world.handler.calls[-1].startswith('event ["c"')
