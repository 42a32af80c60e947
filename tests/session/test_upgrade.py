"""From polling to a WebSocket: the probe, the move, and what can go wrong in between."""

from __future__ import annotations

import pytest

from tests.session.world import EngineWorld, FakeWire, turn
from webchat.protocol.engineio import Packet
from webchat.session.connection import State


async def test_an_upgrade_releases_the_poll_and_moves_what_waits() -> None:
    world = EngineWorld()
    connection, wire = world.by_polling(), FakeWire()
    body = connection.poll()
    connection.offer(wire)
    wire.says("2probe")
    assert wire.writes == [["3probe"]]
    assert body.result() == b"6"
    connection.outbox.put(Packet(b"4meanwhile"))
    wire.says("5", "4hello")
    await turn()
    assert wire.sent == ["3probe", "4meanwhile", "4hello"]
    assert connection.state is State.WEBSOCKET


async def test_a_limit_holds_for_the_websocket_of_an_upgrade_too() -> None:
    world = EngineWorld()
    connection, wire = world.by_polling(), FakeWire()
    connection.limit(1_000)
    connection.offer(wire)
    assert wire.max_message_bytes == connection.max_bytes == 1_000
    connection.limit(2_000)
    wire.says("2probe", "5")
    assert wire.max_message_bytes == 2_000
    connection.let_in()
    assert wire.max_message_bytes == connection.max_bytes == 1_000_000


async def test_a_poll_during_the_probe_is_released_at_once() -> None:
    connection, wire = EngineWorld().by_polling(), FakeWire()
    connection.offer(wire)
    wire.says("2probe")
    assert connection.poll().result() == b"6"


async def test_a_second_websocket_is_closed_and_the_first_goes_on() -> None:
    connection, wire, second = EngineWorld().by_polling(), FakeWire(), FakeWire()
    connection.offer(wire)
    connection.offer(second)
    assert second.closed is not None
    wire.says("2probe", "5", "4hello")
    third = FakeWire()
    connection.offer(third)
    assert third.closed is not None
    await turn()
    assert wire.sent == ["3probe", "4hello"]


@pytest.mark.parametrize("text", ["5", "4hello", "2", "3probe"])
async def test_a_broken_probe_leaves_polling_as_it_was(text: str) -> None:
    connection, wire = EngineWorld().by_polling(), FakeWire()
    body = connection.poll()
    connection.offer(wire)
    wire.says(text)
    assert wire.closed == (1002, "upgrade failed")
    await connection.payload(b"4still here")
    await turn()
    assert body.result() == b"4still here"
    again = FakeWire()
    connection.offer(again)
    again.says("2probe", "5")
    assert connection.state is State.WEBSOCKET


async def test_a_probe_that_takes_too_long_is_given_up() -> None:
    world = EngineWorld()
    connection, wire = world.by_polling(), FakeWire()
    connection.offer(wire)
    world.clock.advance(10)
    assert wire.closed == (1002, "upgrade failed")
    assert connection.is_open
