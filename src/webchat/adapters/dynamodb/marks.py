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
    """Looks for marks now and then; `finish` does what those of one log say, which have been there
    for so many seconds."""

    def __init__(
        self,
        table: SteadyTable,
        finish: Callable[[ConvID, float], Awaitable[None]],
        settings: DynamoSettings,
        clock: Clock,
    ) -> None:
        self._table = table
        self._finish = finish
        self._every_s = settings.marks_every_ms / 1000
        self._age_s = settings.mark_age_ms / 1000
        self._clock = clock
        self._seen: dict[tuple[ConvID, int], float] = {}
        self._failing: set[ConvID] = set()
        self._is_stopping = False
        self._timer: Timer | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; until `stop`."""
        self._timer = self._clock.call_later(self._every_s, self._begin)

    async def stop(self) -> None:
        """Stop looking; the log that is being finished is finished."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._is_stopping = True
        if self._task is not None:
            await asyncio.wait([self._task])
        self._is_stopping = False

    def _begin(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._sweep_and_go_on())

    async def _sweep_and_go_on(self) -> None:
        try:
            await self.sweep()
        except WebchatError:
            # The store does not answer, or not for some logs; the next sweep may find it back.
            pass
        except Exception:
            # What was left half done is finished here alone: never end in silence.
            logging.getLogger(__name__).exception("marks were not all finished")
        if self._timer is not None:
            self.start()

    async def sweep(self) -> None:
        """Finish the marks that have been seen for long enough, those of logs that could not be
        finished after all others. Raises UNAVAILABLE, or what else the first of them failed by,
        once all have been tried."""
        now_s = self._clock.monotonic_s()
        seen, self._seen = self._seen, {}
        marked: dict[tuple[ConvID, int], float] = {}
        for shard in range(MARK_SHARDS):
            for key, at in await self._table.marked(str(shard), _MOST_A_SHARD):
                # In a busy log there always is a mark, but not always the same.
                mark = keys.conv_of(key.pk), at
                marked[mark] = seen.get(mark, now_s)
        self._seen = marked
        self._failing &= {conv for conv, _ in marked}
        ages_s = {conv: now_s - since_s for (conv, _), since_s in marked.items()}
        due = [conv for conv, age_s in ages_s.items() if age_s >= self._age_s]
        failures: list[Exception] = []
        for conv in sorted(due, key=self._failing.__contains__):
            if self._is_stopping:
                break
            try:
                await self._finish(conv, ages_s[conv])
            except Exception as error:
                self._failing.add(conv)
                failures.append(error)
            else:
                self._failing.discard(conv)
        if failures:
            raise min(failures, key=lambda error: isinstance(error, WebchatError))
