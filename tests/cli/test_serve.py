"""`webchat serve` as a process: what it says at the start, and when it refuses to start."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests import http
from tests.cli.conftest import (
    BODY_TIMEOUT_S,
    FEW_FILES,
    ended_of,
    eventually,
    held_up,
    refused,
)
from tests.ports import free_port
from tests.servers import Server
from webchat import __version__

UNHEARD_OF = ".".join(["x" * 63] * 4)
"""A name too long for a query: nobody is asked for it."""
_STORE, _BUS = "postgresql://a@127.0.0.1:1/c", "redis://127.0.0.1:1"
_WORKERS = ("--workers", "2", "--store", _STORE, "--bus", _BUS)
_WITHOUT_A_RIGHT = """
import webchat.app.sockets, webchat.cli

def bind(*_, **__):
    raise PermissionError(13, "Permission denied")

webchat.app.sockets.bind = bind
webchat.cli.main({words!r})
"""


def test_it_says_where_it_listens_answers_there_and_exits_with_0(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        assert http.get(server.url + "/healthz").status_code == 200
        assert http.get(server.url + "/readyz").status_code == 200
        assert server.logged("listening")["version"] == __version__
        assert server.stop() == 0


def test_it_listens_on_the_loopback_alone_unless_told(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        assert server.url.startswith("http://127.0.0.1:")


def test_a_port_in_use_is_refused_with_its_number(tmp_path: Path) -> None:
    with Server(tmp_path / "a") as server:
        line = refused("--port", str(server.port), "--data", str(tmp_path / "b"))
        assert str(server.port) in line


def test_a_store_that_is_served_is_refused(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        line = refused("--port", "0", "--data", str(tmp_path))
        assert str(server.process.pid) in line


def test_a_store_of_the_other_mode_is_refused(tmp_path: Path) -> None:
    with Server(tmp_path):
        pass
    assert "--open" in refused("--port", "0", "--open", "--data", str(tmp_path))


def test_a_directory_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "file" in refused("--port", "0", "--data", str(tmp_path / "file" / "data"))


@pytest.mark.parametrize("host", ["192.0.2.1", UNHEARD_OF], ids=["address", "name"])
@pytest.mark.parametrize("workers", [(), _WORKERS])
def test_a_host_that_is_not_there_yet_is_no_wrong_value(
    tmp_path: Path, host: str, workers: tuple[str, ...]
) -> None:
    """Exit code 2 would be the end: the unit for systemd does not start it again."""
    line = refused("--host", host, "--port", "0", "--data", str(tmp_path), *workers)
    assert f"--host {host}: cannot listen there" in line


def test_a_port_that_needs_a_right_is_refused_with_its_number(tmp_path: Path) -> None:
    words = ["serve", "--port", "1", "--data", str(tmp_path)]
    ended = ended_of("-c", _WITHOUT_A_RIGHT.format(words=words))
    assert ended.returncode == 1
    *_, line = ended.stderr.splitlines()
    assert line == "webchat: --port 1: cannot listen there (Permission denied)"


def test_open_mode_warns_and_the_secured_one_does_not(tmp_path: Path) -> None:
    def warnings(server: Server) -> list[str]:
        return [line["event"] for line in server.log if line.get("level") == "warning"]

    with Server(tmp_path / "open", "--open", "--sessions", "20") as server:
        (warning,) = warnings(server)
        assert "open mode" in warning
    with Server(tmp_path / "secured", "--sessions", "20") as server:
        assert warnings(server) == []


def test_a_second_interrupt_ends_the_drain(tmp_path: Path) -> None:
    with Server(tmp_path, "--drain-s", "60") as server, held_up(server):
        server.process.send_signal(signal.SIGINT)
        server.logged("draining")
        server.process.send_signal(signal.SIGINT)
        assert server.wait(BODY_TIMEOUT_S / 2) == 0


def test_a_second_request_to_terminate_does_not(tmp_path: Path) -> None:
    with Server(tmp_path, "--drain-s", "2") as server, held_up(server):
        server.terminate()
        server.logged("draining")
        server.terminate()
        with pytest.raises(subprocess.TimeoutExpired):
            server.process.wait(0.7)


def test_a_terminal_that_hangs_up_lets_it_drain(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        server.process.send_signal(signal.SIGHUP)
        assert server.wait() == 0
        server.logged("stopped")


def test_under_nohup_it_outlives_the_terminal(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        server = Server(tmp_path)
    finally:
        signal.signal(signal.SIGHUP, before)
    with server:
        server.process.send_signal(signal.SIGHUP)
        assert http.get(server.url + "/healthz").status_code == 200
        assert server.stop() == 0


def test_it_may_have_as_many_files_open_as_the_system_lets_it(tmp_path: Path) -> None:
    before, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        server = Server(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (before, hard))
    with server:
        limits = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
        assert limits == (hard, hard)


def test_it_warns_where_files_run_out_before_sessions_once_it_listens(tmp_path: Path) -> None:
    place = ("--port", "0", "--data", str(tmp_path))
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with Server(tmp_path, "--sessions", str(hard)) as server:
        warning = server.logged(FEW_FILES)
        assert (warning["level"], warning["limit"]) == ("warning", hard)
        again = ended_of("-m", "webchat", "serve", *place, "--sessions", str(hard))
        assert [line["event"] for line in server.log] == ["listening", FEW_FILES]
    (line,) = again.stderr.splitlines()
    assert line.startswith("webchat: ")


def test_a_variable_that_is_no_setting_is_named(tmp_path: Path) -> None:
    with Server(tmp_path, "--sessions", "20", WEBCHAT_PORTT="4001", WEBCHAT_DRAIN_S="3") as server:
        (warning,) = (line for line in server.log if line["level"] == "warning")
        assert warning["names"] == ["WEBCHAT_PORTT"]


@pytest.mark.parametrize("errors", ["/dev/full", "a pipe that nobody reads", "closed"])
def test_it_serves_on_where_its_log_cannot_be_written(tmp_path: Path, errors: str) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/healthz"
    heard, told = os.pipe()
    if errors == "/dev/full":
        told = os.open(errors, os.O_WRONLY)
    os.close(heard)
    command = f"exec {sys.executable} -m webchat serve --data {tmp_path} --port {port}"
    process = subprocess.Popen(["sh", "-c", command + " 2>&-" * (errors == "closed")], stderr=told)
    os.close(told)
    try:
        eventually(lambda: process.poll() is not None or answers(url), "an answer")
        assert http.get(url).status_code == 200
        process.terminate()
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()


def answers(url: str) -> bool:
    try:
        return http.get(url).status_code == 200
    except httpx.TransportError:
        return False
