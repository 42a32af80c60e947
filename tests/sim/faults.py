"""What goes wrong, and when: episodes drawn from the seed, and a record of when there was calm."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from random import Random
from typing import Final

EVERY: Final = -1
"""The `node` of an episode that meets them all."""

STORE: Final = frozenset({"store down", "store flaky", "store slow", "store stands still"})
BUS: Final = frozenset(
    {"bus down", "bus cut", "bus slow", "bus stands still", "bus loses", "bus splits"}
)
NODE: Final = frozenset({"crash", "pause"})
_AT_ONE: Final = NODE | {"bus cut", "bus splits"}
HARMLESS: Final = frozenset({"bus doubles"})
"""What must not even be noticed: no promise waits for its end."""


@dataclass(frozen=True)
class Episode:
    """From `start_s` to `end_s`, `kind` at `node` (or EVERY). `p`: how often, where that varies."""

    kind: str
    node: int
    start_s: float
    end_s: float
    p: float

    def __str__(self) -> str:
        where = "everywhere" if self.node == EVERY else f"at node {self.node}"
        return f"{self.kind} {where} for {self.end_s - self.start_s:.2f} s"


class Faults:
    """The episodes that are under way, and the times in which something was wrong."""

    def __init__(self) -> None:
        self._active: list[Episode] = []
        self.disturbed: list[tuple[float, float, str, int]] = []

    def begin(self, episode: Episode) -> None:
        """It is under way from now on."""
        self._active.append(episode)
        if episode.kind not in HARMLESS:
            self.note(episode.start_s, episode.end_s, episode.kind, episode.node)

    def end(self, episode: Episode) -> None:
        """It is over."""
        self._active.remove(episode)

    def note(self, start_s: float, end_s: float, kind: str, node: int) -> None:
        """Between these times nobody may count on what `kind` disturbs."""
        self.disturbed.append((start_s, end_s, kind, node))

    def at(self, kind: str, node: int) -> Episode | None:
        """An episode of this kind that meets this node now."""
        for episode in self._active:
            if episode.kind == kind and episode.node in (node, EVERY):
                return episode
        return None

    def kinds(self) -> Iterable[str]:
        """Of what is under way."""
        return [episode.kind for episode in self._active]


_LENGTHS_S: Final = {
    "store down": (0.3, 6.0),
    "store flaky": (0.5, 8.0),
    "store slow": (0.5, 8.0),
    "store stands still": (0.3, 4.0),
    "bus down": (0.2, 12.0),
    "bus cut": (0.2, 14.0),
    "bus slow": (0.5, 8.0),
    "bus stands still": (0.1, 3.0),
    "bus loses": (0.5, 6.0),
    "bus splits": (0.5, 12.0),
    "bus doubles": (2.0, 20.0),
    "crash": (0.5, 25.0),
    "pause": (0.2, 9.0),
}
_WEIGHTS: Final = {"bus down": 3, "bus cut": 4, "crash": 5, "pause": 2, "bus loses": 1}


def draw_episodes(rng: Random, nodes: int, until_s: float) -> list[Episode]:
    """What goes wrong in a story of so many nodes; all is over at `until_s`."""
    kinds = [kind for kind in _LENGTHS_S for _ in range(_WEIGHTS.get(kind, 2))]
    chosen = [rng.choice(kinds) for _ in range(rng.randint(2, 9))]
    return [_episode(rng, kind, nodes, until_s) for kind in chosen]


def _episode(rng: Random, kind: str, nodes: int, until_s: float) -> Episode:
    start_s = rng.uniform(1.0, until_s - 1.0)
    shortest, longest = _LENGTHS_S[kind]
    end_s = min(start_s + rng.uniform(shortest, longest), until_s)
    at_one = kind in _AT_ONE or (kind in STORE and rng.random() < 0.5)
    node = rng.randrange(nodes) if at_one else EVERY
    return Episode(kind, node, start_s, end_s, rng.choice((0.05, 0.2, 0.5)))
