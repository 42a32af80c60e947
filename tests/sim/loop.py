"""An asyncio event loop on virtual time; which process goes on next is drawn from the seed.

Time stands still while a callback runs and jumps to the next timer when nothing is ready, so hours
cost nothing, and the same seed runs the same callbacks in the same order.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from random import Random
from typing import Any, Final, TypeVar, TypeVarTuple

from tests.sim.violations import Violation

T = TypeVar("T")
Args = TypeVarTuple("Args")
STEP_S: Final = 20e-6
"""How long a callback takes: so that timers come between callbacks that are ready, too."""


class Process:
    """Callbacks that share a fate: they run in their order, stand still together, die together.

    What is scheduled from inside a process belongs to it, as asyncio copies the context.
    """

    __slots__ = ("context", "is_dead", "is_paused", "name", "ready", "tasks")

    def __init__(self, name: str) -> None:
        self.name = name
        self.ready: deque[asyncio.Handle] = deque()
        self.is_paused = False
        self.is_dead = False
        self.tasks: dict[asyncio.Task[Any], Coroutine[Any, Any, Any]] = {}
        self.context: Context = copy_context()
        self.context.run(_PROCESS.set, self)


_PROCESS: ContextVar[Process] = ContextVar("process")


class VirtualLoop(asyncio.BaseEventLoop):
    """The loop of a simulated world. `world`: the process of everything that is no node.

    `max_steps`: more callbacks than that mean that something spins: Violation.
    """

    def __init__(self, rng: Random, max_steps: int = 2_000_000) -> None:
        super().__init__()
        self.world = Process("world")
        self.steps = 0
        self._rng = rng
        self._max_steps = max_steps
        self._now_s = 0.0
        self._order = itertools.count()
        self._timers: list[tuple[float, int, asyncio.TimerHandle, Process]] = []
        self._runnable: list[Process] = []
        self.set_task_factory(self._make_task)  # type: ignore[arg-type]

    # What asyncio asks for

    def time(self) -> float:
        """Virtual seconds since the beginning."""
        return self._now_s

    def call_soon(
        self, callback: Callable[[*Args], object], *args: *Args, context: Context | None = None
    ) -> asyncio.Handle:
        """Run `callback` when its process has its turn."""
        context = context if context is not None else copy_context()
        handle = asyncio.Handle(callback, args, self, context)
        self._make_ready(handle, context.get(_PROCESS, self.world))
        return handle

    def call_at(
        self,
        when: float,
        callback: Callable[[*Args], object],
        *args: *Args,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Run `callback` at the virtual time `when`."""
        context = context if context is not None else copy_context()
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        process = context.get(_PROCESS, self.world)
        heapq.heappush(self._timers, (when, next(self._order), handle, process))
        return handle

    def call_later(
        self,
        delay: float,
        callback: Callable[[*Args], object],
        *args: *Args,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Run `callback` in `delay` virtual seconds."""
        return self.call_at(self._now_s + max(delay, 0.0), callback, *args, context=context)

    call_soon_threadsafe = call_soon

    def _asyncgen_finalizer_hook(self, agen: Any) -> None:
        """One that was left half read just ends: a task for it would come when the collector does,
        and the seed has no say in that."""

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """It stays in the heap, and is passed over when its time comes."""

    def _run_once(self) -> None:
        """One callback; asyncio calls this for ever."""
        self._now_s += STEP_S
        if not self._runnable:
            self._jump()
        self._take_due()
        if self._runnable:
            self._step()

    # Order

    def _jump(self) -> None:
        while self._timers and self._timers[0][2].cancelled():
            heapq.heappop(self._timers)
        if not self._timers:
            raise Violation("stuck: something is awaited, and nothing is ever going to happen")
        self._now_s = max(self._now_s, self._timers[0][0])

    def _take_due(self) -> None:
        timers = self._timers
        while timers and timers[0][0] <= self._now_s:
            _, _, handle, process = heapq.heappop(timers)
            if not handle.cancelled():
                self._make_ready(handle, process)

    def _make_ready(self, handle: asyncio.Handle, process: Process) -> None:
        if process.is_dead:
            return
        if not process.ready and not process.is_paused:
            self._runnable.append(process)
        process.ready.append(handle)

    def _step(self) -> None:
        runnable = self._runnable
        at = int(self._rng.random() * len(runnable)) if len(runnable) > 1 else 0
        process = runnable[at]
        handle = process.ready.popleft()
        if not process.ready:
            del runnable[at]
        self.steps += 1
        if self.steps > self._max_steps:
            raise Violation("spins: far more happens than anybody asked for")
        if not handle.cancelled():
            handle._run()

    # Processes

    def pause(self, process: Process) -> None:
        """It stands still, as after SIGSTOP; its timers fall due all the same."""
        process.is_paused = True
        if process in self._runnable:
            self._runnable.remove(process)

    def resume(self, process: Process) -> None:
        """It goes on where it stood."""
        process.is_paused = False
        if process.ready and process not in self._runnable and not process.is_dead:
            self._runnable.append(process)

    def kill(self, process: Process) -> None:
        """Nothing of it ever runs again. To be called from outside of it."""
        process.is_dead = True
        process.ready.clear()
        if process in self._runnable:
            self._runnable.remove(process)
        for task, work in process.tasks.items():
            task._log_destroy_pending = False  # type: ignore[attr-defined]
            with contextlib.suppress(RuntimeError):
                work.close()
        process.tasks.clear()

    def _make_task(
        self, loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T], **options: Any
    ) -> asyncio.Task[T]:
        task = asyncio.Task(work, loop=loop, **options)
        context: Context = options.get("context") or copy_context()
        tasks = context.get(_PROCESS, self.world).tasks
        tasks[task] = work
        task.add_done_callback(lambda ended: tasks.pop(ended, None), context=self.world.context)
        return task
