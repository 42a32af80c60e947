"""Promises broken on purpose, so that the checkers can be seen to find it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from tests.sim.node import Seams


@dataclass(frozen=True)
class Sabotage:
    """`breaks`: the promise, as the first words of the violation that shows it. `seams`: what is
    put between each node and its world."""

    name: str
    breaks: str
    seams: Callable[[Any], Seams]


HONEST: Final = Sabotage("none", "", lambda world: Seams())
