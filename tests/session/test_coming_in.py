"""How long a client may take to come in, and how often it may ask."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from tests.session.world import SocketWorld, turn
from webchat.session.client import SocketSettings
from webchat.session.handler import ConnectRefused

TWO = SocketSettings(namespaces=frozenset({"/", "/custom"}))


async def test_whoever_left_the_last_namespace_has_to_come_back_in_time() -> None:
    world = SocketWorld(SocketSettings(connect_timeout_ms=10_000))
    wire, _ = await world.connected()
    world.clock.advance(20)
    assert wire.closed is None
    wire.says("41")
    world.clock.advance(9.9)
    assert wire.closed is None
    world.clock.advance(0.1)
    assert wire.closed == (1002, "protocol_error")


async def test_whoever_asks_and_leaves_again_and_again_wins_no_time() -> None:
    world = SocketWorld(SocketSettings(connect_timeout_ms=10_000))
    wire = world.by_websocket()
    for _ in range(4):
        world.clock.advance(2.4)
        wire.says("40", "41")
        await turn()
    assert wire.closed is None
    world.clock.advance(0.4)
    assert wire.closed == (1002, "protocol_error")


async def test_whoever_left_one_namespace_and_is_refused_in_another_has_to_come_back_in_time() -> (
    None
):
    world = SocketWorld(replace(TWO, connect_timeout_ms=10_000))
    wire, _ = await world.connected()
    world.handler.decided.clear()
    world.handler.refusal = ConnectRefused("Log in first.", "unauthenticated")
    wire.says("40/custom", "41")
    await turn()
    world.handler.decided.set()
    await turn()
    assert wire.closed is None
    world.clock.advance(10)
    assert wire.closed == (1002, "protocol_error")


async def test_connects_that_come_faster_than_they_end_are_not_piled_up() -> None:
    world = SocketWorld()
    wire = world.by_websocket()
    before = len(asyncio.all_tasks())
    wire.says(*["40", "41"] * 1_000)
    assert len(asyncio.all_tasks()) - before <= 10
    assert wire.closed == (1002, "protocol_error")


async def test_a_client_may_change_its_mind_now_and_again() -> None:
    world = SocketWorld()
    world.handler.decided.set()
    wire = world.by_websocket()
    for _ in range(50):
        wire.says("40", "41", "40", "41")
        await turn()
    wire.says("40")
    await turn()
    assert wire.closed is None
    assert world.handler.calls[-1] == "connected /"


async def test_whoever_never_connects_is_closed() -> None:
    world = SocketWorld(SocketSettings(connect_timeout_ms=10_000))
    wire = world.by_websocket()
    world.clock.advance(10)
    assert wire.closed == (1002, "protocol_error")


async def test_whoever_waits_for_the_decision_is_not_closed_for_it() -> None:
    world = SocketWorld(SocketSettings(connect_timeout_ms=10_000))
    wire = world.by_websocket()
    wire.says("40")
    await turn()
    world.clock.advance(40)
    assert wire.closed is None
    world.handler.decided.set()
    await turn()
    assert world.handler.calls == ["connect / {}", "connected /"]


async def test_whoever_was_refused_late_has_to_ask_again_in_time() -> None:
    world = SocketWorld(SocketSettings(connect_timeout_ms=10_000))
    world.handler.refusal = ConnectRefused("Log in first.", "unauthenticated")
    wire = world.by_websocket()
    wire.says("40")
    await turn()
    world.clock.advance(15)
    world.handler.decided.set()
    await turn()
    assert wire.closed is None
    world.clock.advance(10)
    assert wire.closed == (1002, "protocol_error")
