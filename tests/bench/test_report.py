"""From samples to verdicts and tables."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from bench import report, samples
from bench.goals import GOALS, TIMES, verdicts
from bench.nodes import NPM, OURS
from bench.running import RunError
from bench.samples import Found, Row, Sample, table

MET, STRETCHED, MISSED = 30.0, 20.0, 90.0
THEIRS = 80.0


def found(ours_us: float) -> Found:
    return {"pairs-many": {OURS: [{"server_us": ours_us}], NPM: [{"server_us": THEIRS}]}}


@pytest.mark.parametrize(
    ("ours_us", "verdict"),
    [
        (MET, "met |"),
        (STRETCHED, "met, with the stretch |"),
        (MISSED, f"not yet, because {GOALS[0].because} |"),
    ],
)
def test_a_goal_is_judged_by_the_ratio(ours_us: float, verdict: str) -> None:
    lines = report.markdown(report.Measured({}, {"pairs-many": "pairs"}, found(ours_us)))
    (judged,) = [line for line in lines.splitlines() if line.startswith(f"| {GOALS[0].title} |")]
    assert judged.endswith(verdict)
    assert f"{ours_us / THEIRS:.2f} {TIMES}" in judged


def test_what_was_not_measured_is_said_to_be() -> None:
    assert sum(value is None for _, value in verdicts(found(MET))) == len(GOALS) - 1


def test_what_was_measured_before_a_fault_is_kept(tmp_path: Path) -> None:
    def fails() -> Sample:
        raise RunError("it did not come up")

    rows = [
        Row("pairs-many", "pairs", {OURS: lambda: {"server_us": MET}}),
        Row("idle", "connections", {OURS: lambda: {"kib": 1.0}, NPM: fails}),
    ]
    path = samples.new_file("long", tmp_path)
    with pytest.raises(RunError):
        samples.measure(rows, 2, partial(samples.save, path, rows, {}, {"node": "v20"}))
    measured = report.read([path])
    assert measured.rows == {"pairs-many": {OURS: [{"server_us": MET}]}}
    assert report.markdown(measured)


def test_a_table_shows_medians_and_what_lies_around_them() -> None:
    ours = [{"server_us": 1.0}, {"server_us": 5.0}, {"server_us": 2.0}]
    shown = table("pairs", {OURS: ours, NPM: [{"kib": 3.0}]}).splitlines()
    assert "2.0 (1.0" in shown[2]
    assert "5.0)" in shown[2]
    assert len(shown) == 4


def test_only_what_lies_between_the_marks_is_replaced() -> None:
    page = f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n"
    replaced = report.replace(page, "new")
    assert "old" not in replaced
    assert replaced.startswith("before\n")
    assert replaced.endswith("\nafter\n")
    assert report.replace(replaced, "new") == replaced


def test_a_page_without_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="marks"):
        report.replace("no marks", "new")
