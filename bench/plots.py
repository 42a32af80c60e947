"""From bench/results to docs/performance: bars and curves, as SVG (`make bench-report`).

python -m bench.plots bench/results/long-….json [bench/results/long-nodes-….json …]
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Mapping
from pathlib import Path
from textwrap import fill

import matplotlib as mpl
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from bench.goals import Medians
from bench.nodes import NPM, OURS
from bench.report import TARGET, read
from bench.rows import BARE
from bench.samples import HEADINGS, Found

FOLDER = TARGET.with_suffix("")
BARS = ("pairs-many", "pairs-one", "offered")
INCHES, TITLE_CHARS = (7.0, 3.2), 24
CURVES: Mapping[str, tuple[str, str]] = {
    "among": ("server_us", "connections"),
    "stored": ("server_us", "messages stored in the conversation"),
    "talks": ("server_us", "conversations of the user"),
    "group": ("copy_us", "members online"),
    "returning": ("connect_us", "conversations of the user, without news"),
    "members": ("server_us", "members, ten of them online"),
}
"""Families of rows: what is drawn, and over what."""


def main() -> None:
    """Read, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path, nargs="+")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    options = parser.parse_args()
    measured = read(options.results)
    options.folder.mkdir(parents=True, exist_ok=True)
    mpl.rcParams |= {"svg.hashsalt": "webchat", "svg.fonttype": "none", "font.size": 9}
    if BARS[0] in measured.rows:
        _bars(measured.rows, measured.titles, options.folder / "messages.svg")
    for family in CURVES.keys() & {row.rpartition("-")[0] for row in measured.rows}:
        _curve(measured.rows, family, options.folder / f"{family}.svg")
    print(f"drawn in {options.folder}")


def _bars(found: Found, titles: Mapping[str, str], path: Path) -> None:
    """CPU per message of all contestants, a panel a row."""
    medians = Medians(found)
    names = [row for row in BARS if row in found]
    figure, panels = plt.subplots(1, len(names), figsize=INCHES, squeeze=False)
    for panel, row in zip(panels[0], names, strict=True):
        who = list(found[row])
        bars = panel.barh(who[::-1], [medians.of(row, "server_us", each) for each in who[::-1]])
        panel.bar_label(bars, fmt="%.1f", padding=2)
        panel.set_title(fill(titles[row], TITLE_CHARS), fontsize=8)
        panel.margins(x=0.3)
        panel.set_yticks(panel.get_yticks(), who[::-1] if panel is panels[0][0] else [])
    figure.supxlabel(HEADINGS["server_us"][0])
    _save(figure, path)


def _curve(found: Found, family: str, path: Path) -> None:
    """One measure over a growing number, a line for each contestant, with its spread."""
    measure, over = CURVES[family]
    rows = Medians(found).curve(family)
    figure, panel = plt.subplots(figsize=INCHES)
    for who in (each for each in (OURS, NPM, BARE) if each in found[rows[0][1]]):
        samples = [[sample[measure] for sample in found[row][who]] for _, row in rows]
        counts = [count for count, _ in rows]
        (drawn,) = panel.plot(
            counts, [statistics.median(each) for each in samples], marker="o", label=who
        )
        lows, highs = [min(each) for each in samples], [max(each) for each in samples]
        panel.fill_between(counts, lows, highs, alpha=0.2, color=drawn.get_color())
    panel.set(xscale="log", xlabel=over, ylabel=HEADINGS[measure][0])
    panel.set_ylim(bottom=0)
    panel.legend()
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


if __name__ == "__main__":
    main()
