"""Which Redis a node connects to, which ones it refuses, and of which it complains."""

from __future__ import annotations

import dataclasses
import socket
import threading
from pathlib import Path

import pytest
import redis

from tests.certificates import certify
from tests.contract.hearing import eventually, publish
from tests.contract.redis_node import SETTINGS, Join, RedisNode
from tests.engines.redis import RedisServer
from tests.ports import free_port
from webchat.adapters.redis import RedisBusSettings
from webchat.errors import WebchatError
from webchat.ports.bus import BusRefused


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


async def test_why_a_bus_does_not_come_back_is_in_the_log_once(
    join: Join, caplog: pytest.LogCaptureFixture
) -> None:
    with RedisServer() as server:
        node = join(f"redis://127.0.0.1:{server.port}")
        await node.bus.open()
        server.command("CONFIG", "SET", "requirepass", "another")
        with redis.Redis(port=server.port, password="another") as admin:

            def tries() -> int:
                return int(admin.info("stats")["total_connections_received"])

            async def has_tried_often() -> bool:
                return tries() > before + 4

            before = tries()
            admin.client_kill_filter(_type="normal")
            await node.heard.until("lost")
            await eventually(has_tried_often)
        lines = [each.getMessage() for each in caplog.records if "password" in each.getMessage()]
        assert len(lines) == 1
        assert lines[0].startswith(f"no bus: Redis at 127.0.0.1:{server.port}: it wants a password")
        (why,) = node.heard.whys
        assert why.startswith(f"Redis at 127.0.0.1:{server.port}: Redis ended the connection")
        trouble = await node.bus.trouble()
        assert trouble.count(str(server.port)) == 1
        assert trouble.endswith(
            ": it wants a password; put it into the URL: redis://:PASSWORD@HOST"
        )


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
        server.kill()
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


async def test_a_redis_that_evicts_is_told_as_trouble(server: RedisServer, join: Join) -> None:
    node = join(server.url, RedisBusSettings(check_interval_s=0.02))
    await node.bus.open()
    assert await node.bus.trouble() == ""
    with redis.Redis(port=server.port) as admin:
        admin.config_set("maxmemory", "100mb")
        admin.config_set("maxmemory-policy", "allkeys-lru")
        await _trouble(node, "evicts")
        admin.config_set("maxmemory-policy", "noeviction")
        await _trouble(node, "")
    assert node.heard.events == []


async def test_a_redis_that_is_made_a_replica_is_left_until_it_is_the_master_again(
    server: RedisServer, join: Join
) -> None:
    node = join(server.url, dataclasses.replace(SETTINGS, check_interval_s=0.02))
    await node.bus.open()
    with redis.Redis(port=server.port) as admin:
        admin.execute_command("REPLICAOF", "127.0.0.1", "1")
        await node.heard.until("lost")
        assert "read-only" in await node.bus.trouble()
        assert isinstance(await publish(node, "t", b"x"), WebchatError)
        admin.execute_command("REPLICAOF", "NO", "ONE")
        await node.heard.until("regained")
    assert await node.bus.trouble() == ""
    assert await publish(node, "t", b"x") == 0


async def _trouble(node: RedisNode, word: str) -> None:
    """Wait until `word` is in the trouble; "": until there is none."""

    async def is_told() -> bool:
        trouble = await node.bus.trouble()
        return word in trouble and bool(word) == bool(trouble)

    await eventually(is_told)


async def test_a_unix_socket_serves_as_well(join: Join, tmp_path: Path) -> None:
    path = f"{tmp_path}/redis.sock"
    with RedisServer(f"unixsocket {path}"):
        first, second = (join(f"unix://{path}?db=1") for _ in range(2))
        await first.bus.open()
        await second.bus.open()
        await second.bus.subscribe("t")
        assert await publish(first, "t", b"1") == 1


async def test_rediss_speaks_tls_and_checks_who_answers(join: Join, tmp_path: Path) -> None:
    key, certificate = certify(tmp_path, "DNS:localhost")
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
