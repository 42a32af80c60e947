"""A bus inside one process: the default for a lone node, and several nodes' in tests."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from webchat.errors import Code, WebchatError
from webchat.ports.bus import BusListener, PublishDone


class MemoryHub:
    """What the ends of one in-process bus share. Tests take it down and bring it back."""

    def __init__(self) -> None:
        self.is_up = True
        self.nodes: list[MemoryBus] = []

    def go_down(self) -> None:
        """From now on nothing is passed on; each node is told."""
        self.is_up = False
        for node in self.nodes:
            node.tell_lost()

    def come_back(self) -> None:
        """Pass on again; each node is told, with the topics it held."""
        self.is_up = True
        for node in self.nodes:
            node.tell_regained()


class MemoryBus:
    """One node's end of a MemoryHub; alone on its hub, publishes reach nobody and are done at once.

    Deliveries and `done` calls of joined nodes come in the loop's next turn, in order.
    """

    def __init__(self, hub: MemoryHub | None = None) -> None:
        self._hub = hub or MemoryHub()
        self._hub.nodes.append(self)
        self._listener: BusListener | None = None
        self._topics: set[str] = set()

    def listen(self, listener: BusListener) -> None:
        """Set who hears."""
        self._listener = listener

    async def open(self) -> None:
        """It is always there."""

    def publish(
        self, topics: Sequence[str], payload: bytes, done: PublishDone | None = None
    ) -> None:
        """Pass `payload` to the other nodes that hold one of `topics`."""
        if self._hub.is_up and len(self._hub.nodes) == 1:
            if done is not None:
                done(0)
            return
        loop = asyncio.get_running_loop()
        outcome = self._pass_on(loop, topics, payload)
        if done is not None:
            loop.call_soon(done, outcome)

    async def subscribe(self, topic: str) -> None:
        """Hold `topic`. Raises WebchatError(UNAVAILABLE) while the hub is down."""
        self._topics.add(topic)
        if not self._hub.is_up:
            raise _down()

    def unsubscribe(self, topic: str) -> None:
        """No longer hold `topic`."""
        self._topics.discard(topic)

    async def trouble(self) -> str:
        """Whether the hub passes on."""
        return "" if self._hub.is_up else _down().message

    async def close(self) -> None:
        """Leave the hub; harmless when done twice."""
        if self in self._hub.nodes:
            self._hub.nodes.remove(self)
        self._topics.clear()

    def holds(self, topic: str) -> bool:
        """Whether this node hears what others publish on `topic`."""
        return topic in self._topics

    def tell_lost(self) -> None:
        """The hub went down."""
        if self._listener is not None:
            self._listener.lost()

    def tell_regained(self) -> None:
        """The hub is back."""
        if self._listener is not None:
            self._listener.regained()

    def hear(self, topic: str, payload: bytes) -> None:
        """Another node published on a topic that was held when it did."""
        if self._listener is not None and topic in self._topics:
            self._listener.published(topic, payload)

    def _pass_on(
        self, loop: asyncio.AbstractEventLoop, topics: Sequence[str], payload: bytes
    ) -> int | Exception:
        if not self._hub.is_up:
            return _down()
        hearers = [
            (node, topic)
            for topic in topics
            for node in self._hub.nodes
            if node is not self and node.holds(topic)
        ]
        for node, topic in hearers:
            loop.call_soon(node.hear, topic, payload)
        return len(hearers)


def _down() -> WebchatError:
    return WebchatError(Code.UNAVAILABLE, "the bus does not answer")
