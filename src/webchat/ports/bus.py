"""The bus: publish and subscribe between nodes. A hint; the log is the truth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

PublishDone = Callable[["int | Exception"], None]


class BusRefused(Exception):  # noqa: N818
    """The bus cannot be used; the message says why and what to do, for a person at a terminal."""


class BusListener(Protocol):
    """Who hears what other nodes publish. All calls on the loop's thread."""

    def published(self, topic: str, payload: bytes) -> None:
        """Another node published `payload` on a topic held here, or let go of just now: whom a
        publish counts as having heard it hears it."""

    def lost(self, why: str, deaf_s: float) -> None:
        """The bus does not answer, and `why`, for the log; what is published meanwhile does not
        arrive, and perhaps nothing has for `deaf_s`."""

    def regained(self) -> None:
        """The bus is back and all topics held are subscribed again; something may be missing."""


class Bus(Protocol):
    """Topics are short ASCII strings (`user:<uid>`, a group's id). Nothing is stored.

    Promises: a node never hears its own publishes; those of one node on one topic arrive in order
    or not at all; every `done` is called, in the order of the publishes, and within a time that the
    bus is given as its setting, but for a burst that takes it longer: at the first publish that is
    not answered in time all that wait fail, in order, the bus is `lost`, and until it is `regained`
    publishes fail at once.
    """

    def listen(self, listener: BusListener) -> None:
        """Set who hears; once, before anything else."""

    async def open(self) -> None:
        """Connect. Raises BusRefused: unreachable, wrong credentials, unfit."""

    @property
    def is_alone(self) -> bool:
        """Whether it is up and no other node on it: a publish would reach nobody, and need not even
        be encoded."""

    def publish(
        self, topics: Sequence[str], payload: bytes, done: PublishDone | None = None
    ) -> None:
        """Tell other nodes on each of `topics`. `done`: how many heard, over all topics, or why one
        of them failed; possibly at once."""

    async def subscribe(self, topic: str) -> None:
        """The topic is held from now on; returns once others' publishes on it arrive.

        Raises WebchatError(UNAVAILABLE) while the bus is down: it is held then, too, and subscribed
        before `regained`.
        """

    def unsubscribe(self, topic: str) -> None:
        """No longer wanted; harmless if it was not held."""

    async def trouble(self) -> str:
        """Why the bus does not serve as it should now, for `/readyz`; "": it does."""

    async def close(self) -> None:
        """Let go of everything."""
