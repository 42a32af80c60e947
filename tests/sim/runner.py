"""Many seeds, on all cores, with what broke and how to see it again."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

from tests.sim.story import tell


@dataclass(frozen=True)
class Outcome:
    """What became of one seed. `broken`: the first promise that did not hold, or ""."""

    seed: int
    broken: str
    callbacks: int
    seconds: float


def outcome_of(seed: int) -> Outcome:
    """Run one seed in this process."""
    began_s = time.perf_counter()
    story = tell(seed)
    broken = str(story.violations[0]) if story.violations else ""
    return Outcome(seed, broken, story.world.loop.steps, time.perf_counter() - began_s)


def outcomes(seeds: Iterable[int], workers: int) -> Iterator[Outcome]:
    """Run seeds, each in some process of `workers`, in their order."""
    # Fresh processes: whoever tells many stories may have threads.
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        yield from pool.map(outcome_of, seeds, chunksize=8)


def run_seeds(seeds: range, workers: int) -> int:
    """Run them and print what broke; the exit code."""
    began_s = time.perf_counter()
    broken = callbacks = 0
    for outcome in outcomes(seeds, workers):
        callbacks += outcome.callbacks
        if outcome.broken:
            broken += 1
            print(f"seed {outcome.seed}: {outcome.broken}")
            print(f"  replay: python -m tests.sim {outcome.seed}", flush=True)
    took_s = time.perf_counter() - began_s
    print(
        f"{len(seeds)} seeds from {seeds.start} on, {broken} broken, {callbacks} callbacks, "
        f"{took_s:.1f} s, {took_s / max(len(seeds), 1):.3f} s a seed with {workers} workers",
        file=sys.stderr,
    )
    return 1 if broken else 0
