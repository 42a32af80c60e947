"""Heads of logs followed here are compared with the store's: what the bus did not bring is found.

It is done when this node's bus is back, when somebody says so (a node has died), again and again
while the bus is lost, and else on a slow sweep (docs/architecture.md, "Many nodes").
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from webchat.chat.followed import FollowedLog
from webchat.chat.gaps import Gaps
from webchat.chat.roster import Roster
from webchat.chat.settings import RepairSettings
from webchat.chat.tasks import OneAtATime
from webchat.chat.tools import Tools
from webchat.ports.clock import Timer, pause


class Comparing:
    """Conversations' logs and users' alike. While the store does not answer it waits."""

    def __init__(self, roster: Roster, gaps: Gaps, tools: Tools, settings: RepairSettings) -> None:
        self._roster = roster
        self._log = tools.store.log
        self._gaps = gaps
        self._patience = tools.patience
        self._clock = tools.clock
        self._stats = tools.stats
        self._settings = settings
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
        logs = list(self._roster.logs.values())
        for start in range(0, len(logs), self._settings.heads_page):
            await self.compare_some(logs[start : start + self._settings.heads_page])

    async def compare_some(self, logs: Sequence[FollowedLog]) -> None:
        """Have what these logs have and this node has not passed on read and passed on."""
        convs = [log.conv for log in logs]
        heads = await self._patience.insist(lambda: self._log.heads(convs), "comparing heads")
        self._stats.compared += len(convs)
        for log in logs:
            head = heads.get(log.conv)
            if head is not None and head.last > log.last and self._is_followed(log):
                self._gaps.close(log, head.last)

    def _is_followed(self, log: FollowedLog) -> bool:
        return self._roster.logs.get(log.conv) is log

    async def sweep(self) -> None:
        """Compare for ever, a page after the other, so that all are compared in one interval."""
        while True:
            all_logs = list(self._roster.logs.values())
            size = self._settings.heads_page
            starts = range(0, len(all_logs), size)
            pages = [all_logs[start : start + size] for start in starts] or [[]]
            for page in pages:
                await pause(self._clock, self._settings.sweep_interval_s / len(pages))
                if logs := [log for log in page if self._is_followed(log)]:
                    await self._patience.attempt(partial(self.compare_some, logs), "the sweep")
