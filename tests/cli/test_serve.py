"""`webchat serve` as a process: what it says at the start, and when it refuses to start."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests import http
from tests.cli.conftest import eventually, refused
from tests.ports import free_port
from tests.servers import Server
from webchat import __version__


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


def test_a_host_that_is_not_ours_is_refused(tmp_path: Path) -> None:
    line = refused("--host", "192.0.2.1", "--port", "0", "--data", str(tmp_path), code=2)
    assert "192.0.2.1" in line


def test_open_mode_warns_and_the_secured_one_does_not(tmp_path: Path) -> None:
    def warnings(server: Server) -> list[str]:
        return [line["event"] for line in server.log if line.get("level") == "warning"]

    with Server(tmp_path / "open", "--open") as server:
        (warning,) = warnings(server)
        assert "open mode" in warning
    with Server(tmp_path / "secured") as server:
        assert warnings(server) == []


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
