"""The clients of docs/client.md are run as they stand: two of them talk, in each language."""

from __future__ import annotations

import os
import re
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import http
from tests.docs.scripted import Json, Scripted
from tests.servers import Server

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "client.md").read_text(encoding="utf-8")
PASSWORD = "correct horse"
WITHIN_S = 30.0

RUN = {"js": ["node", "--input-type=module", "-e"], "python": [sys.executable, "-u", "-c"]}


def shown(language: str) -> str:
    (program,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(program)


class Client:
    """A program of the page as a process, with what it has said so far."""

    def __init__(self, language: str, url: str, uid: str, peer: str) -> None:
        program = shown(language)
        names = f'"bot", "{PASSWORD}", "anna"'
        assert program.count(names) == 1
        program = program.replace(names, f'"{uid}", "{PASSWORD}", "{peer}"')
        self.said = ""
        self._process = subprocess.Popen(
            [*RUN[language], program.replace("http://127.0.0.1:4000", url)],
            cwd=ROOT / "tests" / "wire",
            stdout=subprocess.PIPE,
        )

    def says(self, pattern: str, times: int = 1) -> None:
        """Wait until it has said that so often. Raises AssertionError with what it did say."""
        deadline = time.monotonic() + WITHIN_S
        assert self._process.stdout is not None
        out = self._process.stdout.fileno()
        while len(re.findall(pattern, self.said)) < times:
            left = max(0.0, deadline - time.monotonic())
            assert select.select([out], [], [], left)[0], self.said
            more = os.read(out, 65_536).decode()
            assert more, self.said
            self.said += more

    def stop(self) -> None:
        self._process.kill()
        self._process.communicate()


def register(server: Server, *uids: str) -> None:
    """Make accounts."""
    for uid in uids:
        body = {"uid": uid, "name": uid, "password": PASSWORD}
        assert http.post(f"{server.url}/api/v1/register", json=body).status_code == 201


def spoken(kind: str, by: str) -> str:
    """An event of that kind as Python or Node prints it."""
    return rf"EvtType'?: '{kind}',\s*'?From'?: '{by}'"


def accepted(what: str) -> str:
    """A line that says so of an ack."""
    return rf"{what} {{\s*'?ok'?: [tT]rue"


@pytest.mark.parametrize(("first", "second"), [("js", "python"), ("python", "js")])
def test_two_of_them_talk_and_go_on_after_the_server_was_away(
    tmp_path: Path, first: str, second: str
) -> None:
    clients = []
    try:
        with Server(tmp_path) as server:
            register(server, "bot", "anna")
            clients.append(Client(first, server.url, "bot", "anna"))
            clients[0].says(accepted("ack"))
            clients.append(Client(second, server.url, "anna", "bot"))
            clients[1].says(spoken("message", "bot"))
            clients[1].says(accepted("ack"))
            clients[0].says(spoken("display", "anna"))
            clients[0].says(spoken("message", "anna"))
            clients[1].says(spoken("display", "bot"))
        with Server(tmp_path, port=server.port):
            for client in clients:
                client.says(accepted("join"), times=2)
    finally:
        for client in clients:
            client.stop()
    assert len(re.findall(spoken("message", "bot"), clients[1].said)) == 1
    assert "unauthenticated" not in clients[0].said + clients[1].said


@pytest.mark.parametrize("language", RUN)
def test_one_that_is_told_to_wait_tries_again_on_the_same_connection(
    tmp_path: Path, language: str
) -> None:
    with Server(tmp_path, "--rate-burst=1", "--rate-events-per-s=1") as server:
        register(server, "bot", "anna")
        client = Client(language, server.url, "bot", "anna")
        try:
            client.says("rate_limited")
            client.says(accepted("ack"))
        finally:
            client.stop()
    assert len(re.findall("join", client.said)) == 1


def a_fault() -> Json:
    return {"ok": False, "error": {"code": "internal", "message": "oh", "retry_after_ms": 1}}


def stored(seq: int) -> Json:
    return {"ok": True, "ConvID": "dm:anna:bot", "Seq": seq}


@pytest.mark.parametrize("language", RUN)
def test_one_that_may_not_come_back_yet_tries_again(language: str) -> None:
    async def chat(server: Scripted) -> Json | None:
        if len(server.joins) > 1:
            return stored(1)
        await server.hang_up()
        return None

    refusal = {"code": "unavailable", "retry_after_ms": 1}
    with Scripted(chat, None, refusal) as server:
        client = Client(language, server.url, "bot", "anna")
        try:
            client.says(accepted("ack"))
        finally:
            client.stop()


@pytest.mark.parametrize("language", RUN)
def test_what_met_a_fault_of_the_server_is_sent_again(language: str) -> None:
    answers = [a_fault(), a_fault(), stored(1)]

    async def chat(_: Scripted) -> Json | None:
        return answers.pop(0)

    with Scripted(chat) as server:
        client = Client(language, server.url, "bot", "anna")
        try:
            client.says("internal", times=2)
            client.says(accepted("ack"))
        finally:
            client.stop()


@pytest.mark.parametrize("language", RUN)
def test_only_entries_and_never_an_ack_say_how_far_a_device_is(language: str) -> None:
    """An ack of what was sent again has the `Seq` of the first time; entries came since."""
    group = {"From": "team", "Originated": "", "To": "team", "Body": "", "ConvID": "team"}
    reply = {"EvtType": "message", "From": "anna", "Originated": "", "To": "bot", "Body": "hi"}
    sent: list[int] = []

    async def chat(server: Scripted) -> Json | None:
        sent.append(len(server.joins))
        if len(sent) == 2:
            await server.say({"EvtType": "restart", **group})
            await server.say({"EvtType": "notify", **group, "Seq": 7})
            await server.say({**reply, "ConvID": "dm:anna:bot", "Seq": 2})
            return stored(1)
        await server.hang_up()
        return None

    with Scripted(chat) as server:
        client = Client(language, server.url, "bot", "anna")
        try:
            client.says(accepted("ack"))
            client.says(spoken("message", "anna"))
            server.do(server.hang_up())
            client.says(accepted("join"), times=3)
        finally:
            client.stop()
    assert server.joins[2] == {"dm:anna:bot": 2}
