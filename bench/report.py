"""From bench/results to docs/performance.md: the goals and every row, as Markdown.

    python -m bench.report bench/results/long-….json [bench/results/nodes-….json …]

Rows of later files stand for those of the same name in earlier ones. What lies between the two
marks in docs/performance.md is replaced; the words around it stay.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.goals import Goal, verdicts
from bench.running import HERE
from bench.samples import Found, line, table

TARGET = HERE.parent / "docs" / "performance.md"
BEGIN, END = "<!-- figures: made by bench.report -->", "<!-- end of figures -->"
DRAWN = {
    "messages": "Server CPU per message, one to one",
    "group": "Server CPU per copy by members online",
    "members": "Server CPU per message by members of a group, ten of them online",
    "returning": "Server CPU per device that logs in and syncs, by its conversations",
    "among": "Server CPU per message by connections",
    "stored": "Server CPU per message by messages stored in the conversation",
    "talks": "Server CPU per message by conversations of the user",
}
"""What bench.plots draws."""


@dataclass
class Measured:
    """What files of results hold together. `about`: what all of them say, each value once."""

    about: dict[str, dict[str, None]] = field(default_factory=dict)
    titles: dict[str, str] = field(default_factory=dict)
    rows: Found = field(default_factory=dict)


def read(paths: Sequence[Path]) -> Measured:
    """Join the files."""
    measured = Measured()
    for path in paths:
        kept = json.loads(path.read_text())
        for name, value in kept["about"].items():
            measured.about.setdefault(name, {})[value] = None
        measured.titles |= kept["titles"]
        measured.rows |= kept["rows"]
    return measured


def markdown(measured: Measured, drawn: Sequence[str] = ()) -> str:
    """All that is said between the marks. `drawn`: which of DRAWN there are."""
    tables = [table(measured.titles[name], row) for name, row in measured.rows.items()]
    parts = [_about(measured.about), _goals(measured.rows), "## Every row", *tables]
    parts += ["## Drawn"] if drawn else []
    parts += [f"![{DRAWN[name]}](performance/{name}.svg)" for name in drawn]
    return "\n\n".join(parts)


def _about(about: Mapping[str, Iterable[str]]) -> str:
    return "; ".join(f"{name}: {' and '.join(values)}" for name, values in about.items()) + "."


def _goals(found: Found) -> str:
    head = ("", "measured", "goal", "stretch", "")
    lines = [line(head), line(["---"] * len(head))]
    for goal, value in verdicts(found):
        stretch = "–" if goal.stretch is None else _figure(goal.stretch, goal.unit)  # noqa: RUF001
        shown = "–" if value is None else _figure(value, goal.unit)  # noqa: RUF001
        cells = [goal.title, shown, "≤ " + _figure(goal.most, goal.unit), stretch]
        lines.append(line([*cells, _verdict(goal, value)]))
    return "\n".join(lines)


def _figure(value: float, unit: str) -> str:
    return f"{value:,.2f} {unit}" if value < 10 else f"{value:,.0f} {unit}"


def _verdict(goal: Goal, value: float | None) -> str:
    if value is None:
        return "not measured"
    if value > goal.most:
        return f"not yet, because {goal.because}" if goal.because else "not yet"
    return "met" if goal.stretch is None or value > goal.stretch else "met, with the stretch"


def replace(text: str, figures: str) -> str:
    """`text` with `figures` between its marks. Raises ValueError if it has none."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError("the marks of the figures are missing")
    return f"{before}{begin}\n\n{figures}\n\n{end}{after}"


def main() -> None:
    """Read, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path, nargs="+")
    parser.add_argument("--target", type=Path, default=TARGET)
    options = parser.parse_args()
    folder = options.target.with_suffix("")
    drawn = [name for name in DRAWN if (folder / f"{name}.svg").exists()]
    figures = markdown(read(options.results), drawn)
    options.target.write_text(replace(options.target.read_text(), figures))
    print(f"written to {options.target}")


if __name__ == "__main__":
    main()
