"""`python -m tests.sim SEED`: tell one story again, with its trace. `--seeds N`: run many."""

from __future__ import annotations

import argparse
import sys

from tests.sim.runner import run_seeds
from tests.sim.story import tell


def main() -> int:
    """The exit code: 0 if every promise held."""
    parser = argparse.ArgumentParser(prog="python -m tests.sim", description=__doc__)
    parser.add_argument("seed", type=int, nargs="?", help="the story to tell again")
    parser.add_argument("--seeds", type=int, default=0, help="how many to run, from --first on")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--quiet", action="store_true", help="no trace, its hash alone")
    given = parser.parse_args()
    if given.seed is None:
        return run_seeds(range(given.first, given.first + given.seeds), given.workers)
    story = tell(given.seed)
    if not given.quiet:
        print("\n".join(story.history.trace))
    print(f"seed {given.seed}: {story.history.digest()}")
    for violation in story.violations[:1]:
        print(f"BROKEN {violation}")
    return 1 if story.violations else 0


if __name__ == "__main__":
    sys.exit(main())
