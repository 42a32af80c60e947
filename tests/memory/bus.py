"""A bus inside one process, for a node or for several, that can lose, reorder and go down."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from webchat.errors import Code, WebchatError
from webchat.ports.bus import BusListener, PublishDone

Delivery = Callable[[], None]


class MemoryHub:
    """What the ends of one in-process bus share. It is taken down and brought back at will.

    `fate`: how often a payload on a topic arrives: 0: it is lost, 2: it comes twice. `held`: while
    deliveries are held back, those that wait, in the order of the publishes.
    """

    def __init__(self) -> None:
        self.is_up = True
        self.nodes: list[MemoryBus] = []
        self.fate: Callable[[str, bytes], int] = lambda _topic, _payload: 1
        self.held: list[Delivery] | None = None

    def go_down(self) -> None:
        """From now on nothing is passed on; each node is told."""
        self.is_up = False
        for node in self.nodes:
            node.tell_lost()

    def come_back(self) -> None:
        """Pass on again; each node that is not cut off is told, with the topics it held."""
        self.is_up = True
        for node in self.nodes:
            if node.is_up:
                node.tell_regained()

    def hold_back(self) -> None:
        """Publishes arrive only when they are let go."""
        self.held = []

    def let_go(self, order: Callable[[list[Delivery]], list[Delivery]] = list) -> None:
        """What was held back arrives, in `order`, and then everything as it comes."""
        deliveries, self.held = self.held or [], None
        for deliver in order(deliveries):
            deliver()

    def deliver(self, node: MemoryBus, topic: str, payload: bytes) -> None:
        """Bring a publish to a node that held its topic, in the loop's next turn or when let go."""
        for _ in range(self.fate(topic, payload)):
            if self.held is not None:
                self.held.append(lambda: node.hear(topic, payload))
            else:
                asyncio.get_running_loop().call_soon(node.hear, topic, payload)


class MemoryBus:
    """One node's end of a MemoryHub; alone on its hub, publishes reach nobody and are done at once.

    Deliveries and `done` calls of joined nodes come in the loop's next turn, in order. One end can
    be cut off, or have its publishes answered late.
    """

    def __init__(self, hub: MemoryHub | None = None) -> None:
        self._hub = hub or MemoryHub()
        self._hub.nodes.append(self)
        self._listener: BusListener | None = None
        self._topics: dict[str, None] = {}  # a set of as many takes up to four times the room
        self.is_unheeded = False
        """Others' publishes miss it, which neither they nor it notice."""
        self._is_cut_off = False
        self._unanswered: deque[tuple[PublishDone, int]] | None = None

    @property
    def is_up(self) -> bool:
        """Whether it passes on, and hears."""
        return self._hub.is_up and not self._is_cut_off

    def listen(self, listener: BusListener) -> None:
        """Set who hears."""
        self._listener = listener

    async def open(self) -> None:
        """It is always there."""

    @property
    def is_alone(self) -> bool:
        """Whether publishes reach nobody, and are done at once."""
        hub = self._hub
        is_up = hub.is_up and not self._is_cut_off
        return is_up and len(hub.nodes) == 1 and self._unanswered is None

    def publish(
        self, topics: Sequence[str], payload: bytes, done: PublishDone | None = None
    ) -> None:
        """Pass `payload` to the other nodes that hold one of `topics`."""
        if self.is_alone:
            if done is not None:
                done(0)
            return
        outcome = self._pass_on(topics, payload) if self.is_up else _down()
        if done is None:
            return
        if self._unanswered is not None and not isinstance(outcome, Exception):
            self._unanswered.append((done, outcome))
        else:
            asyncio.get_running_loop().call_soon(done, outcome)

    def _pass_on(self, topics: Sequence[str], payload: bytes) -> int:
        hearers = [
            (node, topic)
            for topic in topics
            for node in self._hub.nodes
            if node is not self and node.holds(topic)
        ]
        for node, topic in hearers:
            self._hub.deliver(node, topic, payload)
        return len(hearers)

    async def subscribe(self, topic: str) -> None:
        """Hold `topic`. Raises WebchatError(UNAVAILABLE) while the hub is down."""
        self._topics[topic] = None
        if not self.is_up:
            raise _down()

    def unsubscribe(self, topic: str) -> None:
        """No longer hold `topic`."""
        self._topics.pop(topic, None)

    async def trouble(self) -> str:
        """Whether the hub passes on."""
        return "" if self.is_up else _down().message

    async def close(self) -> None:
        """Leave the hub; harmless when done twice."""
        if self in self._hub.nodes:
            self._hub.nodes.remove(self)
        self._topics.clear()
        self._listener = None
        self._fail_unanswered()

    def holds(self, topic: str) -> bool:
        """Whether this node hears what others publish on `topic`."""
        return topic in self._topics and not self._is_cut_off and not self.is_unheeded

    def hear(self, topic: str, payload: bytes) -> None:
        """Another node published on a topic that was held when it did."""
        if self._listener is not None and not self._is_cut_off:
            self._listener.published(topic, payload)

    def tell_lost(self, deaf_s: float = 0.0) -> None:
        """The hub went down, or this end was cut off: what was not answered has failed."""
        self._fail_unanswered()
        if self._listener is not None:
            self._listener.lost("nobody answers", deaf_s)

    def tell_regained(self) -> None:
        """The hub is back."""
        if self._listener is not None:
            self._listener.regained()

    # What tests do to one end

    def cut_off(self, deaf_s: float = 0.0) -> None:
        """This node alone has lost the bus, and may not have heard anything for `deaf_s`."""
        self._is_cut_off = True
        self.tell_lost(deaf_s)

    def reconnect(self) -> None:
        """This node has the bus again."""
        self._is_cut_off = False
        self.tell_regained()

    def withhold(self) -> None:
        """What is published reaches others, but its `done` waits for `answer`."""
        self._unanswered = deque()

    def answer(self, count: int | None = None) -> None:
        """Call the oldest `count` of the `done` that wait; None: all, and withhold no more."""
        unanswered = self._unanswered or deque()
        for _ in range(len(unanswered) if count is None else count):
            done, outcome = unanswered.popleft()
            done(outcome)
        if count is None:
            self._unanswered = None

    def _fail_unanswered(self) -> None:
        unanswered, self._unanswered = self._unanswered or (), None
        for done, _ in unanswered:
            done(_down())


def _down() -> WebchatError:
    return WebchatError(Code.UNAVAILABLE, "the bus does not answer")
