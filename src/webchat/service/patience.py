"""Waiting for a store that does not answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from webchat.errors import WebchatError
from webchat.ports.clock import Clock, pause

RETRY_S = 1.0
T = TypeVar("T")
_log = structlog.get_logger()


class Patience:
    """Insists where the store does not answer. However many wait, the log gets one line when the
    first begins to, and one when none does any more because it answers: not where who waits is
    cancelled."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiting = 0
        self._is_told = False
        self._has_answered = False

    async def insist(self, act: Callable[[], Awaitable[T]], doing: str, **about: object) -> T:
        """What `act` returns, once it does: while it is refused for now, again and again.

        `doing` and `about` say in the log what waits. Raises WebchatError that no retry mends.
        """
        try:
            result = await act()
        except WebchatError as error:
            self._begin_waiting(error, doing, about)
        else:
            if self._is_told:
                self._has_answered = True
                self._tell_end()
            return result
        try:
            return await self._again(act)
        finally:
            self._waiting -= 1
            self._tell_end()

    async def attempt(
        self, act: Callable[[], Awaitable[T]], doing: str, **about: object
    ) -> T | None:
        """As `insist`, for what goes on after it: an error that no retry mends is logged, and None
        comes of it."""
        try:
            return await self.insist(act, doing, **about)
        except Exception:
            _log.exception("it failed, and what comes after it goes on", doing=doing, **about)
            return None

    def _begin_waiting(self, error: WebchatError, doing: str, about: dict[str, object]) -> None:
        if not error.code.retry:
            raise error
        self._waiting += 1
        self._has_answered = False
        if not self._is_told:
            self._is_told = True
            _log.warning("waits for the store", doing=doing, why=error.why, **about)

    def _tell_end(self) -> None:
        if self._is_told and self._has_answered and not self._waiting:
            self._is_told = False
            _log.info("nothing waits for the store any more")

    async def _again(self, act: Callable[[], Awaitable[T]]) -> T:
        while True:
            await pause(self._clock, RETRY_S)
            try:
                result = await act()
            except WebchatError as error:
                if error.code.retry:
                    continue
                self._has_answered = True
                raise
            self._has_answered = True
            return result
