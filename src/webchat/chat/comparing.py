"""Heads of logs followed here are compared with the store's: what the bus did not bring is found.

It is done when this node's bus is back, when somebody says so (a node has died), again and again
while the bus is lost, and else on a slow sweep (docs/architecture.md, "Many nodes").
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from webchat.chat.gaps import Gaps
from webchat.chat.roster import Roster
from webchat.chat.settings import RepairSettings
from webchat.chat.tools import Tools
from webchat.model import ConvID
from webchat.ports.clock import Timer, pause
from webchat.service.apart import Apart
from webchat.service.tasks import OneAtATime


class Comparing:
    """Conversations' logs and users' alike. Those wait of which the store does not answer."""

    def __init__(self, roster: Roster, gaps: Gaps, tools: Tools, settings: RepairSettings) -> None:
        self._roster = roster
        self._log = tools.store.log
        self._gaps = gaps
        self._patience = tools.patience
        self._clock = tools.clock
        self._stats = tools.stats
        self._settings = settings
        self._heads: Apart[None, ConvID] = Apart(
            self._compare, settings.heads_page, "comparing heads", tools.patience, tools.spawn
        )
        self._all = OneAtATime(self._compare_all, tools.spawn)
        self._timer: Timer | None = None
        self._is_lost = False

    def compare(self) -> None:
        """Compare all soon; who is arriving just now has its logs compared when it is here."""
        self._roster.arrivals_miss_something()
        self._all.ask()

    def lost(self) -> None:
        """The bus is lost: the comparison stands in for it until it is back."""
        self._is_lost = True
        self._compare_later()

    def regained(self) -> None:
        """The bus is back."""
        self._is_lost = False
        self.compare()

    def _compare_later(self) -> None:
        if self._timer is None and self._is_lost:
            self._timer = self._clock.call_later(
                self._settings.compare_interval_ms / 1000, self._compare_while_lost
            )

    def _compare_while_lost(self) -> None:
        self._timer = None
        if self._is_lost:
            self.compare()
            self._compare_later()

    async def _compare_all(self) -> None:
        for page in self._pages():
            await self.compare_some(page)

    def _pages(self) -> list[list[ConvID]]:
        convs, size = list(self._roster.logs), self._settings.heads_page
        return [convs[start : start + size] for start in range(0, len(convs), size)]

    async def compare_some(self, convs: Sequence[ConvID]) -> None:
        """Have what these logs have and this node has not passed on read and passed on; where heads
        cannot be read, when they can."""
        await self._heads.act_on(None, convs)

    async def _compare(self, _: None, convs: Sequence[ConvID]) -> None:
        followed = self._roster.logs
        convs = [conv for conv in convs if conv in followed]
        heads = await self._log.heads(convs) if convs else {}
        self._stats.compared += len(convs)
        for conv, head in heads.items():
            log = followed.get(conv)
            if log is not None and head.last > log.last:
                self._gaps.close(log, head.last)

    async def sweep(self) -> None:
        """Compare for ever, a page after the other, so that all are compared in one interval."""
        while True:
            pages = self._pages() or [[]]
            for page in pages:
                await pause(self._clock, self._settings.sweep_interval_s / len(pages))
                await self._patience.attempt(partial(self.compare_some, page), "the sweep")
