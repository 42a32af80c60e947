"""`webchat serve --role`: each node plays a part, and any of them can be the one people reach."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
import socketio

from tests import http
from tests.cli.conftest import command, eventually
from tests.engines.postgresql import shared_server
from tests.engines.redis import RedisServer
from tests.servers import Server
from tests.wire.clients import TIMEOUT_S

PARTS = ("chat", "profile", "web")
POLLING = "/socket.io/?EIO=4&transport=polling"
Nodes = dict[str, Server]


@pytest.fixture(scope="module")
def nodes(redis: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    """One node of each part, in open mode, who know of each other."""
    store = shared_server().new_database()
    command("store", "init", "--open", "--store", store)
    options = ("--open", "--store", store, "--bus", redis.url, "--lease-ms", "900")
    data = tmp_path_factory.mktemp("parts")
    with ExitStack() as running:
        started = {
            part: running.enter_context(Server(data, *options, "--role", part)) for part in PARTS
        }
        for node in started.values():
            eventually(partial(knows_all, node), "nodes that know of each other")
        yield started


def knows_all(node: Server) -> bool:
    lines = http.get(node.url + "/metrics").text.splitlines()
    (line,) = [line for line in lines if line.startswith("webchat_nodes_living ")]
    return float(line.split()[1]) == len(PARTS)


@pytest.mark.parametrize("front", PARTS)
def test_each_node_says_how_it_is(nodes: Nodes, front: str) -> None:
    assert http.get(nodes[front].url + "/healthz").json() == {"status": "ok"}
    ready = http.get(nodes[front].url + "/readyz").json()
    assert ready["state"] == "ready"
    assert ready["checks"].keys() == {"store", "bus", "nodes"}


@pytest.mark.parametrize("front", PARTS)
def test_the_web_client_comes_from_any_node(nodes: Nodes, front: str) -> None:
    page = http.get(nodes[front].url + "/")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert page.content == http.get(nodes["web"].url + "/").content


@pytest.mark.parametrize("front", PARTS)
def test_profiles_are_saved_and_found_by_any_node(nodes: Nodes, front: str) -> None:
    added = http.post(nodes[front].url + "/add", json={"UID": front, "Name": f"By {front}"})
    assert added.status_code == 200
    for node in nodes.values():
        assert http.get(f"{node.url}/search/{front}").json()["Name"] == f"By {front}"


@pytest.mark.parametrize("front", PARTS)
def test_a_polling_session_opened_by_any_node_is_served_by_each(nodes: Nodes, front: str) -> None:
    handshake = http.get(nodes[front].url + POLLING).text
    session = f"{POLLING}&sid={json.loads(handshake[1:])['sid']}"
    first, second, third = (node.url + session for node in nodes.values())
    assert http.post(first, content="40").text == "ok"
    assert http.get(second).text.startswith('40{"sid":')
    assert http.post(third, content='421["join","alice"]').text == "ok"
    assert '"ok":true' in http.get(first).text


@pytest.mark.parametrize("front", PARTS)
@pytest.mark.parametrize("transports", [["websocket"], ["polling", "websocket"]])
async def test_a_client_connects_by_any_node(
    nodes: Nodes, front: str, transports: list[str]
) -> None:
    client = socketio.AsyncClient(reconnection=False)
    await client.connect(nodes[front].url, transports=transports, wait_timeout=TIMEOUT_S)
    assert client.transport() == "websocket"
    answer = await client.call("join", "alice")
    await client.disconnect()
    assert answer["ok"]


@pytest.mark.parametrize("front", ["profile", "web"])
def test_a_part_that_nobody_plays_is_unavailable_and_said_to_be(
    redis: RedisServer, tmp_path: Path, front: str
) -> None:
    store = shared_server().new_database()
    command("store", "init", "--store", store)
    with Server(tmp_path, "--store", store, "--bus", redis.url, "--role", front) as node:
        answer = http.get(node.url + POLLING)
        assert answer.status_code == 503
        assert "retry-after" in answer.headers
        ready = http.get(node.url + "/readyz")
        assert (ready.status_code, ready.json()["state"]) == (200, "degraded")
        assert "no node serves chat" in ready.json()["checks"]["nodes"]["reason"]
