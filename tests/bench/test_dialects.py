"""The load client speaks with Centrifugo and Tinode as their protocols say, here with stand-ins."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from threading import Thread
from typing import Any

import pytest
from websockets.sync.server import ServerConnection, serve

from bench import cases, running
from bench.cases import Pace
from bench.running import Dialect, RunError, Running, expect, go
from bench.samples import Sample

BYTES = 250


class Centrifugo:
    """As much of it as the load client meets: in memory, with a ping before each publication."""

    def __init__(self) -> None:
        self.channels: dict[str, list[ServerConnection]] = defaultdict(list)
        self.published: list[str] = []
        self.pongs = 0
        self.refuses = ""
        self.passes_on = True

    def take(self, connection: ServerConnection, line: str) -> None:
        command: dict[str, Any] = json.loads(line)
        if not command:
            self.pongs += 1
            return
        (method,) = command.keys() - {"id"}
        reply: dict[str, Any] = {"id": command["id"], method: {}}
        if method == self.refuses:
            reply = {"id": command["id"], "error": {"code": 103, "message": "permission denied"}}
        elif method == "subscribe":
            self.channels[command[method]["channel"]].append(connection)
        elif method == "publish":
            self.published.append(line)
            self._push(connection, reply, **command[method])
            return
        connection.send(_lines(reply))

    def _push(
        self, sender: ServerConnection, reply: dict[str, Any], channel: str, data: object
    ) -> None:
        publication = {"push": {"channel": channel, "pub": {"data": data, "offset": 1}}}
        receivers = self.channels[channel] if self.passes_on else []
        for each in receivers:
            each.send(_lines({}, publication, *([reply] if each is sender else [])))
        if sender not in receivers:
            sender.send(_lines(reply))


class Tinode:
    """As much of it: who has not subscribed may not publish, and there is more than messages."""

    def __init__(self) -> None:
        self.users: dict[ServerConnection, str] = {}
        self.topics: dict[ServerConnection, str] = {}
        self.published: list[str] = []

    def take(self, connection: ServerConnection, line: str) -> None:
        ((kind, body),) = json.loads(line).items()
        reply: dict[str, Any] = {"id": body["id"], "params": {}, "code": 200}
        if kind == "acc":
            self.users[connection] = reply["params"]["user"] = f"usr{len(self.users):011}"
        elif kind == "sub":
            self.topics[connection] = body["topic"]
        elif kind == "pub":
            self.published.append(line)
            reply["code"] = 202 if self._pass_on(connection, **body) else 409
        connection.send(_lines({"ctrl": reply}))

    def _pass_on(self, sender: ServerConnection, topic: str, content: object, **_: object) -> bool:
        if self.topics[sender] != topic:
            return False
        (partner,) = [each for each, user in self.users.items() if user == topic]
        partner.send(_lines({"pres": {"topic": "me", "src": self.users[sender], "what": "on"}}))
        data = {"topic": self.users[sender], "from": self.users[sender], "content": content}
        partner.send(_lines({"data": data}))
        return self.topics[partner] == self.users[sender]


def _lines(*parts: dict[str, Any]) -> str:
    return "\n".join(json.dumps(part, separators=(",", ":")) for part in parts)


@pytest.fixture
def fake() -> Centrifugo:
    return Centrifugo()


@pytest.fixture
def server(fake: Centrifugo) -> Iterator[Running]:
    with _serving(fake.take, "centrifugo") as running:
        yield running


@contextmanager
def _serving(take: Callable[[ServerConnection, str], None], dialect: Dialect) -> Iterator[Running]:
    """A server that gives each line that comes to `take`."""

    def talk(connection: ServerConnection) -> None:
        for frame in connection:
            assert isinstance(frame, str)
            for line in frame.splitlines():
                take(connection, line)

    with serve(talk, "127.0.0.1", 0, compression=None) as listener:
        thread = Thread(target=listener.serve_forever)
        thread.start()
        yield Running((), (listener.socket.getsockname()[1],), dialect)
        listener.shutdown()
    thread.join()


def test_pairs_publish_to_the_channel_of_the_other_and_take_the_reply_for_the_ack(
    fake: Centrifugo, server: Running
) -> None:
    with running.load("pairs", server, 2, 3, BYTES) as client:
        go(client, 0.0, 0.3)
        acked, received, *_ = expect(client, "end")
    assert acked > 0
    assert abs(acked - received) <= 2 * 3
    assert sorted(fake.channels) == [f"load{number:06}" for number in range(4)]
    assert {len(line) for line in fake.published} == {BYTES}
    said = [json.loads(line)["publish"] for line in fake.published]
    assert {publish["channel"] for publish in said} == {"load000001", "load000003"}
    assert all(publish["channel"] == publish["data"]["To"] for publish in said)
    assert fake.pongs > 0


def test_what_is_offered_is_acked_and_received_with_its_latency(server: Running) -> None:
    with running.load("offered", server, 2, 100, BYTES) as client:
        go(client, 0.2, 1.0)
        acked, received, _, _, *latencies = expect(client, "end")
    assert acked == pytest.approx(100, rel=0.2)
    assert received == pytest.approx(acked, abs=10)
    assert all(0 < us < 1e6 for us in latencies)


def test_all_of_a_group_get_what_one_publishes(fake: Centrifugo, server: Running) -> None:
    with running.load("group", server, 4, 1, BYTES) as client:
        go(client, 0.0, 0.2)
        acked, received, *_ = expect(client, "end")
    assert acked > 0
    assert received == pytest.approx(4 * acked, abs=4)
    assert len(fake.channels["group_bench"]) == 4
    assert {len(line) for line in fake.published} == {BYTES}


def test_those_who_chat_on_tinode_find_one_another_before_they_do() -> None:
    fake = Tinode()
    with (
        _serving(fake.take, "tinode") as server,
        running.load("pairs", server, 2, 3, BYTES) as load,
    ):
        go(load, 0.0, 0.3)
        acked, received, *_ = expect(load, "end")
    assert acked > 0
    assert abs(acked - received) <= 2 * 3
    assert {len(line) for line in fake.published} == {BYTES}
    said = [json.loads(line)["pub"] for line in fake.published]
    assert {(pub["topic"], pub["content"]["To"]) for pub in said} == {
        (f"usr{number:011}", f"load{number:06}") for number in (1, 3)
    }


@pytest.mark.parametrize("case", [cases.chat, cases.fan_out])
def test_messages_that_are_acked_and_come_nowhere_are_no_measurement(
    fake: Centrifugo, server: Running, case: Callable[..., Sample]
) -> None:
    fake.passes_on = False
    with pytest.raises(RunError, match="0 came"):
        case(lambda: nullcontext(server), Pace(0.3, 0.0, 0.0), 2, 3, BYTES)


@pytest.mark.parametrize("method", ["connect", "subscribe"])
def test_a_refusal_ends_it(fake: Centrifugo, server: Running, method: str) -> None:
    fake.refuses = method
    with pytest.raises(RunError), running.load("idle", server, 1):
        pass


def test_what_only_webchat_has_cannot_be_asked_for(server: Running) -> None:
    with pytest.raises(RunError), running.load("storm", server, 1):
        pass
