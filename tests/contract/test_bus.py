"""The contract of `ports/bus.py`, on nodes joined in one process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial

import pytest

from webchat.adapters.memory import MemoryBus, MemoryHub
from webchat.errors import Code, WebchatError


class Heard:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.events: list[object] = []

    def published(self, topic: str, payload: bytes) -> None:
        self.events.append((topic, payload))

    def lost(self) -> None:
        self.events.append("lost")

    def regained(self) -> None:
        self.events.append("regained")


class Node:
    """A node's end of the bus, and what it heard."""

    def __init__(self, hub: MemoryHub) -> None:
        self.bus = MemoryBus(hub)
        self.heard = Heard()
        self.bus.listen(self.heard)


@pytest.fixture
def hub() -> MemoryHub:
    return MemoryHub()


@pytest.fixture
async def nodes(hub: MemoryHub) -> AsyncIterator[list[Node]]:
    joined = [Node(hub) for _ in range(3)]
    yield joined
    for node in joined:
        await node.bus.close()


def publish(node: Node, topic: str, payload: bytes) -> asyncio.Future[int | Exception]:
    future: asyncio.Future[int | Exception] = asyncio.get_running_loop().create_future()
    node.bus.publish((topic,), payload, future.set_result)
    return future


def _remember(done: list[int], number: int, _: object) -> None:
    done.append(number)


async def test_other_nodes_that_subscribed_hear_it_and_the_publisher_does_not(
    nodes: list[Node],
) -> None:
    first, second, third = nodes
    await first.bus.subscribe("group_x")
    await second.bus.subscribe("group_x")
    await third.bus.subscribe("group_y")
    assert await publish(first, "group_x", b"1") == 1
    assert [node.heard.events for node in nodes] == [[], [("group_x", b"1")], []]


async def test_publishes_arrive_and_are_done_in_order(nodes: list[Node]) -> None:
    first, second, _ = nodes
    await second.bus.subscribe("t")
    done: list[int] = []
    asked = [publish(first, "t", bytes([number])) for number in range(10)]
    for number, future in enumerate(asked):
        future.add_done_callback(partial(_remember, done, number))
    await asyncio.gather(*asked)
    await asyncio.sleep(0)
    assert second.heard.events == [("t", bytes([number])) for number in range(10)]
    assert done == list(range(10))


async def test_who_unsubscribed_or_closed_hears_no_more(nodes: list[Node]) -> None:
    first, second, third = nodes
    await second.bus.subscribe("t")
    await third.bus.subscribe("t")
    second.bus.unsubscribe("t")
    second.bus.unsubscribe("never held")
    await third.bus.close()
    assert await publish(first, "t", b"1") == 0
    assert second.heard.events == third.heard.events == []


async def test_while_the_bus_is_down_publishes_fail_and_nodes_know(
    hub: MemoryHub, nodes: list[Node]
) -> None:
    first, second, _ = nodes
    await second.bus.subscribe("t")
    hub.go_down()
    outcome = await publish(first, "t", b"lost")
    assert isinstance(outcome, WebchatError)
    assert outcome.code is Code.UNAVAILABLE
    with pytest.raises(WebchatError):
        await second.bus.subscribe("u")
    assert await first.bus.trouble()
    assert second.heard.events == ["lost"]


async def test_when_the_bus_is_back_topics_are_held_as_before(
    hub: MemoryHub, nodes: list[Node]
) -> None:
    first, second, _ = nodes
    await second.bus.subscribe("t")
    hub.go_down()
    hub.come_back()
    await publish(first, "t", b"1")
    assert not await first.bus.trouble()
    assert second.heard.events == ["lost", "regained", ("t", b"1")]


async def test_a_lone_node_is_done_at_once() -> None:
    node = Node(MemoryHub())
    await node.bus.subscribe("t")
    done: list[int | Exception] = []
    node.bus.publish(("t",), b"1", done.append)
    node.bus.publish(("t",), b"2")
    assert done == [0]
    assert node.heard.events == []
