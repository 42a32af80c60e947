"""What the bus does when its Redis dies, stands still, comes back, or is not fit."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from functools import partial
from pathlib import Path

import pytest
import redis
import uvloop

from tests.contract.hearing import Node, eventually, publish
from tests.engines.partition import Partition
from tests.engines.redis import RedisServer, free_port
from webchat.adapters.memory import LoopClock
from webchat.adapters.redis import RedisBus, RedisBusSettings
from webchat.errors import Code, WebchatError
from webchat.ports.bus import BusRefused

SETTINGS = RedisBusSettings(
    ack_timeout_ms=300, ping_interval_ms=100, reconnect_min_ms=10, reconnect_max_ms=50
)
MEBIBYTE = 1024 * 1024


class RedisNode(Node):
    """A node on Redis."""

    def __init__(self, url: str, settings: RedisBusSettings = SETTINGS) -> None:
        self.redis_bus = RedisBus(url, settings, LoopClock(), "node 1")
        super().__init__(self.redis_bus)


Join = Callable[..., RedisNode]


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with RedisServer() as running:
        yield running


@pytest.fixture
async def join() -> AsyncIterator[Join]:
    """Makes nodes that are closed after the test."""
    nodes: list[RedisNode] = []

    def make(url: str, settings: RedisBusSettings = SETTINGS) -> RedisNode:
        nodes.append(RedisNode(url, settings))
        return nodes[-1]

    yield make
    for node in nodes:
        await node.bus.close()


async def pair(server: RedisServer, join: Join) -> tuple[RedisNode, RedisNode]:
    """Two open nodes, of which the second holds `t`."""
    first, second = join(server.url), join(server.url)
    await first.bus.open()
    await second.bus.open()
    await second.bus.subscribe("t")
    return first, second


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
    assert "300 ms" in await first.bus.trouble()
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
        time.sleep(SETTINGS.ack_timeout_ms / 1000)  # the answer comes meanwhile

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
        server.stop()
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
    server.stop()
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
        for _ in range(200):  # the loop stands still meanwhile
            other.publish("webchat:t", b"\x01" + b"a foreign node's tag" + bytes(MEBIBYTE // 4))
    await second.heard.until("lost")
    await second.heard.until("regained")


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
        other.publish("webchat:t", b"\x02from the future")
        other.publish("webchat:t", b"")
    await publish(first, "t", b"1")
    await second.heard.until(("t", b"1"))
    assert second.heard.events == [("t", b"1")]


async def test_what_is_on_its_way_is_not_heard_once_its_topic_is_dropped(
    server: RedisServer, join: Join
) -> None:
    _, second = await pair(server, join)
    with redis.Redis(port=server.port) as other:
        assert other.publish("webchat:t", b"\x01" + bytes(8) + b"x") == 1
    second.bus.unsubscribe("t")
    await second.bus.subscribe("u")
    assert second.heard.events == []


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


async def test_a_url_that_names_no_redis_is_refused(join: Join) -> None:
    for url in (
        "http://localhost", "redis://localhost:99999", "redis://localhost/first",
        "redis://localhost?timeout=3", "redis://[::1", "redis://" + "a" * 100, "rediss://localhost?ssl_ca_certs=/no/such/file",
    ):  # fmt: skip
        with pytest.raises(BusRefused):
            join(url)


async def test_an_unreachable_redis_is_refused_with_its_address(join: Join) -> None:
    with socket.socket() as taken:  # bound and not listening: nobody answers, nobody else gets it
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(BusRefused, match=f"127.0.0.1:{port}"):
            await join(f"redis://127.0.0.1:{port}").bus.open()


async def test_a_silent_server_is_refused_in_time(join: Join) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(BusRefused, match="did not answer within 300 ms"):
            await join(f"redis://127.0.0.1:{port}").bus.open()


async def test_what_is_not_a_redis_is_refused(join: Join) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        answering = threading.Thread(target=_answer_as_a_web_server, args=(listening,))
        answering.start()
        try:
            with pytest.raises(BusRefused, match="not a Redis"):
                await join(f"redis://127.0.0.1:{listening.getsockname()[1]}").bus.open()
        finally:
            answering.join()


def _answer_as_a_web_server(listening: socket.socket) -> None:
    connection, _ = listening.accept()
    with connection:
        connection.recv(1_000)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        connection.recv(1_000)


async def test_wrong_and_missing_passwords_are_refused_and_never_shown(join: Join) -> None:
    with RedisServer("requirepass right-one") as server:
        place = f"127.0.0.1:{server.port}"
        with pytest.raises(BusRefused, match="wants a password"):
            await join(f"redis://{place}").bus.open()
        for login in (":wrong-one", "ann:wrong-one"):
            with pytest.raises(BusRefused, match="does not accept") as refused:
                await join(f"redis://{login}@{place}").bus.open()
            assert "wrong-one" not in str(refused.value)
        node = join(f"redis://:right-one@{place}/3")
        await node.bus.open()
        server.stop()
        await node.heard.until("lost")
        assert place in await node.bus.trouble()
        assert "right-one" not in await node.bus.trouble()


async def test_an_account_that_may_not_publish_is_refused(server: RedisServer, join: Join) -> None:
    with redis.Redis(port=server.port) as admin:
        admin.execute_command("ACL", "SETUSER", "deaf", "on", ">pw", "+@all", "resetchannels")
    with pytest.raises(BusRefused, match="refuses to publish"):
        await join(f"redis://deaf:pw@127.0.0.1:{server.port}").bus.open()


async def test_an_account_that_may_publish_no_more_loses_the_bus_until_it_may_again(
    server: RedisServer, join: Join
) -> None:
    with redis.Redis(port=server.port) as admin:
        admin.execute_command("ACL", "SETUSER", "web", "on", ">pw", "+@all", "allchannels")
        node = join(f"redis://web:pw@127.0.0.1:{server.port}")
        await node.bus.open()
        admin.execute_command("ACL", "SETUSER", "web", "-publish")
        assert isinstance(await publish(node, "t", b"x"), WebchatError)
        await node.heard.until("lost")
        await _trouble(node, "refuses to publish")
        admin.execute_command("ACL", "SETUSER", "web", "+publish")
        await node.heard.until("regained")
    assert await publish(node, "t", b"x") == 0


async def test_a_database_that_is_not_there_is_refused(server: RedisServer, join: Join) -> None:
    with pytest.raises(BusRefused, match="DB index"):
        await join(f"redis://127.0.0.1:{server.port}/99").bus.open()


async def test_a_replica_is_refused(server: RedisServer, join: Join) -> None:
    with (
        RedisServer(f"replicaof 127.0.0.1 {server.port}") as replica,
        pytest.raises(BusRefused, match="read-only replica"),
    ):
        await join(replica.url).bus.open()


async def test_a_part_of_a_cluster_is_refused(join: Join) -> None:
    with RedisServer("cluster-enabled yes") as part, pytest.raises(BusRefused, match="cluster"):
        await join(part.url).bus.open()


async def test_a_redis_that_is_full_is_told_as_trouble(server: RedisServer, join: Join) -> None:
    node = join(server.url, RedisBusSettings(check_interval_s=0.02))
    await node.bus.open()
    with redis.Redis(port=server.port) as admin:
        admin.config_set("maxmemory", "1")
        await _trouble(node, "full")
        admin.config_set("maxmemory", "1gb")
        await _trouble(node, "")
    assert node.heard.events == []


async def test_a_redis_that_evicts_or_turns_read_only_is_told_as_trouble(
    server: RedisServer, join: Join
) -> None:
    node = join(server.url, RedisBusSettings(check_interval_s=0.02))
    await node.bus.open()
    assert await node.bus.trouble() == ""
    with redis.Redis(port=server.port) as admin:
        admin.config_set("maxmemory", "100mb")
        admin.config_set("maxmemory-policy", "allkeys-lru")
        await _trouble(node, "evicts")
        admin.config_set("maxmemory-policy", "noeviction")
        await _trouble(node, "")
        admin.execute_command("REPLICAOF", "127.0.0.1", "1")
        await _trouble(node, "read-only")
    assert node.heard.events == []


async def _trouble(node: RedisNode, word: str) -> None:
    """Wait until `word` is in the trouble; "": until there is none."""

    async def is_told() -> bool:
        trouble = await node.bus.trouble()
        return word in trouble and bool(word) == bool(trouble)

    await eventually(is_told)


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


async def test_a_unix_socket_serves_as_well(join: Join, tmp_path: Path) -> None:
    path = f"{tmp_path}/redis.sock"
    with RedisServer(f"unixsocket {path}"):
        first, second = join(f"unix://{path}"), join(f"unix://{path}?db=1")
        await first.bus.open()
        await second.bus.open()
        await second.bus.subscribe("t")
        assert await publish(first, "t", b"1") == 1


async def test_rediss_speaks_tls_and_checks_who_answers(join: Join, tmp_path: Path) -> None:
    key, certificate = _certify_localhost(tmp_path)
    port = free_port()
    tls = [f"tls-port {port}", f"tls-cert-file {certificate}", f"tls-key-file {key}"]
    with RedisServer(*tls, "tls-auth-clients no", f"tls-ca-cert-file {certificate}"):
        with pytest.raises(BusRefused, match="certificate"):
            await join(f"rediss://localhost:{port}").bus.open()
        trusting = f"ssl_ca_certs={certificate}"
        with pytest.raises(BusRefused, match=r"127\.0\.0\.1"):
            await join(f"rediss://127.0.0.1:{port}?{trusting}").bus.open()
        first, second = (join(f"rediss://localhost:{port}?{trusting}") for _ in range(2))
        await first.bus.open()
        await second.bus.open()
        await second.bus.subscribe("t")
        assert await publish(first, "t", bytes(100_000)) == 1
        await second.heard.until(("t", bytes(100_000)))


def _certify_localhost(directory: Path) -> tuple[Path, Path]:
    """A key and a certificate for it, signed by itself."""
    key, certificate = directory / "key.pem", directory / "certificate.pem"
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
            "-nodes", "-days", "1", "-subj", "/CN=localhost", "-addext",
            "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate),
        ],
        check=True, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    return key, certificate
