"""Tasks: held until they end, and never failing in silence."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

Work = Coroutine[Any, Any, None]
Spawn = Callable[[Work], object]
_log = structlog.get_logger()


class Tasks:
    """What runs beside the plain calls; `close` ends it all."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def spawn(self, work: Work) -> asyncio.Task[None]:
        """Run `work`; an error is logged."""
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("a task failed", exc_info=error)

    async def over(self) -> None:
        """Return once nothing runs any more."""
        while self._running:
            await asyncio.wait(self._running)

    async def close(self) -> None:
        """Cancel what runs and wait until it has ended."""
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


class OneAtATime:
    """Work that does not run twice at once: asked for while it runs, it runs once more after."""

    def __init__(self, work: Callable[[], Work], spawn: Spawn) -> None:
        self._work = work
        self._spawn = spawn
        self._is_asked = False
        self._is_running = False

    def ask(self) -> None:
        """Have it run from its beginning, soon."""
        self._is_asked = True
        if not self._is_running:
            self._is_running = True
            self._spawn(self._run())

    async def _run(self) -> None:
        try:
            while self._is_asked:
                self._is_asked = False
                await self._work()
        finally:
            self._is_running = False
