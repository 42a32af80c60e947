"""A store whose process dies: after so many calls nothing that it does is heard of any more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from tests.memory.store import MemoryStore


class MortalStore:
    """`store`, as seen by a process that dies right after its call number `lives_for`.

    That call still has its effect in `store`; its answer, and every later call, is lost.
    """

    def __init__(self, store: MemoryStore, lives_for: int) -> None:
        self.calls = 0
        self._store = store
        self._lives_for = lives_for

    def __getattr__(self, port: str) -> Any:
        return _MortalPort(getattr(self._store, port), self.next_call)

    @property
    def is_dead(self) -> bool:
        """Whether it came to that."""
        return self.calls >= self._lives_for

    def next_call(self) -> tuple[bool, bool]:
        """(has this call an effect, is it answered)."""
        self.calls += 1
        return self.calls <= self._lives_for, self.calls < self._lives_for


class _MortalPort:
    def __init__(self, port: Any, next_call: Callable[[], tuple[bool, bool]]) -> None:
        self._port = port
        self._next_call = next_call

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)
        if not asyncio.iscoroutinefunction(method):
            return lambda request, done: self._queued(method, request, done)

        async def call(*args: Any, **options: Any) -> Any:
            has_effect, is_answered = self._next_call()
            answer = await method(*args, **options) if has_effect else None
            if not is_answered:
                await asyncio.Event().wait()
            return answer

        return call

    def _queued(self, method: Any, request: Any, done: Callable[[Any], None]) -> None:
        has_effect, is_answered = self._next_call()
        if has_effect:
            method(request, done if is_answered else lambda _: None)
