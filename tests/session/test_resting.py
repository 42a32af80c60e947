"""Connections that rest: of them nothing is read for a while, and nothing else changes."""

from __future__ import annotations

import asyncio

import pytest

from tests.session.world import EngineWorld, FakeWire, turn
from webchat.errors import Closing
from webchat.session.endpoint import EngineSettings

_SETTINGS = EngineSettings(rest_ms=1_000, ping_interval_ms=25_000, ping_timeout_ms=20_000)


@pytest.fixture
async def world() -> EngineWorld:
    return EngineWorld(_SETTINGS)


async def test_who_rests_is_not_read_and_then_goes_on(world: EngineWorld) -> None:
    connection, wire = world.by_websocket()
    held = []
    for rests, seconds in ((True, 0.9), (True, 0.2), (False, 5), (True, 0.9)):
        if rests:
            connection.rest()
        world.clock.advance(seconds)
        held.append(wire.is_held)
    assert held == [True, False, False, True]


async def test_what_comes_meanwhile_counts_and_is_answered(world: EngineWorld) -> None:
    connection, wire = world.by_websocket()
    connection.rest()
    wire.says("4it had come already")
    await turn()
    assert wire.sent == ["4it had come already"]


@pytest.mark.parametrize("engine", [3, 4])
async def test_who_rests_and_rests_is_not_taken_for_silent(world: EngineWorld, engine: int) -> None:
    connection, wire = world.by_websocket(engine=engine)
    for _ in range(200):
        connection.rest()
        world.clock.advance(1)
        await turn()
    assert connection.is_open
    assert wire.sent.count("2") == (8 if engine == 4 else 0)


@pytest.mark.parametrize("engine", [3, 4])
async def test_a_rest_that_is_longer_than_all_waits_ends_nothing(engine: int) -> None:
    world = EngineWorld(EngineSettings(rest_ms=2_000, ping_interval_ms=300, ping_timeout_ms=200))
    connection, wire = world.by_websocket(engine=engine)
    connection.rest()
    world.clock.advance(1.9)
    await turn()
    assert connection.is_open
    if engine == 4:
        assert wire.sent.count("2") >= 4


@pytest.mark.parametrize("engine", [3, 4])
async def test_who_is_silent_after_a_rest_is_gone_in_time(world: EngineWorld, engine: int) -> None:
    connection, wire = world.by_websocket(engine=engine)
    world.clock.advance(24.5)
    connection.rest()
    world.clock.advance(1 + 25 + 20)
    assert not connection.is_open
    assert wire.closed == (1001, "ping timeout")


async def test_a_post_is_answered_after_the_rest(world: EngineWorld) -> None:
    connection = world.by_polling()
    connection.rest()
    answered = asyncio.ensure_future(connection.payload(b"4a\x1e4b"))
    await turn()
    assert world.applications[0].messages == ["4a", "4b"]
    assert not answered.done()
    world.clock.advance(1)
    assert await answered


async def test_a_long_post_is_taken_in_parts_with_rests_between(world: EngineWorld) -> None:
    connection = world.by_polling()
    connection.rest()
    answered = asyncio.ensure_future(connection.payload(b"\x1e".join([b"4a"] * 1_000)))
    for _ in range(3):
        await turn()
    assert len(world.applications[0].messages) < 100
    world.clock.advance(1)
    assert await answered
    assert len(world.applications[0].messages) == 1_000


async def test_a_post_does_not_outlast_its_connection(world: EngineWorld) -> None:
    connection = world.by_polling()
    connection.rest()
    answered = asyncio.ensure_future(connection.payload(b"4a"))
    await turn()
    world.endpoint.drain()
    assert await answered


async def test_who_rests_as_it_upgrades_rests_on(world: EngineWorld) -> None:
    connection, wire = world.by_polling(), FakeWire()
    connection.offer(wire)
    connection.rest()
    wire.says("2probe", "5")
    assert wire.is_held
    world.clock.advance(1)
    assert not wire.is_held


async def test_who_is_closed_rests_no_more(world: EngineWorld) -> None:
    connection, wire = world.by_websocket()
    connection.rest()
    connection.close(Closing.SERVER_DRAINING, "going")
    assert wire.closed is not None
    assert connection not in world.endpoint.resting
    connection.rest()
    assert connection not in world.endpoint.resting
    world.clock.advance(2)


async def test_at_the_end_nobody_is_waited_for(world: EngineWorld) -> None:
    connection = world.by_polling()
    connection.rest()
    waiting = asyncio.ensure_future(world.endpoint.resting.over(connection))
    await turn()
    world.endpoint.abandon()
    await waiting
