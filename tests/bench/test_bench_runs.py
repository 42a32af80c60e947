"""Every row of the benchmark runs, with tiny numbers; what it takes is not looked at."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from bench import report, samples
from bench.goals import SMALL_GROUP, verdicts
from bench.rows import rows
from bench.sizes import SIZES

ABOUT_LARGE_GROUPS, BESIDE_TINODE = 2, 1
"""Goals that the tiny size has no rows or no contestants for."""


@pytest.mark.timeout(300)
def test_every_row_gives_samples_that_the_report_shows_and_the_goals_are_worked_out_from(
    tmp_path: Path,
) -> None:
    asked = rows(SIZES["tiny"])
    found = samples.measure(asked, rounds=1)
    for sample in (each for row in found.values() for run in row.values() for each in run):
        assert all(map(math.isfinite, sample.values()))
        assert sample.get("messages_per_s", 1) > 0
    kept = samples.new_file("tiny", tmp_path)
    samples.save(kept, asked, {}, samples.about(), found)
    written = report.markdown(report.read([kept]))
    assert all(f"| {row.title} |" in written for row in asked)
    unmeasured = [goal.title for goal, value in verdicts(found) if value is None]
    assert max(SIZES["tiny"].online) < SMALL_GROUP
    assert len(unmeasured) == ABOUT_LARGE_GROUPS + BESIDE_TINODE, unmeasured


def test_all_sizes_have_the_same_kinds_of_rows() -> None:
    kinds = {
        size: {row.name.rstrip("0123456789") for row in rows(sizes)}
        for size, sizes in SIZES.items()
    }
    assert kinds["tiny"] == kinds["short"] == kinds["long"]
