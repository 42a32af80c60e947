"""The bus of a lone node: there is nobody to hear what it publishes."""

from __future__ import annotations

from collections.abc import Sequence

from webchat.ports.bus import BusListener, PublishDone


class LoneBus:
    """Always up; publishes reach nobody and are done at once."""

    is_alone = True

    def listen(self, listener: BusListener) -> None:
        """Nobody else publishes, so there is nothing to hear."""

    async def open(self) -> None:
        """There is nothing to connect to."""

    def publish(
        self, topics: Sequence[str], payload: bytes, done: PublishDone | None = None
    ) -> None:
        """Nobody hears it."""
        if done is not None:
            done(0)

    async def subscribe(self, topic: str) -> None:
        """Nothing will arrive on it."""

    def unsubscribe(self, topic: str) -> None:
        """Nothing has arrived on it."""

    async def trouble(self) -> str:
        """Never any."""
        return ""

    async def close(self) -> None:
        """There is nothing to let go of."""
