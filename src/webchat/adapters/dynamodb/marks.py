"""Finishes what nodes left undone: marks of logs that nobody took away in time.

Clocks of nodes differ, so a mark counts as left behind once this node has seen it for a while.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from webchat.adapters.dynamodb import keys
from webchat.adapters.dynamodb.head import MARK_SHARDS
from webchat.adapters.dynamodb.settings import DynamoSettings
from webchat.adapters.dynamodb.steady import SteadyTable
from webchat.errors import WebchatError
from webchat.model import ConvID
from webchat.ports.clock import Clock, Timer

_MOST_A_SHARD = 100


class MarkSweep:
    """Looks for marks now and then; `finish` does what those of one log say."""

    def __init__(
        self,
        table: SteadyTable,
        finish: Callable[[ConvID], Awaitable[None]],
        settings: DynamoSettings,
        clock: Clock,
    ) -> None:
        self._table = table
        self._finish = finish
        self._every_s = settings.marks_every_ms / 1000
        self._age_s = settings.mark_age_ms / 1000
        self._clock = clock
        self._seen: dict[ConvID, float] = {}
        self._failing: set[ConvID] = set()
        self._timer: Timer | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; until `stop`."""
        self._timer = self._clock.call_later(self._every_s, self._begin)

    async def stop(self) -> None:
        """Stop looking; what is being finished is finished."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._task is not None:
            await asyncio.wait([self._task])

    def _begin(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._sweep_and_go_on())

    async def _sweep_and_go_on(self) -> None:
        try:
            await self.sweep()
        except WebchatError:
            # The store does not answer, or not for one log; the next sweep may find it back.
            pass
        except Exception:
            # What was left half done is finished here alone: never end in silence.
            logging.getLogger(__name__).exception("marks were not looked for")
        if self._timer is not None:
            self.start()

    async def sweep(self) -> None:
        """Finish the marks that have been seen for long enough, those of a log that could not be
        finished after all others. Raises UNAVAILABLE."""
        now_s = self._clock.monotonic_s()
        seen, self._seen = self._seen, {}
        marked: dict[ConvID, float] = {}
        for shard in range(MARK_SHARDS):
            for key in await self._table.marked(str(shard), _MOST_A_SHARD):
                conv = keys.conv_of(key.pk)
                marked[conv] = seen.get(conv, now_s)
        self._seen = marked
        self._failing &= marked.keys()
        for conv in sorted(marked, key=self._failing.__contains__):
            if now_s - marked[conv] >= self._age_s:
                self._failing.add(conv)
                await self._finish(conv)
                self._failing.discard(conv)
