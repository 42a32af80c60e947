"""The store as a node reaches it: over a network that delays, refuses, and forgets answers.

Every call is a request and an answer. The request may be refused or lost; it may have its effect,
at once or later, and be answered as failed all the same; a node that dies in between has asked or
has not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from random import Random
from typing import Any, Final

from tests.sim.faults import Faults
from tests.sim.loop import Process, VirtualLoop
from webchat.ports.following import FollowingInTurn

_QUEUED: Final = frozenset({"append", "move"})
_TRAVEL_S: Final = (0.0005, 0.006)
_TIMEOUT_S: Final = 1.0
_LATE_S: Final = 3.0
Done = Callable[[Any], None]
Act = Callable[[Done], None]


class Channel:
    """From node number `node`, which is `process`, to the store. `failure`: what a node is told
    that has no answer."""

    def __init__(
        self,
        loop: VirtualLoop,
        process: Process,
        node: int,
        faults: Faults,
        rng: Random,
        failure: Callable[[], Exception],
    ) -> None:
        self.loop = loop
        self.process = process
        self._node = node
        self._faults = faults
        self._rng = rng
        self._failure = failure
        self._asked_s = self._answered_s = 0.0

    def ask(self, act: Act, answer: Done, *, in_order: bool) -> None:
        """Send a request; `answer` is called in the node with what came of it."""
        if self.process.is_dead:
            return
        arrives_s = self.loop.time() + self._travel_s()
        if in_order:
            arrives_s = self._asked_s = max(self._asked_s, arrives_s)
        arrive = partial(self._arrive, act, answer, in_order)
        self.loop.call_at(arrives_s, arrive, context=self.loop.world.context)

    def _arrive(self, act: Act, answer: Done, in_order: bool) -> None:
        standing = self._faults.at("store stands still", self._node)
        if standing is not None:
            again = partial(self._arrive, act, answer, in_order)
            self.loop.call_at(standing.end_s, again, context=self.loop.world.context)
            return
        if self.process.is_dead and self._rng.random() < 0.5:
            return  # it died before it had asked
        back = partial(self._back, answer, in_order)
        if self._is_sound():
            act(back)
        else:
            self._fail(act, back)

    def _is_sound(self) -> bool:
        flaky = self._faults.at("store flaky", self._node)
        is_up = self._faults.at("store down", self._node) is None
        return is_up and (flaky is None or self._rng.random() >= flaky.p)

    def _fail(self, act: Act, back: Done) -> None:
        """It is refused, or has its effect and is not answered: now, or after it was given up."""
        chance, timeout_s = self._rng.random(), _TIMEOUT_S
        if chance < 0.3:
            act(_unheard)
        elif chance < 0.4:
            late_s = self._rng.uniform(0.0, _LATE_S)
            self.loop.call_later(late_s, act, _unheard, context=self.loop.world.context)
        elif chance < 0.7:
            timeout_s = 0.0
        self.loop.call_later(timeout_s, back, self._failure(), context=self.loop.world.context)

    def _back(self, answer: Done, in_order: bool, outcome: Any) -> None:
        returns_s = self.loop.time() + self._travel_s()
        if in_order:
            returns_s = self._answered_s = max(self._answered_s, returns_s)
        self.loop.call_at(returns_s, answer, outcome, context=self.process.context)

    def _travel_s(self) -> float:
        slow = self._faults.at("store slow", self._node)
        return self._rng.uniform(*_TRAVEL_S) * (1.0 if slow is None else 200.0 * slow.p)


class FarPort:
    """`port` at the other end of a channel: plain calls that queue keep their order, the others
    overtake. None of its methods ever waits for anything itself."""

    def __init__(self, channel: Channel, port: Any) -> None:
        self._channel = channel
        self._port = port

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)
        made = partial(self._queued if name in _QUEUED else self._asked, method)
        setattr(self, name, made)
        return made

    def _queued(self, method: Any, request: Any, done: Done) -> None:
        self._channel.ask(partial(method, request), done, in_order=True)

    async def _asked(self, method: Any, *args: Any, **options: Any) -> Any:
        answered: asyncio.Future[Any] = self._channel.loop.create_future()
        self._channel.ask(
            lambda done: done(_outcome(method(*args, **options))),
            partial(_settle, answered),
            in_order=False,
        )
        outcome = await answered
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


class FarStore:
    """All ports of `store` at the other end of a channel."""

    def __init__(self, channel: Channel, store: Any) -> None:
        self._channel = channel
        self._store = store
        # From here, so that its reads see several moments.
        self.following = FollowingInTurn(self.log, self.members)

    def __getattr__(self, name: str) -> Any:
        port = FarPort(self._channel, getattr(self._store, name))
        setattr(self, name, port)
        return port


def _outcome(work: Coroutine[Any, Any, Any]) -> Any:
    """What a method comes to that waits for nothing."""
    try:
        work.send(None)
    except StopIteration as returned:
        return returned.value
    except Exception as refusal:
        return refusal
    raise AssertionError("the other end of a channel waited for something")


def _settle(answered: asyncio.Future[Any], outcome: Any) -> None:
    if not answered.done():
        answered.set_result(outcome)


def _unheard(_: Any) -> None:
    """The answer is lost."""
