"""`make bench`: webchat beside npm socket.io and python-socketio, interleaved, on one machine.

Measures (1) pairs that chat, with some messages of each sender in flight: server CPU per message
that is routed to its receiver and acked to its sender, and messages per second; (2) resident
memory per idle connection. Server and load have a core each. Results go to bench/results/*.json.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import processes
from bench.processes import Running

RESULTS = Path(__file__).parent / "results"
SERVERS: Mapping[str, Callable[[], AbstractContextManager[Running]]] = {
    "webchat, durable": processes.webchat,
    "npm socket.io, in memory": processes.npm_socketio,
    "python-socketio, in memory": processes.python_socketio,
}
SETTLE_S = 2.0
"""A server that has just taken thousands of connections is given this long to calm down."""


@dataclass(frozen=True)
class Chat:
    """One run of pairs that chat. `load_share`: of its core, that the load client used."""

    messages_per_s: float
    server_us: float
    load_share: float
    lost: int


@dataclass(frozen=True)
class Idle:
    """One run of idle connections: resident memory, and server CPU to connect and join."""

    kib: float
    connect_us: float


def chat(server: Running, binary: Path, options: argparse.Namespace) -> Chat:
    """Pairs chat for `options.seconds`, after a warm-up of a second."""
    numbers = (options.pairs, options.in_flight, options.bytes)
    with processes.load(binary, "pairs", server.port, *numbers) as client:
        assert client.stdin is not None
        client.stdin.write(f"go 1.0 {options.seconds}\n")
        client.stdin.flush()
        processes.expect(client, "start")
        before = server.cpu_s()
        acked, received, client_us, wall_us = processes.expect(client, "end")
        used_s = server.cpu_s() - before
    in_flight = options.pairs * options.in_flight
    return Chat(
        messages_per_s=acked / wall_us * 1e6,
        server_us=used_s / acked * 1e6,
        load_share=client_us / wall_us,
        lost=max(0, acked - received - in_flight),
    )


def idle(server: Running, binary: Path, options: argparse.Namespace) -> Idle:
    """Many connections that have joined and do nothing."""
    with processes.load(binary, "idle", server.port, 1, 0, 0):
        memory, cpu = server.memory_kib(), server.cpu_s()
        with processes.load(binary, "idle", server.port, options.connections, 0, 0):
            connected = server.cpu_s()
            time.sleep(SETTLE_S)
            grown = server.memory_kib() - memory
    return Idle(grown / options.connections, (connected - cpu) / options.connections * 1e6)


@dataclass
class Runs:
    """What was measured of one server."""

    chats: list[Chat] = field(default_factory=list)
    idles: list[Idle] = field(default_factory=list)


def measure(options: argparse.Namespace) -> dict[str, Runs]:
    """All rounds, one server after the other in each, every time a fresh one."""
    measured = {name: Runs() for name in SERVERS}
    with TemporaryDirectory() as place:
        binary = processes.compile_load(Path(place))
        for number in range(options.rounds):
            for name, start in SERVERS.items():
                print(f"round {number + 1} of {options.rounds}: {name}", flush=True)
                with start() as server:
                    measured[name].chats.append(chat(server, binary, options))
                with start() as server:
                    measured[name].idles.append(idle(server, binary, options))
    return measured


def middle(values: Sequence[float], digits: int = 1) -> str:
    """The median, and the least and most around it."""
    least, most = min(values), max(values)
    return f"{statistics.median(values):,.{digits}f} ({least:,.{digits}f}–{most:,.{digits}f})"  # noqa: RUF001


def table(measured: Mapping[str, Runs], options: argparse.Namespace) -> str:
    """The results in Markdown, medians with their spread."""
    what = (
        f"{options.pairs} pairs, {options.in_flight} in flight, {options.bytes} bytes; "
        f"{options.connections} idle"
    )
    columns = (
        what, "messages/s", "server CPU µs/message", "load client's core", "lost",
        "KiB/idle connection", "CPU µs/connect",
    )  # fmt: skip
    lines = [row(columns), row(["---"] * len(columns))]
    for name, runs in measured.items():
        cells = [
            name,
            middle([run.messages_per_s for run in runs.chats], 0),
            middle([run.server_us for run in runs.chats]),
            middle([run.load_share * 100 for run in runs.chats], 0) + " %",
            str(sum(run.lost for run in runs.chats)),
            middle([run.kib for run in runs.idles]),
            middle([run.connect_us for run in runs.idles], 0),
        ]
        lines.append(row(cells))
    return "\n".join(lines)


def row(cells: Iterable[str]) -> str:
    """A row of a Markdown table."""
    return "| " + " | ".join(cells) + " |"


def save(measured: Mapping[str, Runs], options: argparse.Namespace) -> Path:
    """Write every run to a file of its own under bench/results."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / time.strftime("%Y%m%dT%H%M%SZ.json", time.gmtime())
    about = {"machine": platform.platform(), "python": platform.python_version()}
    found = {name: asdict(runs) for name, runs in measured.items()}
    path.write_text(json.dumps({"about": about, "options": vars(options), "runs": found}, indent=1))
    return path


def options_of(args: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line of `python -m bench.run`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--pairs", type=int, default=100)
    parser.add_argument("--in-flight", type=int, default=8)
    parser.add_argument("--bytes", type=int, default=250)
    parser.add_argument("--connections", type=int, default=5_000)
    return parser.parse_args(args)


def main() -> None:
    """Measure, save, print."""
    options = options_of()
    processes.raise_open_files()
    measured = measure(options)
    print(f"saved to {save(measured, options)}\n\n{table(measured, options)}")


if __name__ == "__main__":
    main()
