"""`/readyz` of a node whose bus or store goes away and comes back: what it says, and as what."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests import http
from tests.cli.conftest import command, eventually
from tests.engines.postgresql import postgres_server
from tests.engines.redis import RedisServer
from tests.ports import free_port
from tests.servers import Server

LEASE = ("--lease-ms", "900")


def state(server: Server) -> tuple[int, str]:
    answer = http.get(server.url + "/readyz", timeout=10)
    return answer.status_code, answer.json()["state"]


def reason(server: Server, check: str) -> str:
    checks = http.get(server.url + "/readyz", timeout=10).json()["checks"]
    return str(checks[check].get("reason", ""))


@pytest.mark.parametrize(
    ("end", "begin_again"),
    [(RedisServer.kill, RedisServer.start), (RedisServer.pause, RedisServer.resume)],
    ids=["killed", "paused"],
)
def test_without_its_bus_a_node_is_degraded_until_it_is_back(
    database: str,
    tmp_path: Path,
    end: Callable[[RedisServer], None],
    begin_again: Callable[[RedisServer], None],
) -> None:
    command("store", "init", "--store", database)
    with (
        RedisServer() as redis,
        Server(tmp_path, "--store", database, "--bus", redis.url) as server,
    ):
        assert state(server) == (200, "ready")
        end(redis)
        eventually(lambda: state(server) == (200, "degraded"), "degraded")
        assert str(redis.port) in reason(server, "bus")
        begin_again(redis)
        eventually(lambda: state(server) == (200, "ready"), "ready again")
        (lost,) = (line for line in server.log if line["event"] == "bus lost")
        assert lost["why"].startswith(f"Redis at 127.0.0.1:{redis.port}: Redis ")
        whys = [line["event"] for line in server.log if line["event"].startswith("no bus: ")]
        assert f"no bus: {lost['why']}" not in whys
        assert len(whys) == len(set(whys))


def test_a_redis_of_the_same_machine_may_be_reached_by_its_socket(
    database: str, tmp_path: Path
) -> None:
    command("store", "init", "--store", database)
    path = f"{tmp_path}/redis.sock"
    with (
        RedisServer(f"unixsocket {path}"),
        Server(tmp_path, "--store", database, "--bus", f"unix://{path}") as server,
    ):
        assert state(server) == (200, "ready")


def test_a_redis_that_evicts_is_said_to(database: str, tmp_path: Path) -> None:
    command("store", "init", "--store", database)
    with (
        RedisServer("maxmemory 100mb", "maxmemory-policy allkeys-lru") as redis,
        Server(tmp_path, "--store", database, "--bus", redis.url) as server,
    ):
        assert state(server) == (200, "degraded")
        assert "evict" in reason(server, "bus")


def test_a_node_that_is_not_where_it_says_is_degraded(
    shared: tuple[str, ...], tmp_path: Path
) -> None:
    port = free_port()
    there = ("--node-id", "there", "--peer-port", str(port))
    elsewhere = (*shared, "--advertise", f"http://127.0.0.1:{port}")
    with Server(tmp_path, *elsewhere) as server:
        assert state(server) == (200, "degraded")
        assert reason(server, "nodes").startswith(f"nobody answers at http://127.0.0.1:{port}")
        with Server(tmp_path, *shared, *there) as other:
            assert state(other) == (200, "ready")
            assert reason(server, "nodes").startswith("node there answers at")


def test_a_node_with_an_address_of_its_own_for_others_is_ready(
    shared: tuple[str, ...], tmp_path: Path
) -> None:
    port = free_port()
    options = ("--host", "0.0.0.0", "--advertise", "http://127.0.0.1", "--peer-port", str(port))  # noqa: S104
    with Server(tmp_path, *shared, *options) as server:
        checks = http.get(f"http://127.0.0.1:{server.port}/readyz", timeout=10).json()["checks"]
        assert checks["nodes"] == {"ok": True}


def test_without_its_store_a_node_is_not_ready_until_it_is_back(
    redis: RedisServer, tmp_path: Path
) -> None:
    with postgres_server() as database:
        url = database.new_database()
        command("store", "init", "--store", url)
        with Server(tmp_path, "--store", url, "--bus", redis.url, *LEASE) as server:
            assert state(server) == (200, "ready")
            database.kill()
            eventually(lambda: state(server) == (503, "unavailable"), "unavailable")
            eventually(lambda: "Connect" in reason(server, "store"), "why")
            eventually(lambda: "Connect" in reason(server, "nodes"), "why the lease is not renewed")
            database.start()
            eventually(lambda: state(server) == (200, "ready"), "ready again")
