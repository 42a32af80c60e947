"""`webchat serve --workers`: several nodes on one port, and a parent that keeps them up."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import socketio

from tests import http
from tests.cli.conftest import BODY_TIMEOUT_S, FEW_FILES, command, eventually, held_up, refused
from tests.engines.postgresql import shared_server
from tests.engines.redis import RedisServer
from tests.ports import free_port
from tests.servers import Server
from tests.wire.clients import TIMEOUT_S

POLLING = "/socket.io/?EIO=4&transport=polling"


@pytest.fixture
def server(shared: tuple[str, ...], tmp_path: Path) -> Iterator[Server]:
    """Two workers."""
    with Server(tmp_path, *shared, "--workers", "2", "--lease-ms", "1500") as running:
        yield running


class Lasting(NamedTuple):
    """A server with two workers, the first of their ports for the others, and the options of their
    store and bus."""

    server: Server
    peer_port: int
    shared: tuple[str, ...]


@pytest.fixture(scope="module")
def lasting(redis: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lasting]:
    """For all tests that leave it running: it has names for its nodes, and too many sessions."""
    database, first = shared_server().new_database(), two_free_ports()
    command("store", "init", "--store", database)
    shared = ("--store", database, "--bus", redis.url)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    named = ("--node-id", "n", "--peer-port", str(first), "--sessions", str(hard))
    directory = tmp_path_factory.mktemp("workers")
    with Server(directory, *shared, "--workers", "2", *named) as running:
        yield Lasting(running, first, shared)


def pids(server: Server) -> list[int]:
    """Of all workers that have served so far, in the order of their starts."""
    return [line["pid"] for line in server.log if line["event"] == "a worker serves"]


def lives(pid: int) -> bool:
    """Whether it runs still: not one that has ended, and that nobody has waited for."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def two_free_ports() -> int:
    """The first of two neighbours."""
    while True:
        first = free_port()
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", first + 1))
            return first


def opened(server: Server) -> str:
    """The id of a new polling session. Each request comes by a connection of its own."""
    handshake = http.get(server.url + POLLING).text
    return str(json.loads(handshake[1:])["sid"])


def test_it_warns_once_where_files_run_out_before_sessions(lasting: Lasting) -> None:
    lasting.server.logged(FEW_FILES)
    events = [line["event"] for line in lasting.server.log]
    assert events.count(FEW_FILES) == 1
    assert events.index("listening") < events.index(FEW_FILES)


def test_connections_are_shared_out_among_the_workers(lasting: Lasting) -> None:
    nodes = {opened(lasting.server).partition(".")[0] for _ in range(40)}
    assert len(nodes) == 2


def test_a_polling_session_is_served_whichever_worker_its_requests_reach(
    lasting: Lasting,
) -> None:
    server = lasting.server
    for sid in [opened(server) for _ in range(8)]:
        url = f"{server.url}{POLLING}&sid={sid}"
        assert http.post(url, content="40{}").text == "ok"
        assert "log in first" in http.get(url).text


async def test_a_message_reaches_who_is_connected_to_another_worker(
    database: str, redis: RedisServer, tmp_path: Path
) -> None:
    command("store", "init", "--open", "--store", database)
    options = ("--open", "--store", database, "--bus", redis.url, "--workers", "2")
    with Server(tmp_path, *options) as server:
        alice = await joined(server, "alice")
        bobs = [await joined(server, "bob")]
        while len({bob.eio.sid.partition(".")[0] for bob in bobs}) < 2:
            bobs.append(await joined(server, "bob"))
        heard: list[asyncio.Future[Any]] = []
        for bob in bobs:
            heard.append(asyncio.get_running_loop().create_future())
            bob.on("chat", heard[-1].set_result)
        said = {"EvtType": "message", "From": "alice", "To": "bob", "MsgID": "m1", "Body": "hi"}
        assert (await alice.call("chat", said | {"Originated": "", "Timestamp": 1}))["ok"]
        async with asyncio.timeout(5):
            bodies = [envelope["Body"] for envelope in await asyncio.gather(*heard)]
        assert bodies == ["hi"] * len(bobs)
        for client in (alice, *bobs):
            await client.disconnect()


async def joined(server: Server, uid: str) -> socketio.AsyncClient:
    client = socketio.AsyncClient(reconnection=False)
    await client.connect(server.url, transports=["websocket"], wait_timeout=TIMEOUT_S)
    assert (await client.call("join", uid))["ok"]
    return client


def test_a_worker_that_died_is_started_anew_and_the_others_serve_on(server: Server) -> None:
    first, second = pids(server)
    server.expect("a worker died")
    os.kill(first, signal.SIGKILL)
    assert server.logged("a worker died")["exit_code"] == -signal.SIGKILL
    eventually(lambda: len(pids(server)) == 3, "a third worker")
    assert lives(second)
    assert all(http.get(server.url + "/readyz").status_code == 200 for _ in range(10))


def test_all_workers_end_when_the_parent_is_asked_to_and_each_says_so_itself(
    server: Server,
) -> None:
    workers = pids(server)
    assert len(set(workers)) == 2
    assert server.stop() == 0
    assert not any(map(lives, workers))
    stopped = [line["pid"] for line in server.log if line["event"] == "stopped"]
    assert sorted(stopped) == sorted(workers)


def test_a_second_interrupt_of_the_parent_ends_the_drain(
    shared: tuple[str, ...], tmp_path: Path
) -> None:
    options = (*shared, "--workers", "2", "--drain-s", "60")
    with Server(tmp_path, *options) as server, held_up(server):
        server.process.send_signal(signal.SIGINT)
        server.logged("draining")
        server.process.send_signal(signal.SIGINT)
        assert server.wait(BODY_TIMEOUT_S / 2) == 0


def test_a_terminal_that_hangs_up_lets_all_workers_drain(server: Server) -> None:
    server.process.send_signal(signal.SIGHUP)
    assert server.wait() == 0
    assert [line["event"] for line in server.log].count("stopped") == 2


def test_workers_end_when_their_parent_is_gone(server: Server) -> None:
    workers = pids(server)
    server.process.kill()
    eventually(lambda: not any(map(lives, workers)), "the workers' end")


def test_what_keeps_workers_from_starting_is_said_once(database: str, redis: RedisServer) -> None:
    line = refused("--store", database, "--bus", redis.url, "--workers", "3", "--port", "0")
    assert "webchat store init" in line


def test_a_port_that_other_workers_have_is_refused(lasting: Lasting) -> None:
    port = str(lasting.server.port)
    assert port in refused(*lasting.shared, "--workers", "2", "--port", port)


def test_each_worker_has_its_own_name_and_port_for_the_others(lasting: Lasting) -> None:
    named = [line["node"] for line in lasting.server.log if line["event"] == "a worker serves"]
    assert named == ["n-0", "n-1"]
    for port in (lasting.peer_port, lasting.peer_port + 1):
        assert http.get(f"http://127.0.0.1:{port}/healthz").status_code == 200
