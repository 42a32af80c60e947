"""The examples of docs/protocol.md, line by line: a server is told so, and answers so."""

from __future__ import annotations

import json
import re
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests import http
from tests.servers import Server

PAGE: Final = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text(encoding="utf-8")
CLOCKS: Final = {"Timestamp", "StoredAt", "time", "expires_at", "at", "created_at", "last_used_at"}
WITHIN_S: Final = 10.0
_LINE: Final = re.compile(r"(\w+) ([→←]) (.*)")
_REQUEST: Final = re.compile(r"(GET|POST|PATCH|DELETE) (\S+) ?(.*)")
_HEARD: Final = re.compile(r"(\d+) ?(.*)")


def examples(mode: str) -> list[tuple[str, str, str]]:
    """The lines of a mode's part of the page: (who, arrow, what)."""
    part = PAGE.split("\n## 13.")[1].split(f"\n### {mode}\n")[1].split("\n### ")[0]
    blocks = re.findall(r"```text\n(.*?)```", part, re.DOTALL)
    lines = [_LINE.fullmatch(line) for block in blocks for line in block.splitlines()]
    assert None not in lines
    return [(match[1], match[2], match[3]) for match in lines if match]


class Stage:
    """A server and the people of the page. `known`: what its placeholders stood for."""

    def __init__(self, server: Server, sockets: ExitStack) -> None:
        self.server = server
        self._opened = sockets
        self.known: dict[str, str] = {}
        self._sockets: dict[str, ClientConnection] = {}
        self._heard: dict[str, list[str]] = {}

    def say(self, who: str, what: str) -> None:
        for name, value in self.known.items():
            what = what.replace(name, value)
        request = _REQUEST.fullmatch(what)
        if request:
            self._ask(who, *request.groups())
            return
        if who not in self._sockets:
            url = self.server.url.replace("http", "ws")
            address = f"{url}/socket.io/?EIO=4&transport=websocket"
            self._sockets[who] = self._opened.enter_context(connect(address, proxy=None))
        self._sockets[who].send(what)

    def hears(self, who: str, what: str) -> None:
        """Wait until `who` has heard that. Raises AssertionError with what was heard instead."""
        deadline = time.monotonic() + WITHIN_S
        heard = self._heard.setdefault(who, [])
        while True:
            for each in heard:
                if self._is(what, each):
                    heard.remove(each)
                    return
            try:
                heard.append(self._next(who, deadline - time.monotonic()))
            except (TimeoutError, ConnectionClosed, KeyError):
                pytest.fail(f"{who} has not heard {what} but {heard}")

    def unexpected(self) -> list[str]:
        """What people have heard of which the page says nothing; each handshake but one."""
        heard = [each for person in self._heard.values() for each in person]
        return [each for each in heard if not each.startswith("0{")]

    def _ask(self, who: str, method: str, path: str, body: str) -> None:
        token = self.known.get(f"<{who}'s token>")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        with http.Client(base_url=self.server.url, headers=headers) as client:
            answer = client.request(method, path, content=body.encode() or None)
        self._heard.setdefault(who, []).append(f"{answer.status_code} {answer.text}".rstrip())

    def _next(self, who: str, timeout_s: float) -> str:
        text = self._sockets[who].recv(timeout=max(0.0, timeout_s))
        assert isinstance(text, str)
        return text

    def _is(self, shown: str, heard: str) -> bool:
        (kind, said), (heard_kind, heard_said) = _split(shown), _split(heard)
        found: dict[str, str] = {}
        if kind != heard_kind or not _same(said, heard_said, found):
            return False
        if any(self.known.get(name, value) != value for name, value in found.items()):
            return False
        found.pop("<id>", None)
        found.pop("<version>", None)
        self.known |= found
        return True


def _split(line: str) -> tuple[str, object]:
    match = _HEARD.fullmatch(line)
    assert match, line
    return match[1], json.loads(match[2]) if match[2] else None


def _same(shown: object, heard: object, found: dict[str, str]) -> bool:
    """Whether that is what the page shows, but for clocks; `found` takes its placeholders."""
    if isinstance(shown, dict) and isinstance(heard, dict):
        return list(shown) == list(heard) and all(
            type(heard[key]) is int if key in CLOCKS else _same(value, heard[key], found)
            for key, value in shown.items()
        )
    if isinstance(shown, list) and isinstance(heard, list):
        pairs = zip(shown, heard, strict=False)
        return len(shown) == len(heard) and all(_same(a, b, found) for a, b in pairs)
    if isinstance(shown, str) and isinstance(heard, str) and "<" in shown:
        names = re.findall(r"<[^>]+>", shown)
        pattern = re.sub(r"<[^>]+>", "(.+)", re.escape(shown).replace(r"\ ", " "))
        match = re.fullmatch(pattern, heard)
        found |= dict(zip(names, match.groups(), strict=True)) if match else {}
        return match is not None
    return shown == heard and type(shown) is type(heard)


@pytest.mark.parametrize(("mode", "options"), [("Secured mode", ()), ("Open mode", ("--open",))])
def test_a_server_answers_as_the_examples_say(
    tmp_path: Path, mode: str, options: tuple[str, ...]
) -> None:
    with Server(tmp_path, *options) as server, ExitStack() as sockets:
        stage = Stage(server, sockets)
        for who, arrow, what in examples(mode):
            if arrow == "→":
                stage.say(who, what)
            else:
                stage.hears(who, what)
        assert stage.unexpected() == []
