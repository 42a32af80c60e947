"""The processes of a measurement: servers pinned to one core, the load to the other."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

HERE = Path(__file__).parent
SERVER_CORE, LOAD_CORE = 0, 1
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
OPEN_FILES = 20_000


@dataclass(frozen=True)
class Running:
    """A server under measurement."""

    pid: int
    port: int

    def cpu_s(self) -> float:
        """User and system time of all its threads so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_S

    def memory_kib(self) -> int:
        """Its resident memory."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        raise ProcessLookupError(self.pid)


@contextmanager
def webchat(prepare: Callable[[Path], object] = lambda _: None) -> Iterator[Running]:
    """webchat in open mode on a fresh store; every message is on the disk before its ack.

    `prepare` may put something into the store's folder first.
    """
    with TemporaryDirectory() as data:
        prepare(Path(data))
        command = [
            sys.executable, "-m", "webchat", "serve", "--port=0", "--open", f"--data={data}",
            "--rate-burst=1000000000", "--rate-events-per-s=1000000000",
        ]  # fmt: skip
        with _process(command, SERVER_CORE, stderr=subprocess.PIPE) as server:
            assert server.stderr is not None
            yield Running(server.pid, _listening(server.stderr))


@contextmanager
def npm_socketio() -> Iterator[Running]:
    """npm's socket.io on Node."""
    with _peer(["node", str(HERE / "peers" / "socketio" / "server.js")]) as running:
        yield running


@contextmanager
def python_socketio() -> Iterator[Running]:
    """python-socketio on aiohttp and uvloop."""
    with _peer([sys.executable, str(HERE / "peers" / "python_socketio.py")]) as running:
        yield running


@contextmanager
def load(binary: Path, mode: str, port: int, *numbers: int) -> Iterator[subprocess.Popen[str]]:
    """The load client, connected: what it says next is up to `go`."""
    command = [str(binary), mode, "127.0.0.1", str(port), *map(str, numbers)]
    with _process(command, LOAD_CORE) as client:
        expect(client, "ready")
        yield client


def expect(client: subprocess.Popen[str], word: str) -> list[int]:
    """The numbers of the next line, which begins with `word`. Raises RuntimeError."""
    assert client.stdout is not None
    line = client.stdout.readline().split()
    if not line or line[0] != word:
        raise RuntimeError(f"the load client said {line} instead of {word}")
    return [int(number) for number in line[1:]]


def compile_load(target: Path) -> Path:
    """Build the load client with the system's C compiler."""
    binary = target / "load"
    subprocess.run(
        ["cc", "-O2", "-Wall", "-Werror", "-o", str(binary), str(HERE / "load.c")], check=True
    )
    return binary


def raise_open_files() -> None:
    """Allow this process and its children as many sockets as a measurement takes."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = hard if hard != resource.RLIM_INFINITY else OPEN_FILES
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(OPEN_FILES, most), hard))


@contextmanager
def _peer(command: list[str]) -> Iterator[Running]:
    with _process(command, SERVER_CORE) as server:
        assert server.stdout is not None
        yield Running(server.pid, int(server.stdout.readline()))


@contextmanager
def _process(
    command: list[str], core: int, stderr: int | None = None
) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        ["taskset", "-c", str(core), *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _listening(log: IO[str]) -> int:
    """The port of the line `listening` in a server's log."""
    said = []
    for line in log:
        said.append(line)
        event = json.loads(line)
        if event["event"] == "listening":
            return int(event["url"].rstrip("/").rpartition(":")[2])
    raise RuntimeError("the server did not come up: " + "".join(said))
