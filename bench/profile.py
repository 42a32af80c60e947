"""Flame graphs of the hot paths, while they are under the loads of `make bench`: a message to one
other, a fan-out, devices that log in and sync.

    python -m bench.profile [--into docs/performance] [--seconds 6] [message fan-out returning]

py-spy samples both the event loop and the threads of the store, 500 times a second.
"""

from __future__ import annotations

import argparse
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

from bench import cases, servers
from bench.cases import Pace, Start
from bench.group_store import group_of
from bench.report import TARGET
from bench.rows import CONVERSATIONS, ENTRIES, rested
from bench.running import Running, raise_open_files
from bench.stores import Talks
from tests.processes import end_as_by_ctrl_c

PER_S = 500
ONLINE, DEVICES = 1_000, 3_000
PATHS: Mapping[str, tuple[Start, Callable[[Start, Pace], object]]] = {
    "message": (servers.webchat, lambda start, pace: cases.chat(start, pace, 100, 8, 250)),
    "fan-out": (
        partial(servers.webchat, group_of(ONLINE)),
        lambda start, pace: cases.fan_out(start, pace, ONLINE, 8, 250),
    ),
    "returning": (
        rested(Talks("secured", DEVICES, CONVERSATIONS, ENTRIES)),
        lambda start, pace: cases.returning(start, pace, DEVICES, CONVERSATIONS, ENTRIES),
    ),
}


def main() -> None:
    """Draw those that are asked for."""
    end_as_by_ctrl_c()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--into", type=Path, default=TARGET.with_suffix(""))
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("paths", nargs="*", metavar="path")
    options = parser.parse_args()
    raise_open_files()
    for name in options.paths or PATHS:
        start, load = PATHS[name]
        picture = options.into / f"flame-{name}.svg"
        load(partial(sampled, start, picture, name), Pace(options.seconds, 0.5, 0.5))
        print(picture)


@contextmanager
def sampled(
    start: Callable[[], AbstractContextManager[Running]], picture: Path, title: str
) -> Iterator[Running]:
    """The server, looked into while it runs; its flame graph is drawn at the end."""
    with start() as server:
        look = [str(Path(sys.executable).with_name("py-spy")), "record"]
        look += ["--pid", str(server.pids[0]), "--rate", str(PER_S), "--output", str(picture)]
        quiet = subprocess.DEVNULL
        with subprocess.Popen(look, stdout=quiet, stderr=quiet) as sampling:
            try:
                yield server
            finally:
                sampling.send_signal(signal.SIGINT)
    # py-spy's own title is its command line.
    picture.write_text(re.sub(r'(id="title"[^>]*>)[^<]*', rf"\1{title}", picture.read_text()))


if __name__ == "__main__":
    main()
