"""Every promise holds in every story; a story is the same each time it is told."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.sim.runner import outcomes
from tests.sim.story import tell

SEEDS = range(150)
WORKERS = 2


@pytest.mark.timeout(400)
def test_every_promise_holds_in_every_story() -> None:
    broken = [
        f"{outcome.broken}\n    again: python -m tests.sim {outcome.seed}"
        for outcome in outcomes(SEEDS, WORKERS)
        if outcome.broken
    ]
    assert not broken, "\n".join(["", *broken])


@pytest.mark.parametrize("seed", [3, 4])
def test_a_story_is_told_again_exactly_in_another_process(seed: int) -> None:
    here = tell(seed).history.digest()
    for hash_seed in ("1", "2"):
        told = subprocess.run(
            [sys.executable, "-m", "tests.sim", str(seed), "--quiet"],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        assert told.stdout.strip() == f"seed {seed}: {here}"


def test_another_seed_tells_another_story() -> None:
    assert tell(5).history.digest() != tell(6).history.digest()
