"""Rows of measurements: run in turn, kept as JSON with the machine they belong to, shown as tables.

A row is one load; its contestants are run one after the other in each round (A B A B), so that a
busy moment of the machine meets all. A sample is what one run of one contestant measured.
"""

from __future__ import annotations

import json
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from bench.centrifugo import BINARY as CENTRIFUGO
from bench.running import HERE
from bench.tinode import SERVER as TINODE
from tests.engines.postgresql import binaries

RESULTS = HERE / "results"
Sample = dict[str, float]
Found = dict[str, dict[str, list[Sample]]]
"""Row, contestant: its samples."""
About = dict[str, str]


@dataclass(frozen=True)
class Row:
    """A load, and who is put under it. `title`: a line on what it is, with its numbers."""

    name: str
    title: str
    contestants: Mapping[str, Callable[[], Sample]]


HEADINGS: Mapping[str, tuple[str, int]] = {
    "messages_per_s": ("messages/s", 0),
    "server_us": ("server CPU µs/message", 1),
    "nodes_us": ("nodes CPU µs/message", 1),
    "redis_us": ("Redis CPU µs/message", 1),
    "database_us": ("database CPU µs/message", 1),
    "copy_us": ("server CPU µs/copy", 2),
    "copies_per_s": ("copies/s", 0),
    "receipt_us": ("server CPU µs/receipt", 1),
    "packets_to_author": ("packets to the author", 0),
    "kib": ("KiB/connection", 1),
    "connect_us": ("server CPU µs/connect", 0),
    "ack_p50_us": ("ack p50 µs", 0),
    "ack_p99_us": ("ack p99 µs", 0),
    "receive_p50_us": ("received p50 µs", 0),
    "receive_p99_us": ("received p99 µs", 0),
    "storm_p99_us": ("ack p99 µs in the storm", 0),
    "caught_up_s": ("all caught up s", 2),
    "peak_mib": ("most memory MiB", 0),
    "p50_ms": ("p50 ms", 2),
    "p99_ms": ("p99 ms", 2),
    "ready_s": ("ready after s", 2),
    "load_share": ("load client's core", 2),
    "busy_cores": ("busy cores", 2),
}
"""How each measure is called, and its digits."""


def measure(
    rows: Sequence[Row], rounds: int, keep: Callable[[Found], object] = lambda _: None
) -> Found:
    """All rounds of all rows, the contestants of a row in turn.

    `keep` is given what there is after each row, so that a fault late in a long run costs little.
    """
    found: Found = {row.name: {name: [] for name in row.contestants} for row in rows}
    for number in range(rounds):
        for row in rows:
            print(f"round {number + 1} of {rounds}: {row.title}", flush=True)
            for name, run in row.contestants.items():
                found[row.name][name].append(run())
            keep(found)
    return found


def median(samples: Iterable[Sample], measure: str) -> float:
    """The middle of one measure."""
    return statistics.median(sample[measure] for sample in samples)


def middle(values: Sequence[float], digits: int = 1) -> str:
    """The median, and the least and most around it."""
    least, most = min(values), max(values)
    return f"{statistics.median(values):,.{digits}f} ({least:,.{digits}f}–{most:,.{digits}f})"  # noqa: RUF001


def line(cells: Iterable[str]) -> str:
    """A row of a Markdown table."""
    return "| " + " | ".join(cells) + " |"


def table(title: str, contestants: Mapping[str, Sequence[Sample]]) -> str:
    """One row's samples in Markdown: a line a contestant, medians with their spread."""
    measures = [m for m in HEADINGS if any(m in s for each in contestants.values() for s in each)]
    head = [title, *(HEADINGS[measure][0] for measure in measures)]
    lines = [line(head), line(["---"] * len(head))]
    for name, samples in contestants.items():
        lines.append(line([name, *(_cell(samples, measure) for measure in measures)]))
    return "\n".join(lines)


def _cell(samples: Sequence[Sample], measure: str) -> str:
    values = [sample[measure] for sample in samples if measure in sample]
    return middle(values, HEADINGS[measure][1]) if values else "–"  # noqa: RUF001


def new_file(name: str, folder: Path = RESULTS) -> Path:
    """Where results of now may be saved."""
    folder.mkdir(exist_ok=True)
    return folder / time.strftime(f"{name}-%Y%m%dT%H%M%SZ.json", time.gmtime())


def save(
    path: Path, rows: Sequence[Row], options: Mapping[str, object], about: About, found: Found
) -> None:
    """Write every sample, of the rows that all contestants have been through."""
    whole = {name: runs for name, runs in found.items() if all(runs.values())}
    kept = {
        "about": about,
        "options": dict(options),
        "titles": {row.name: row.title for row in rows},
        "rows": whole,
    }
    path.write_text(json.dumps(kept, indent=1))


def about() -> About:
    """The day, the machine, and the versions of all that takes part."""
    return {
        "measured": time.strftime("%Y-%m-%d", time.gmtime()),
        "machine": f"{_cpu()}, {platform.system()} {_kernel()}",
        "python": f"{platform.python_version()}, {_python_build()}",
        "webchat": metadata.version("webchat"),
        "commit": _first_line("git", "rev-parse", "--short", "HEAD"),
        "python-socketio": metadata.version("python-socketio"),
        "node": _first_line("node", "--version"),
        "socket.io": _npm_version("socket.io"),
        "redis-adapter": _npm_version("@socket.io/redis-adapter"),
        "centrifugo": _first_line(str(CENTRIFUGO), "version"),
        "tinode": _tinode_version(),
        "redis": _first_line("redis-server", "--version").partition(" sha=")[0],
        "postgresql": _first_line(str(binaries() / "postgres"), "--version"),
        "cc": _first_line("cc", "--version"),
    }


def _python_build() -> str:
    """Which build of an interpreter it is makes a sixth and more (docs/adr/0009)."""
    return "the system's" if sys.base_prefix == "/usr" else "not the system's"


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [each.partition(":")[2].strip() for each in lines if each.startswith("model name")]
    return f"{len(models)} × {models[0]}" if models else platform.machine()  # noqa: RUF001


def _kernel() -> str:
    """Its version without what names one build of it."""
    return ".".join(platform.release().split(".")[:2])


def _npm_version(package: str) -> str:
    path = HERE / "peers" / "socketio" / "node_modules" / package / "package.json"
    return str(json.loads(path.read_text())["version"]) if path.exists() else "–"  # noqa: RUF001


def _tinode_version() -> str:
    """The one that is built; it does not say its own."""
    lines = (HERE / "peers" / "tinode" / "go.mod").read_text().splitlines()
    (required,) = [line for line in lines if line.startswith("require github.com/tinode/chat ")]
    return required.rpartition(" ")[2] if TINODE.exists() else "–"  # noqa: RUF001


def _first_line(*command: str) -> str:
    try:
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    except (FileNotFoundError, subprocess.CalledProcessError):
        return "–"  # noqa: RUF001
    return done.stdout.partition("\n")[0]
