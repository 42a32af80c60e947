"""A node's end of a bus in tests, and what it hears."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from webchat.ports.bus import Bus

PATIENCE_S = 10.0
_POLL_S = 0.01


class Heard:
    """A listener that remembers, and can be waited for."""

    def __init__(self) -> None:
        self.events: list[object] = []
        self.whys: list[str] = []
        self.deaf_s: list[float] = []
        self._changed = asyncio.Event()

    def published(self, topic: str, payload: bytes) -> None:
        self._remember((topic, payload))

    def lost(self, why: str, deaf_s: float) -> None:
        self.whys.append(why)
        self.deaf_s.append(deaf_s)
        self._remember("lost")

    def regained(self) -> None:
        self._remember("regained")

    async def until(self, event: object, times: int = 1) -> None:
        """Wait until `event` was heard that often."""
        async with asyncio.timeout(PATIENCE_S):
            while self.events.count(event) < times:
                self._changed.clear()
                await self._changed.wait()

    def _remember(self, event: object) -> None:
        self.events.append(event)
        self._changed.set()


class Node:
    """A node's end of the bus, and what it heard."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self.heard = Heard()
        self.bus.listen(self.heard)


def publish(node: Node, topic: str, payload: bytes) -> asyncio.Future[int | Exception]:
    """Publish; the result is the outcome."""
    future: asyncio.Future[int | Exception] = asyncio.get_running_loop().create_future()
    node.bus.publish((topic,), payload, future.set_result)
    return future


async def eventually(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait for what nobody tells when it comes true."""
    async with asyncio.timeout(PATIENCE_S):
        while not await holds():  # noqa: ASYNC110
            await asyncio.sleep(_POLL_S)
