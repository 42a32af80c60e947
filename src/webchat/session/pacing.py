"""Who comes in while many do waits for its turn, so that those who are in are not held up."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

Act = Callable[[], object]


class Pacing:
    """Acts in their order, at most `per_turn` of them in one turn of the loop."""

    __slots__ = ("_call_soon", "_done", "_per_turn", "_waiting")

    def __init__(self, call_soon: Callable[[Act], object], per_turn: int) -> None:
        self._call_soon = call_soon
        self._per_turn = per_turn
        self._done = 0
        self._waiting: deque[Act] = deque()

    def begin(self, act: Act) -> bool:
        """Do `act` at once, or in one of the next turns; whether it is done."""
        if self._done >= self._per_turn:
            self._waiting.append(act)
            return False
        if not self._done:
            self._call_soon(self._next_turn)
        self._done += 1
        act()
        return True

    def _next_turn(self) -> None:
        self._done = min(self._per_turn, len(self._waiting))
        if self._done:
            self._call_soon(self._next_turn)
        for _ in range(self._done):
            self._waiting.popleft()()
