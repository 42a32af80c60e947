"""`make bench-groups`: what groups cost, by how many are online, are members, and read.

Measures server CPU (1) per delivered copy at several numbers of members online, beside npm
socket.io with a room; (2) per message while ten of ever more members are online; (3) per display
where everybody reads 100 messages. Open mode, durable; server and load have a core each.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import processes
from bench.group_store import group_of, last_seq
from bench.processes import Running
from bench.run import RESULTS, middle, row

MESSAGES = 100
"""How many messages everybody reads (load.c)."""
LONGEST_READ_S = 120.0
Start = Callable[[], AbstractContextManager[Running]]


@dataclass(frozen=True)
class Run:
    """One measurement. `acted`: messages or displays acked; `copies`: what all clients got;
    `load_share`: of its core, that the load client used."""

    acted: int
    copies: int
    server_us: float
    wall_s: float
    load_share: float

    @property
    def us_per_act(self) -> float:
        """Server CPU for each act of a client."""
        return self.server_us / max(1, self.acted)

    @property
    def us_per_copy(self) -> float:
        """Server CPU for each copy that a client got."""
        return self.server_us / max(1, self.copies)


def run(start: Start, binary: Path, mode: str, numbers: Sequence[int], go: str) -> Run:
    """One fresh server under one load."""
    with start() as server, processes.load(binary, mode, server.port, *numbers) as client:
        assert client.stdin is not None
        time.sleep(1.0)  # a server that has just taken thousands of connections calms down
        client.stdin.write(go)
        client.stdin.flush()
        processes.expect(client, "start")
        before = server.cpu_s()
        acted, copies, client_us, wall_us = processes.expect(client, "end")
        used_us = (server.cpu_s() - before) * 1e6
    return Run(acted, copies, used_us, wall_us / 1e6, client_us / wall_us)


def measure(options: argparse.Namespace, binary: Path) -> dict[str, dict[int, list[Run]]]:
    """All rounds; in each one run of everything, webchat and its peer in turn."""
    found: dict[str, dict[int, list[Run]]] = defaultdict(lambda: defaultdict(list))
    go = f"go 0.5 {options.seconds}\n"
    for number in range(options.rounds):
        print(f"round {number + 1} of {options.rounds}", flush=True)
        for online in options.online:
            ours = partial(processes.webchat, group_of(online))
            numbers = (online, options.in_flight, options.bytes)
            found["fan-out"][online].append(run(ours, binary, "group", numbers, go))
            peer = processes.npm_socketio
            found["fan-out, npm"][online].append(run(peer, binary, "group", numbers, go))
        for members in options.members:
            ours = partial(processes.webchat, group_of(members))
            numbers = (10, options.in_flight, options.bytes)
            found["send"][members].append(run(ours, binary, "group", numbers, go))
        for readers in options.readers:
            ours = partial(processes.webchat, group_of(readers, MESSAGES))
            numbers = (readers, options.receipts_in_flight, last_seq(readers, MESSAGES))
            go_read = f"go 0 {LONGEST_READ_S}\n"
            read = run(ours, binary, "readers", numbers, go_read)
            if read.acted != (readers - 1) * MESSAGES:
                raise RuntimeError(f"only {read.acted} displays were acked")
            found["receipts"][readers].append(read)
    return {name: dict(rows) for name, rows in found.items()}


def tables(found: dict[str, dict[int, list[Run]]], options: argparse.Namespace) -> str:
    """The results in Markdown, medians with their spread."""
    return "\n\n".join((_fan_out(found, options), _send(found, options), _receipts(found)))


def _fan_out(found: dict[str, dict[int, list[Run]]], options: argparse.Namespace) -> str:
    what = f"fan-out, {options.in_flight} in flight, {options.bytes} bytes; members online"
    head = (what, "server CPU µs/copy", "copies/s", "npm: µs/copy", "npm: copies/s")
    lines = [row(head), row(["---"] * len(head))]
    for online, runs in found["fan-out"].items():
        cells = [f"{online:,}"]
        for each in (runs, found["fan-out, npm"][online]):
            cells.append(middle([r.us_per_copy for r in each], 2))
            cells.append(middle([r.copies / r.wall_s for r in each], 0))
        lines.append(row(cells))
    return "\n".join(lines)


def _send(found: dict[str, dict[int, list[Run]]], options: argparse.Namespace) -> str:
    what = f"ten online, {options.in_flight} in flight; members"
    head = (what, "server CPU µs/message", "messages/s")
    lines = [row(head), row(["---"] * len(head))]
    for members, runs in found["send"].items():
        used = middle([r.us_per_act for r in runs])
        lines.append(row([f"{members:,}", used, middle([r.acted / r.wall_s for r in runs], 0)]))
    return "\n".join(lines)


def _receipts(found: dict[str, dict[int, list[Run]]]) -> str:
    what = f"all read {MESSAGES} messages; members"
    head = (what, "server CPU µs/display", "server CPU s", "seconds", "packets to the author")
    lines = [row(head), row(["---"] * len(head))]
    for readers, runs in found["receipts"].items():
        lines.append(row([
            f"{readers:,}",
            middle([r.us_per_act for r in runs]),
            middle([r.server_us / 1e6 for r in runs], 2),
            middle([r.wall_s for r in runs]),
            middle([r.copies for r in runs], 0),
        ]))  # fmt: skip
    return "\n".join(lines)


def save(found: dict[str, dict[int, list[Run]]], options: argparse.Namespace) -> Path:
    """Write every run to a file of its own under bench/results."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / time.strftime("groups-%Y%m%dT%H%M%SZ.json", time.gmtime())
    about = {"machine": platform.platform(), "python": platform.python_version()}
    runs = {
        name: {count: [asdict(each) for each in runs] for count, runs in rows.items()}
        for name, rows in found.items()
    }
    path.write_text(json.dumps({"about": about, "options": vars(options), "runs": runs}, indent=1))
    return path


def options_of(args: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line of `python -m bench.groups`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--in-flight", type=int, default=8)
    parser.add_argument("--receipts-in-flight", type=int, default=10)
    parser.add_argument("--bytes", type=int, default=250)
    parser.add_argument("--online", type=int, nargs="*", default=[10, 100, 1_000, 5_000])
    parser.add_argument("--members", type=int, nargs="*", default=[10, 100, 1_000, 10_000, 100_000])
    parser.add_argument("--readers", type=int, nargs="*", default=[1_000])
    return parser.parse_args(args)


def main() -> None:
    """Measure, save, print."""
    options = options_of()
    processes.raise_open_files()
    with TemporaryDirectory() as place:
        found = measure(options, processes.compile_load(Path(place)))
    print(f"saved to {save(found, options)}\n\n{tables(found, options)}")


if __name__ == "__main__":
    main()
