"""A simulated bus: a broker, and each node's connection to it, which may be slow, cut, or dead.

What ports/bus.py promises holds but where an episode says otherwise: publishes that are lost
without notice, or that come twice. Like a real one, an end notices that it is cut off only when an
answer does not come in time or its keepalive fails.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from random import Random
from typing import Final

from tests.sim.faults import Faults
from tests.sim.loop import Process, VirtualLoop
from webchat.chat.topics import ENTRY, entry_of
from webchat.errors import Code, WebchatError
from webchat.ports.bus import BusListener, PublishDone

PUBLISH_TIMEOUT_S: Final = 0.5
_RETRY_S: Final = (0.1, 0.4)
_TRAVEL_S: Final = (0.0003, 0.003)
_SILENT: Final = ("bus cut", "bus down", "bus stands still")


class Broker:
    """What all ends of the bus share. `entries`: by conversation and `Seq`, those it has taken.

    `sweep_s`: by when nodes find what a publish lost without notice would have told them.
    """

    def __init__(self, loop: VirtualLoop, faults: Faults, rng: Random, sweep_s: float) -> None:
        self.loop = loop
        self.faults = faults
        self.rng = rng
        self.entries: set[tuple[str, int]] = set()
        self._sweep_s = sweep_s
        self._subscribers: dict[str, dict[SimBus, None]] = {}
        self._arrives_s: dict[tuple[SimBus, str], float] = {}

    def travel_s(self, node: int) -> float:
        """How long something is on its way to or from a node."""
        slow = self.faults.at("bus slow", node)
        return self.rng.uniform(*_TRAVEL_S) * (1.0 if slow is None else 400.0 * slow.p)

    def answers(self, node: int) -> bool:
        """Whether a node that connects is let in."""
        return all(self.faults.at(kind, node) is None for kind in _SILENT)

    def subscribe(self, end: SimBus, topic: str) -> int:
        """`end` hears of `topic` from now on."""
        self._subscribers.setdefault(topic, {})[end] = None
        return 0

    def unsubscribe(self, end: SimBus, topic: str) -> int:
        """`end` hears of `topic` no more."""
        self._subscribers.get(topic, {}).pop(end, None)
        return 0

    def forget(self, end: SimBus) -> None:
        """A connection is over."""
        for ends in self._subscribers.values():
            ends.pop(end, None)

    def publish(self, source: SimBus, topics: Sequence[str], payload: bytes) -> int:
        """Pass on to the others that subscribe; how many they are."""
        if payload.startswith(ENTRY):
            entry = entry_of(payload[len(ENTRY) :])
            self.entries.add((entry.conv, entry.seq))
        heard = 0
        for topic in topics:
            for end in self._subscribers.get(topic, {}):
                if end is not source and self._are_together(source, end):
                    heard += 1
                    self._pass_on(end, topic, payload)
        return heard

    def _are_together(self, one: SimBus, other: SimBus) -> bool:
        """Whether both are at the same broker: while another one takes over, not all are."""
        at_old = [self.faults.at("bus splits", end.node) is not None for end in (one, other)]
        return at_old[0] == at_old[1]

    def _pass_on(self, end: SimBus, topic: str, payload: bytes) -> None:
        now_s = self.loop.time()
        losing = self.faults.at("bus loses", end.node)
        if losing is not None and self.rng.random() < losing.p:
            self.faults.note(now_s, now_s + self._sweep_s, "bus lost without notice", end.node)
            return
        arrives_s = max(self._arrives_s.get((end, topic), 0.0), now_s + self.travel_s(end.node))
        self._arrives_s[end, topic] = arrives_s
        arrive = partial(end.hear, end.connection, topic, payload)
        self.loop.call_at(arrives_s, arrive, context=self.loop.world.context)
        doubling = self.faults.at("bus doubles", end.node)
        if doubling is not None and self.rng.random() < doubling.p:
            again_s = arrives_s + self.rng.uniform(0.0, 0.5)
            self.loop.call_at(again_s, arrive, context=self.loop.world.context)


class SimBus:
    """One node's end. `connection`: another number for each time it was connected. `is_broken`:
    nothing gets through on it any more, noticed or not."""

    def __init__(self, broker: Broker, process: Process, node: int) -> None:
        self.node = node
        self.is_lost = False
        self.is_broken = False
        self.connection = 0
        self.lost_times: list[tuple[float, float]] = []
        self._broker = broker
        self._loop = broker.loop
        self._process = process
        self._listener: BusListener | None = None
        self._topics: dict[str, None] = {}
        self._waiting: deque[tuple[float, PublishDone]] = deque()
        self._asked_s = self._answered_s = 0.0
        self._coming_back: asyncio.Task[None] | None = None

    # The port

    is_alone = False

    def listen(self, listener: BusListener) -> None:
        """Set who hears."""
        self._listener = listener

    async def open(self) -> None:
        """It is connected from the start."""

    def publish(
        self, topics: Sequence[str], payload: bytes, done: PublishDone | None = None
    ) -> None:
        """Send to the broker; while lost it fails at once."""
        done = done or _passed_over
        if self.is_lost:
            done(_down())
        else:
            self._ask(partial(self._broker.publish, self, tuple(topics), payload), done)

    async def subscribe(self, topic: str) -> None:
        """Hold `topic`. Raises WebchatError(UNAVAILABLE)."""
        self._topics[topic] = None
        if self.is_lost:
            raise _down()
        confirmed: asyncio.Future[int | Exception] = self._loop.create_future()
        self._ask(partial(self._broker.subscribe, self, topic), partial(_settle, confirmed))
        outcome = await confirmed
        if isinstance(outcome, Exception):
            raise outcome

    def unsubscribe(self, topic: str) -> None:
        """No longer hold `topic`."""
        if self._topics.pop(topic, topic) is None and not self.is_lost:
            self._ask(partial(self._broker.unsubscribe, self, topic), _passed_over)

    async def trouble(self) -> str:
        """Whether it is lost."""
        return _down().message if self.is_lost else ""

    async def close(self) -> None:
        """Let go."""
        if self._coming_back is not None:
            self._coming_back.cancel()
            await asyncio.gather(self._coming_back, return_exceptions=True)
        self._broker.forget(self)
        self._topics.clear()
        self._listener = None

    # What comes from the broker

    def hear(self, connection: int, topic: str, payload: bytes) -> None:
        """Something came from the broker, on a connection that may be over."""
        if connection == self.connection and not self.is_broken:
            self._loop.call_soon(self._heard, topic, payload, context=self._process.context)

    def _heard(self, topic: str, payload: bytes) -> None:
        if self._listener is not None and not self.is_lost:
            self._listener.published(topic, payload)

    # Questions and answers, each in order

    def _ask(self, question: Callable[[], int], done: PublishDone) -> None:
        if self._process.is_dead:
            return  # what unwinds while its process is killed
        self._waiting.append((self._loop.time(), done))
        if len(self._waiting) == 1:
            self._loop.call_later(PUBLISH_TIMEOUT_S, self._check_answers)
        travel_s = self._broker.travel_s(self.node)
        self._asked_s = max(self._asked_s, self._loop.time() + travel_s)
        self._arrive_at(self._asked_s, self.connection, question)

    def _arrive_at(self, at_s: float, connection: int, question: Callable[[], int]) -> None:
        context = self._loop.world.context
        self._loop.call_at(at_s, self._arrived, connection, question, context=context)

    def _arrived(self, connection: int, question: Callable[[], int]) -> None:
        if connection != self.connection or self.is_broken:
            return
        standing = self._broker.faults.at("bus stands still", self.node)
        if standing is not None:
            self._arrive_at(standing.end_s, connection, question)
            return
        answer = question()
        back_s = self._loop.time() + self._broker.travel_s(self.node)
        self._answered_s = max(self._answered_s, back_s)
        context = self._loop.world.context
        self._loop.call_at(self._answered_s, self._back, connection, answer, context=context)

    def _back(self, connection: int, answer: int) -> None:
        if not self.is_broken:
            context = self._process.context
            self._loop.call_soon(self._answered, connection, answer, context=context)

    def _answered(self, connection: int, answer: int) -> None:
        if connection == self.connection and self._waiting:
            _, done = self._waiting.popleft()
            done(answer)

    # Lost and regained

    def cut_off(self, within_s: float) -> None:
        """Nothing gets through from now on; its keepalive notices in `within_s` seconds."""
        self.is_broken = True
        self._loop.call_later(within_s, self._lose, context=self._process.context)

    def _check_answers(self) -> None:
        if not self._waiting:
            return
        due_s = self._waiting[0][0] + PUBLISH_TIMEOUT_S
        if due_s <= self._loop.time():
            self._lose()
        else:
            self._loop.call_at(due_s, self._check_answers)

    def _lose(self) -> None:
        """The connection is over: all that waits fails, in order."""
        if self.is_lost:
            return
        self.is_lost = True
        self.connection += 1
        self.lost_times.append((self._loop.time(), float("inf")))
        self._broker.forget(self)
        waiting, self._waiting = self._waiting, deque()
        for _, done in waiting:
            done(_down())
        if self._listener is not None:
            self._listener.lost("nobody answers", 0.0)
        self._coming_back = self._loop.create_task(self._come_back())

    async def _come_back(self) -> None:
        while True:
            await asyncio.sleep(self._broker.rng.uniform(*_RETRY_S))
            if self._broker.answers(self.node):
                break
        for topic in self._topics:
            self._broker.subscribe(self, topic)
        self.is_lost = self.is_broken = False
        began_s, _ = self.lost_times.pop()
        self.lost_times.append((began_s, self._loop.time()))
        self._broker.faults.note(*self.lost_times[-1], "bus lost", self.node)
        if self._listener is not None:
            self._listener.regained()


def _passed_over(_: int | Exception) -> None:
    """Nobody wants to know."""


def _settle(confirmed: asyncio.Future[int | Exception], outcome: int | Exception) -> None:
    if not confirmed.done():
        confirmed.set_result(outcome)


def _down() -> WebchatError:
    return WebchatError(Code.UNAVAILABLE, "the bus does not answer")
