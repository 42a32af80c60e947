"""A device whose cursors come in several packets: what no packet has named yet waits."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from tests.sim.node import MORE_WITHIN_S
from tests.sim.violations import require

PAGES: Final = "joins in pages"


class Paging:
    """One connection's. A node waits for more at least as long after the first packet was sent."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._named: set[str] = set()
        self._until_s = 0.0

    def begin(self, named: Iterable[str], now_s: float, *, more: bool) -> None:
        """A `join` is sent."""
        self._named = set(named)
        self._until_s = now_s + MORE_WITHIN_S if more else 0.0

    def go_on(self, named: Iterable[str], *, more: bool) -> None:
        """A `sync` is acked; one without `more` was the last."""
        self._named.update(named)
        if not more:
            self.end()

    def end(self) -> None:
        """No more packets are waited for."""
        self._until_s = 0.0

    def check(self, conv: str, now_s: float) -> None:
        """Something of a conversation came. Raises Violation if that has to wait."""
        is_early = now_s < self._until_s and conv not in self._named
        require(not is_early, PAGES, f"{self._name} got something of {conv}, which no packet named")
