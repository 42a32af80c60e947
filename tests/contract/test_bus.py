"""The contract of `ports/bus.py`, on nodes joined in one process and on nodes joined by Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Protocol

import pytest

from tests.contract.hearing import Node, publish
from tests.engines.redis import RedisServer
from tests.memory import MemoryBus, MemoryHub
from webchat.adapters.memory import LoneBus, LoopClock
from webchat.adapters.redis import RedisBus, RedisBusSettings
from webchat.errors import Code, WebchatError
from webchat.ports.bus import Bus


class Net(Protocol):
    """What joins nodes; it can be taken down and brought back."""

    def join(self) -> Bus:
        """Another node's end, not opened yet."""

    def go_down(self) -> None:
        """Nothing is passed on any more."""

    def come_back(self) -> None:
        """All is passed on again."""


class MemoryNet:
    """Nodes of one process."""

    def __init__(self) -> None:
        self._hub = MemoryHub()

    def join(self) -> Bus:
        return MemoryBus(self._hub)

    def go_down(self) -> None:
        self._hub.go_down()

    def come_back(self) -> None:
        self._hub.come_back()


class RedisNet:
    """Nodes joined by a Redis of their own."""

    def __init__(self, server: RedisServer) -> None:
        self._server = server

    def join(self) -> Bus:
        settings = RedisBusSettings(reconnect_min_ms=10, reconnect_max_ms=50)
        return RedisBus(self._server.url, settings, LoopClock(), "a node")

    def go_down(self) -> None:
        self._server.kill()

    def come_back(self) -> None:
        self._server.start()


@pytest.fixture(params=["memory", "redis"])
def net(request: pytest.FixtureRequest) -> Iterator[Net]:
    if request.param == "memory":
        yield MemoryNet()
    else:
        with RedisServer() as server:
            yield RedisNet(server)


@pytest.fixture
async def nodes(net: Net) -> AsyncIterator[list[Node]]:
    joined = [Node(net.join()) for _ in range(3)]
    for node in joined:
        await node.bus.open()
    yield joined
    for node in joined:
        await node.bus.close()


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
    await publish(second, "group_x", b"2")
    await publish(second, "group_y", b"3")
    await first.heard.until(("group_x", b"2"))
    await third.heard.until(("group_y", b"3"))
    assert [node.heard.events for node in nodes] == [
        [("group_x", b"2")],
        [("group_x", b"1")],
        [("group_y", b"3")],
    ]


async def test_publishes_arrive_and_are_done_in_order(nodes: list[Node]) -> None:
    first, second, _ = nodes
    await second.bus.subscribe("t")
    done: list[int] = []
    asked = [publish(first, "t", bytes([number])) for number in range(10)]
    for number, future in enumerate(asked):
        future.add_done_callback(partial(_remember, done, number))
    await asyncio.gather(*asked)
    await second.heard.until(("t", bytes([9])))
    assert second.heard.events == [("t", bytes([number])) for number in range(10)]
    assert done == list(range(10))


async def test_a_publish_on_two_topics_is_done_once_with_all_who_heard(nodes: list[Node]) -> None:
    first, second, third = nodes
    await second.bus.subscribe("user:ann")
    await second.bus.subscribe("user:bob")
    await third.bus.subscribe("user:bob")
    done: list[int | Exception] = []
    first.bus.publish(("user:ann", "user:bob"), b"1", done.append)
    assert await publish(first, "user:cid", b"2") == 0
    assert done == [3]
    await second.heard.until(("user:bob", b"1"))
    assert second.heard.events == [("user:ann", b"1"), ("user:bob", b"1")]


async def test_a_topic_that_is_subscribed_twice_is_held_once(nodes: list[Node]) -> None:
    first, second, _ = nodes
    await asyncio.gather(*(second.bus.subscribe("t") for _ in range(3)))
    await second.bus.subscribe("t")
    assert await publish(first, "t", b"1") == 1
    second.bus.unsubscribe("t")
    await second.bus.subscribe("u")
    assert await publish(first, "t", b"2") == 0


async def test_a_topic_that_is_dropped_and_held_again_is_held(nodes: list[Node]) -> None:
    first, second, _ = nodes
    await second.bus.subscribe("t")
    second.bus.unsubscribe("t")
    await second.bus.subscribe("t")
    assert await publish(first, "t", b"1") == 1
    await second.heard.until(("t", b"1"))


async def test_who_unsubscribed_or_closed_hears_no_more(nodes: list[Node]) -> None:
    first, second, third = nodes
    await second.bus.subscribe("t")
    await third.bus.subscribe("t")
    second.bus.unsubscribe("t")
    second.bus.unsubscribe("never held")
    await second.bus.subscribe("u")
    await third.bus.close()
    await publish(first, "t", b"1")
    await publish(first, "u", b"2")
    await second.heard.until(("u", b"2"))
    assert second.heard.events == [("u", b"2")]
    assert third.heard.events == []


async def test_while_the_bus_is_down_publishes_fail_and_nodes_know(
    net: Net, nodes: list[Node]
) -> None:
    first, second, _ = nodes
    await second.bus.subscribe("t")
    net.go_down()
    await second.heard.until("lost")
    outcome = await publish(first, "t", b"lost")
    assert isinstance(outcome, WebchatError)
    assert outcome.code is Code.UNAVAILABLE
    with pytest.raises(WebchatError):
        await second.bus.subscribe("u")
    assert await first.bus.trouble()
    assert second.heard.events == ["lost"]


async def test_when_the_bus_is_back_topics_are_held_as_before_and_as_asked_meanwhile(
    net: Net, nodes: list[Node]
) -> None:
    first, second, _ = nodes
    await second.bus.subscribe("t")
    await second.bus.subscribe("dropped")
    net.go_down()
    await second.heard.until("lost")
    with pytest.raises(WebchatError):
        await second.bus.subscribe("u")
    second.bus.unsubscribe("dropped")
    net.come_back()
    await first.heard.until("regained")
    await second.heard.until("regained")
    for topic, heard_by in (("t", 1), ("dropped", 0), ("u", 1)):
        assert await publish(first, topic, b"1") == heard_by
    await second.heard.until(("u", b"1"))
    assert not await first.bus.trouble()
    assert second.heard.events == ["lost", "regained", ("t", b"1"), ("u", b"1")]


async def test_a_publish_on_no_topic_is_done_at_once(nodes: list[Node]) -> None:
    done: list[int | Exception] = []
    nodes[0].bus.publish((), b"1", done.append)
    await asyncio.sleep(0)
    assert done == [0]


async def test_closing_twice_does_no_harm(nodes: list[Node]) -> None:
    await nodes[0].bus.close()
    await nodes[0].bus.close()


@pytest.mark.parametrize("make", [LoneBus, MemoryBus], ids=["lone", "alone in memory"])
async def test_what_a_lone_node_publishes_is_done_at_once(make: Callable[[], Bus]) -> None:
    node = Node(make())
    await node.bus.open()
    assert node.bus.is_alone
    await node.bus.subscribe("t")
    done: list[int | Exception] = []
    node.bus.publish(("t",), b"1", done.append)
    node.bus.publish(("t",), b"2")
    assert done == [0]
    assert node.heard.events == []
    assert await node.bus.trouble() == ""
    await node.bus.close()
