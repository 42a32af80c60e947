"""What the bus does when its Redis dies, stands still and comes back, and what it carries."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import replace
from functools import partial
from typing import cast

import pytest
import redis
import uvloop

from tests.contract.hearing import publish
from tests.contract.redis_node import SETTINGS, Join, RedisNode, pair
from tests.engines.partition import Partition
from tests.engines.redis import RedisServer
from webchat.adapters.redis import RedisBusSettings
from webchat.adapters.redis.link import Link
from webchat.adapters.redis.subscriptions import Subscriptions
from webchat.errors import Code, WebchatError

MEBIBYTE = 1024 * 1024
CHANNEL = SETTINGS.channel_prefix + "t"
"""On which what is published to the topic `t` is heard."""


def _note(events: list[object], number: int, outcome: int | Exception) -> None:
    events.append((number, isinstance(outcome, WebchatError)))


async def test_a_redis_that_stands_still_fails_what_waits_in_order_and_then_is_lost(
    server: RedisServer, join: Join
) -> None:
    first, second = await pair(server, join)
    server.pause()
    for number in range(5):
        first.bus.publish(("t", "u"), b"x", partial(_note, first.heard.events, number))
    await asyncio.wait_for(first.heard.until("lost"), 2.0)
    assert first.heard.events == [*((number, True) for number in range(5)), "lost"]
    silent = "Redis did not answer within 300 ms"
    assert first.heard.whys == [f"Redis at 127.0.0.1:{server.port}: {silent}"]
    assert min(first.heard.deaf_s) >= SETTINGS.ack_timeout_ms / 1000
    assert silent in await first.bus.trouble()
    assert isinstance(await publish(first, "t", b"y"), WebchatError)
    await second.heard.until("lost")
    server.resume()
    await first.heard.until("regained")
    await second.heard.until("regained")
    assert await publish(first, "t", b"z") == 1
    await second.heard.until(("t", b"z"))


async def test_what_was_given_up_in_a_partition_does_not_arrive_when_it_is_over(
    server: RedisServer, join: Join
) -> None:
    async with Partition(server.port) as partition:
        first, second = join(f"redis://127.0.0.1:{partition.port}"), join(server.url)
        await first.bus.open()
        await second.bus.open()
        await second.bus.subscribe("t")
        partition.begin()
        outcome = await publish(first, "t", b"given up")
        assert isinstance(outcome, WebchatError)
        await first.heard.until("regained")
        await publish(first, "t", b"since")
        await partition.end()
        await publish(first, "t", b"last")
        await second.heard.until(("t", b"last"))
        assert second.heard.events == [("t", b"since"), ("t", b"last")]


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_a_node_that_stood_still_itself_does_not_take_redis_for_dead(
    server: RedisServer, run: Callable[[Coroutine[object, object, None]], None]
) -> None:
    woken, waker = socket.socketpair()

    def stand_still() -> None:
        woken.recv(1)
        time.sleep(2 * SETTINGS.ack_timeout_ms / 1000)
        server.resume()
        server.command("PING")  # it has answered by then what it was asked before

    async def publish_and_stand_still() -> None:
        loop = asyncio.get_running_loop()
        node = RedisNode(server.url)
        await node.bus.open()
        loop.add_reader(woken, stand_still)
        server.pause()
        published = publish(node, "t", b"x")
        loop.call_soon(waker.send, b"!")  # once it is written
        assert await published == 0
        assert await publish(node, "t", b"y") == 0
        assert node.heard.events == []
        loop.remove_reader(woken)
        await node.bus.close()

    with woken, waker:
        run(publish_and_stand_still())


async def test_a_redis_that_stands_still_is_noticed_though_nobody_publishes(
    server: RedisServer, join: Join
) -> None:
    node = join(server.url)
    await node.bus.open()
    server.pause()
    await node.heard.until("lost")
    server.resume()
    await node.heard.until("regained")
    assert node.heard.events == ["lost", "regained"]
    assert await node.bus.trouble() == ""


async def test_while_it_fails_a_publish_asked_by_a_done_is_done_in_its_turn(
    server: RedisServer, join: Join
) -> None:
    node = join(server.url)
    await node.bus.open()
    server.pause()
    order: list[int] = []

    def again(_: int | Exception) -> None:
        order.append(0)
        node.bus.publish(("t",), b"x", lambda _: order.append(2))

    node.bus.publish(("t",), b"x", again)
    node.bus.publish(("t",), b"x", lambda _: order.append(1))
    await node.heard.until("lost")
    assert order == [0, 1, 2]


async def test_a_killed_redis_is_found_again_as_often_as_it_dies(
    server: RedisServer, join: Join
) -> None:
    first, second = await pair(server, join)
    for times in (1, 2, 3):
        server.kill()
        await first.heard.until("lost", times)
        await second.heard.until("lost", times)
        server.start()
        await first.heard.until("regained", times)
        await second.heard.until("regained", times)
        assert await publish(first, "t", bytes([times])) == 1
        await second.heard.until(("t", bytes([times])))
    assert first.redis_bus.stats.reconnects == 3
    assert first.redis_bus.stats.published == 3


async def test_losing_one_of_the_two_connections_renews_both(
    server: RedisServer, join: Join
) -> None:
    node = join(server.url)
    await node.bus.open()
    await node.bus.subscribe("t")
    for times, kind in ((1, "pubsub"), (2, "normal")):
        with redis.Redis(port=server.port) as admin:
            admin.client_kill_filter(_type=kind, skipme=True)
        await node.heard.until("regained", times)
        with redis.Redis(port=server.port) as admin:
            names = [client["name"] for client in admin.client_list()]
        assert names.count("webchat:node_1") == 2
    assert node.heard.events == ["lost", "regained"] * 2


async def test_ten_thousand_topics_are_held_and_subscribed_again(
    server: RedisServer, join: Join
) -> None:
    first, second = await pair(server, join)
    topics = [f"group_{number}" for number in range(10_000)]
    await asyncio.gather(*map(second.bus.subscribe, topics))
    server.kill()
    await second.heard.until("lost")
    server.start()
    await second.heard.until("regained")
    await first.heard.until("regained")
    heard = await asyncio.gather(*(publish(first, topic, b"x") for topic in topics))
    assert heard == [1] * len(topics)
    await second.heard.until(("group_9999", b"x"))


async def test_a_subscription_that_waits_fails_when_the_bus_is_lost_and_is_held(
    server: RedisServer, join: Join
) -> None:
    _, second = await pair(server, join)
    server.pause()
    waiting = asyncio.gather(second.bus.subscribe("u"), second.bus.subscribe("u"))
    with pytest.raises(WebchatError) as refused:
        await waiting
    assert refused.value.code is Code.UNAVAILABLE
    server.resume()
    await second.heard.until("regained")
    later = join(server.url)
    await later.bus.open()
    assert await publish(later, "u", b"x") == 1


async def test_a_node_that_is_too_slow_to_listen_loses_the_bus_and_comes_back(
    server: RedisServer, join: Join
) -> None:
    _, second = await pair(server, join)
    with redis.Redis(port=server.port) as other:
        other.config_set("client-output-buffer-limit", f"pubsub {MEBIBYTE} {MEBIBYTE} 1")
        begun_s = time.monotonic()
        for _ in range(200):  # the loop stands still meanwhile
            other.publish(CHANNEL, b"\x01" + b"a foreign node's tag" + bytes(MEBIBYTE // 4))
        stood_still_s = time.monotonic() - begun_s
    await second.heard.until("lost")
    assert second.heard.deaf_s[0] >= stood_still_s
    await second.heard.until("regained")


async def test_a_burst_of_large_publishes_does_not_take_a_node_off_a_redis_that_answers(
    server: RedisServer, join: Join
) -> None:
    first, second = [join(server.url, replace(SETTINGS, ack_timeout_ms=10_000)) for _ in range(2)]
    for node in (first, second):
        await node.bus.open()
        await node.bus.subscribe("t")
    burst = [publish(first, "t", bytes(MEBIBYTE // 4)) for _ in range(200)]
    assert await asyncio.gather(*burst) == [1] * len(burst)
    await second.heard.until(("t", bytes(MEBIBYTE // 4)), len(burst))
    assert first.heard.events == []


async def test_publishes_beyond_the_bound_fail_instead_of_piling_up(
    server: RedisServer, join: Join
) -> None:
    node = join(server.url, RedisBusSettings(max_unanswered_bytes=100_000))
    await node.bus.open()
    outcomes = await asyncio.gather(*(publish(node, "t", bytes(10_000)) for _ in range(20)))
    assert all(isinstance(outcome, WebchatError) for outcome in outcomes)
    await node.heard.until("regained")
    assert await publish(node, "t", bytes(10_000)) == 0


async def test_payloads_of_another_version_and_of_no_node_are_passed_over(
    server: RedisServer, join: Join
) -> None:
    first, second = await pair(server, join)
    with redis.Redis(port=server.port) as other:
        other.publish(CHANNEL, b"\x02from the future")
        other.publish(CHANNEL, b"")
    await publish(first, "t", b"1")
    await second.heard.until(("t", b"1"))
    assert second.heard.events == [("t", b"1")]


async def test_who_was_counted_hears_what_is_on_its_way_though_it_drops_the_topic(
    server: RedisServer, join: Join
) -> None:
    _, second = await pair(server, join)
    with redis.Redis(port=server.port) as other:
        assert other.publish(CHANNEL, b"\x01" + bytes(8) + b"x") == 1
    second.bus.unsubscribe("t")
    await second.bus.subscribe("u")
    assert second.heard.events == [("t", b"x")]


class LateLink:
    """A link whose replies come when a test says so."""

    def __init__(self) -> None:
        self._waiting: deque[Callable[[object], None]] = deque()

    def send(self, _: bytes, on_reply: Callable[[object], None], replies: int = 1) -> None:
        self._waiting.extend([on_reply] * replies)

    def answer(self) -> None:
        self._waiting.popleft()([b"done"])


async def test_a_node_that_drops_a_topic_counts_itself_until_redis_has_let_go_of_it() -> None:
    """A publish of its own may overtake that on the other link."""
    topics, link = Subscriptions("webchat:", 100), LateLink()
    await topics.restore(cast(Link, link))
    for _ in range(2):
        confirmed = asyncio.ensure_future(topics.confirm("t"))
        await asyncio.sleep(0)
        topics.drop("t")
    for answered in ("subscribed", "left", "subscribed"):
        link.answer()
        assert topics.count_live(["t"]), answered
    link.answer()
    assert not topics.count_live(["t"])
    assert await confirmed


async def test_a_topic_that_was_dropped_is_not_counted_any_more(
    server: RedisServer, join: Join
) -> None:
    first, second = await pair(server, join)
    await first.bus.subscribe("t")
    second.bus.unsubscribe("t")
    await second.bus.subscribe("u")
    assert await publish(second, "t", b"x") == 1


async def test_bytes_that_are_no_text_arrive_as_they_are(server: RedisServer, join: Join) -> None:
    first, second = await pair(server, join)
    payload = b"\r\n$5\r\n\x00\xff" + os.urandom(100_000)
    assert await publish(first, "t", payload) == 1
    await second.heard.until(("t", payload))


async def test_installations_with_prefixes_of_their_own_do_not_meet(
    server: RedisServer, join: Join
) -> None:
    first, _ = await pair(server, join)
    stranger = join(server.url, RedisBusSettings(channel_prefix="other:"))
    await stranger.bus.open()
    assert await publish(stranger, "t", b"x") == 0
    assert await publish(first, "t", b"x") == 1


async def test_installations_on_databases_of_their_own_do_not_meet(
    server: RedisServer, join: Join
) -> None:
    place = f"redis://127.0.0.1:{server.port}"
    nodes = [join(f"{place}/{db}") for db in (0, 1, 2, 1)]
    for node in nodes:
        await node.bus.open()
        await node.bus.subscribe("t")
    assert await publish(nodes[1], "t", b"x") == 1
    await nodes[3].heard.until(("t", b"x"))
    assert [await publish(nodes[number], "t", b"y") for number in (0, 2)] == [0, 0]


async def test_a_listener_that_fails_does_not_stop_the_bus(server: RedisServer, join: Join) -> None:
    first, second = await pair(server, join)
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda _, context: complaints.append(context["exception"])
    )

    def fail(_: int | Exception) -> None:
        raise ValueError("of the listener")

    first.bus.publish(("t",), b"1", fail)
    assert await publish(first, "t", b"2") == 1
    await second.heard.until(("t", b"2"))
    assert [str(complaint) for complaint in complaints] == ["of the listener"]
