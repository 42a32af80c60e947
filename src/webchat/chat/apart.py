"""What the store does not answer for is tried again apart, and holds up nothing else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Sequence
from itertools import islice
from typing import Generic, TypeVar

from webchat.chat.tools import Tools
from webchat.errors import WebchatError

K = TypeVar("K", bound=Hashable)


class Apart(Generic[K]):
    """Work on many things, of which the store may not answer for some alone. Those are tried once a
    second, in turns, until it does; where they come together, ever fewer of them at once.

    `act`: it, on up to `at_once` of them. `doing`: that, for the log.
    """

    def __init__(
        self, act: Callable[[Sequence[K]], Awaitable[None]], at_once: int, doing: str, tools: Tools
    ) -> None:
        self._act = act
        self._at_once = self._next = at_once
        self._doing = doing
        self._patience = tools.patience
        self._spawn = tools.spawn
        self._left: dict[K, None] = {}
        self._is_trying = False

    async def act_on(self, those: Sequence[K]) -> None:
        """Do it, but for what waits to be tried again. Raises WebchatError that no retry mends."""
        due = [each for each in those if each not in self._left]
        try:
            await self._act(due)
        except WebchatError as error:
            if not error.code.retry:
                raise
            self._left.update(dict.fromkeys(due))
            if not self._is_trying:
                self._is_trying = True
                self._spawn(self._try_again())

    async def _try_again(self) -> None:
        try:
            while self._left:
                first = f"{next(iter(self._left))!s:.100}"
                await self._patience.attempt(self._try_next, self._doing, first=first)
        finally:
            self._is_trying = False

    async def _try_next(self) -> None:
        """What is under way does not wait: asked for now, it may come to something else."""
        those = list(islice(self._left, self._next))
        for each in those:
            del self._left[each]
        try:
            await self._act(those)
        except WebchatError as error:
            if error.code.retry:
                self._left.update(dict.fromkeys(those))
                self._next = max(1, len(those) // 2)
            raise
        self._next = self._at_once
