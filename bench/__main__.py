"""`make bench`, `make bench-long`: webchat beside npm socket.io, in turn, on one machine.

Each server is bound to one core and the load, a C program, to the other. Every run has a fresh
server; every sample goes to bench/results.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial

from bench import running, samples
from bench.rows import rows
from bench.sizes import SIZES
from tests.processes import end_as_by_ctrl_c


def options_of(args: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line of `python -m bench`."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--size", choices=SIZES, default="short")
    parser.add_argument("--rounds", type=int, help="instead of the size's own")
    parser.add_argument("--rows", nargs="*", default=[""], help="beginnings of rows' names")
    return parser.parse_args(args)


def main(args: Sequence[str] | None = None) -> None:
    """Measure, save after each row, print."""
    end_as_by_ctrl_c()
    options = options_of(args)
    sizes = SIZES[options.size]
    running.raise_open_files()
    asked = [row for row in rows(sizes) if row.name.startswith(tuple(options.rows))]
    path = samples.new_file("-".join(filter(None, [options.size, *options.rows])))
    said = {**vars(options), "sizes": asdict(sizes)}
    keep = partial(samples.save, path, asked, said, samples.about())
    try:
        found = samples.measure(asked, options.rounds or sizes.rounds, keep)
    finally:
        print(f"saved to {path}")
    for row in asked:
        print(f"\n{samples.table(row.title, found[row.name])}")


if __name__ == "__main__":
    main()
