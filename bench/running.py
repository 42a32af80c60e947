"""The processes of a measurement: how they are started, where they run, what CPU they took."""

from __future__ import annotations

import atexit
import os
import resource
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Literal

from webchat.ports.store import Mode

HERE = Path(__file__).parent
_CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE, LOAD_CORE = _CORES[0], _CORES[-1]
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
OPEN_FILES = 20_000
Dialect = Literal["socketio", "centrifugo", "tinode"]
"""What the load client can speak."""
_READY_WITHIN_S, _POLL_S = 20.0, 0.02


@dataclass(frozen=True)
class Running:
    """Servers under measurement: one, or the nodes of a cluster."""

    pids: tuple[int, ...]
    ports: tuple[int, ...]
    dialect: Dialect = "socketio"

    @property
    def port(self) -> int:
        """Of the first."""
        return self.ports[0]

    def cpu_s(self) -> float:
        """User and system time of all threads of all of them so far."""
        return sum(map(_cpu_s, self.pids))

    def memory_kib(self, kind: str = "VmRSS") -> int:
        """Their resident memory; `kind` "VmHWM": the most they had."""
        return sum(_memory_kib(pid, kind) for pid in self.pids)


class RunError(Exception):
    """A server or the load did not do its part; the message says what it said."""


@contextmanager
def process(
    command: Sequence[str], core: int | None = None, stderr: int | None = None
) -> Iterator[subprocess.Popen[str]]:
    """A child, on one core if told so, killed in the end."""
    pinned = [] if core is None else ["taskset", "-c", str(core)]
    child = subprocess.Popen(
        [*pinned, *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
    )
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


@contextmanager
def load(
    mode: str,
    server: Running,
    count: int,
    in_flight: int = 0,
    size: int = 0,
    *,
    first: int = 0,
    store: Mode = "open",
    core: int | None = LOAD_CORE,
) -> Iterator[subprocess.Popen[str]]:
    """The load client (bench/load), ready: what it does next is up to `go`.

    `count`, `in_flight`, `size`, `first` as main.c says by `mode`; `store`: of the server.
    """
    what = [server.dialect, mode, "127.0.0.1", ",".join(map(str, server.ports))]
    numbers = map(str, (count, in_flight, size, first))
    with process([str(compiled("load")), *what, *numbers, store], core) as client:
        expect(client, "ready")
        yield client


def wait_until_up(server: subprocess.Popen[str], port: int) -> None:
    """Until it can be connected to. Raises RunError."""
    deadline = time.monotonic() + _READY_WITHIN_S
    while server.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(_POLL_S)
        else:
            return
    raise RunError("the server did not come up")


def go(client: subprocess.Popen[str], warmup_s: float, seconds: float) -> None:
    """Let the load begin; returns when what is measured starts."""
    assert client.stdin is not None
    client.stdin.write(f"go {warmup_s} {seconds}\n")
    client.stdin.flush()
    expect(client, "start")


def stop(client: subprocess.Popen[str]) -> list[int]:
    """End what is measured now; what it counted."""
    assert client.stdin is not None
    client.stdin.write("stop\n")
    client.stdin.flush()
    return expect(client, "end")


def expect(client: subprocess.Popen[str], word: str) -> list[int]:
    """The numbers of the next line, which begins with `word`. Raises RunError."""
    assert client.stdout is not None
    line = client.stdout.readline().split()
    if not line or line[0] != word:
        raise RunError(f"the load client said {line} instead of {word}")
    return [int(number) for number in line[1:]]


def raise_open_files() -> None:
    """Allow this process and its children as many sockets as a measurement takes."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = hard if hard != resource.RLIM_INFINITY else OPEN_FILES
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(OPEN_FILES, most), hard))


def temporary_folder(purpose: str) -> Path:
    """A folder that is gone when this program ends."""
    folder = mkdtemp(prefix=f"webchat-bench-{purpose}-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


@cache
def compiled(source: str) -> Path:
    """What the system's C compiler makes of the folder or file `source` of bench/, once a run."""
    place = HERE / source
    sources = sorted(place.glob("*.c")) if place.is_dir() else [place]
    binary = temporary_folder("compiled") / place.stem
    options = ["-O2", "-Wall", "-Wextra", "-Werror", "-o", str(binary)]
    subprocess.run(["cc", *options, *map(str, sources)], check=True)
    return binary


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def _memory_kib(pid: int, kind: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{kind}:"):
            return int(line.split()[1])
    raise ProcessLookupError(pid)
