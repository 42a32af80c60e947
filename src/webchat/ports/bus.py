"""The bus: publish and subscribe between nodes. A hint; the log is the truth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

PublishDone = Callable[["int | Exception"], None]


class BusListener(Protocol):
    """Who hears what other nodes publish. All calls on the loop's thread."""

    def published(self, topic: str, payload: bytes) -> None:
        """Another node published `payload` on a topic held here."""

    def lost(self) -> None:
        """The bus does not answer; what is published meanwhile does not arrive."""

    def regained(self) -> None:
        """The bus is back and all topics held are subscribed again; something may be missing."""


class Bus(Protocol):
    """Topics are short ASCII strings (`user:<uid>`, a group's id). Nothing is stored.

    Promises: a node never hears its own publishes; those of one node on one topic arrive in order
    or not at all; `done` calls come in the order of the publishes.
    """

    def listen(self, listener: BusListener) -> None:
        """Set who hears; once, before anything else."""

    def publish(self, topic: str, payload: bytes, done: PublishDone | None = None) -> None:
        """Tell other nodes. `done`: how many of them heard, or why it failed; possibly at once."""

    async def subscribe(self, topic: str) -> None:
        """Returns once the subscription holds. Raises WebchatError(UNAVAILABLE)."""

    def unsubscribe(self, topic: str) -> None:
        """No longer wanted; harmless if it was not held."""

    async def is_up(self) -> bool:
        """Whether the bus answers now, for `/readyz`."""

    async def close(self) -> None:
        """Let go of everything."""
