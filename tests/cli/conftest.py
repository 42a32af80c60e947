"""The command in this process and as processes, on real servers where it needs some."""

from __future__ import annotations

import io
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests import http
from tests.engines.postgresql import shared_server
from tests.engines.redis import RedisServer
from tests.servers import Server
from webchat.cli import main

Run = Callable[..., tuple[int, str, str]]
BODY_TIMEOUT_S = 20.0
"""For so long a server waits for the rest of a request."""
FEW_FILES = (
    "fewer files may be open than --sessions needs: raise the limit (ulimit -n, LimitNOFILE) or "
    "lower --sessions"
)
_PATIENCE_S = 20.0


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """`run(*args, stdin="")`: (exit code, standard output, standard error)."""

    def call(*args: str, stdin: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        with pytest.raises(SystemExit) as ended:
            main(args)
        out, err = capfd.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, out, err

    return call


@pytest.fixture(scope="session")
def redis() -> Iterator[RedisServer]:
    """A Redis for all tests that do it no harm."""
    with RedisServer() as server:
        yield server


@pytest.fixture
def database() -> str:
    """The URL of a new PostgreSQL database without a store in it."""
    return shared_server().new_database()


@pytest.fixture
def shared(database: str, redis: RedisServer) -> tuple[str, ...]:
    """Options of nodes that share a new store and a bus."""
    command("store", "init", "--store", database)
    return ("--store", database, "--bus", redis.url)


def command(*words: str) -> str:
    """What a command that succeeds writes."""
    ended = ended_of("-m", "webchat", *words)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def refused(*options: str, code: int = 1) -> str:
    """The one line that a server which does not start says, with that exit code."""
    ended = ended_of("-m", "webchat", "serve", *options)
    assert ended.returncode == code, ended.stderr
    said = [line for line in ended.stderr.splitlines() if line.startswith("webchat: ")]
    assert len(said) == 1, ended.stderr
    assert "Traceback" not in ended.stderr
    return said[0]


@contextmanager
def held_up(server: Server) -> Iterator[None]:
    """A request of which only the half has come, for which a server that ends waits."""
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(b"POST /api/v1/login HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{")
        assert http.get(server.url + "/healthz").status_code == 200
        yield


def eventually(is_so: Callable[[], bool], what: str) -> None:
    """Wait until it is so; fail when it takes too long."""
    deadline_s = time.monotonic() + _PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline_s, f"not in time: {what}"
        time.sleep(0.02)


def ended_of(*words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """What a Python that is started with these words has done."""
    return subprocess.run(
        [sys.executable, *words],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.fixture(scope="session", autouse=True)
def _as_from_a_terminal() -> Iterator[None]:
    """The commands hear of a hang-up, also where the tests themselves run under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)
