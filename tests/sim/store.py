"""The one store as a node reaches it: over a network that delays, refuses, and forgets answers.

Every call is a request and an answer. The request may be refused or lost; it may have its effect
and be answered UNAVAILABLE all the same; a node that dies in between has asked or has not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from random import Random
from typing import Any, Final

from tests.sim.faults import Faults
from tests.sim.loop import Process, VirtualLoop
from webchat.adapters.memory.store import MemoryStore
from webchat.errors import Code, WebchatError

_QUEUED: Final = frozenset({"append", "move"})
_TRAVEL_S: Final = (0.0005, 0.006)
_TIMEOUT_S: Final = 1.0
Done = Callable[[Any], None]


class FaultyStore:
    """`store` as `process`, node number `node`, reaches it: each port by its name."""

    def __init__(
        self,
        store: MemoryStore,
        loop: VirtualLoop,
        process: Process,
        node: int,
        faults: Faults,
        rng: Random,
    ) -> None:
        self._store = store
        self.loop = loop
        self.process = process
        self._node = node
        self._faults = faults
        self._rng = rng
        self._asked_s = self._answered_s = 0.0
        self._ports: dict[str, _Port] = {}

    def __getattr__(self, name: str) -> Any:
        port = self._ports.get(name)
        if port is None:
            port = self._ports[name] = _Port(self, getattr(self._store, name))
        return port

    def ask(self, act: Callable[[Done], None], answer: Done, *, in_order: bool) -> None:
        """Send a request; `answer` is called in the node with what came of it."""
        if self.process.is_dead:
            return
        arrives_s = self.loop.time() + self._travel_s()
        if in_order:
            arrives_s = self._asked_s = max(self._asked_s, arrives_s)
        arrive = partial(self._arrive, act, answer, in_order)
        self.loop.call_at(arrives_s, arrive, context=self.loop.world.context)

    def _arrive(self, act: Callable[[Done], None], answer: Done, in_order: bool) -> None:
        standing = self._faults.at("store stands still", self._node)
        if standing is not None:
            again = partial(self._arrive, act, answer, in_order)
            self.loop.call_at(standing.end_s, again, context=self.loop.world.context)
            return
        if self.process.is_dead and self._rng.random() < 0.5:
            return  # it died before it had asked
        has_effect, is_answered = self._fate()
        back = partial(self._back, answer, in_order)
        if has_effect:
            act(back if is_answered else lambda _: None)
        if not is_answered:
            late_s = _TIMEOUT_S if has_effect or self._rng.random() < 0.5 else 0.0
            lost = partial(back, _unavailable())
            self.loop.call_later(late_s, lost, context=self.loop.world.context)

    def _fate(self) -> tuple[bool, bool]:
        """Whether a request has its effect, and whether its answer says so."""
        if self._faults.at("store down", self._node) is not None:
            return self._rng.random() < 0.1, False
        flaky = self._faults.at("store flaky", self._node)
        if flaky is not None and self._rng.random() < flaky.p:
            return self._rng.random() < 0.5, False
        return True, True

    def _back(self, answer: Done, in_order: bool, outcome: Any) -> None:
        returns_s = self.loop.time() + self._travel_s()
        if in_order:
            returns_s = self._answered_s = max(self._answered_s, returns_s)
        self.loop.call_at(returns_s, answer, outcome, context=self.process.context)

    def _travel_s(self) -> float:
        slow = self._faults.at("store slow", self._node)
        return self._rng.uniform(*_TRAVEL_S) * (1.0 if slow is None else 200.0 * slow.p)


class _Port:
    """One port of the store: plain calls that queue keep their order, the others overtake."""

    def __init__(self, store: FaultyStore, port: Any) -> None:
        self._store = store
        self._port = port

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)
        made = partial(self._queued if name in _QUEUED else self._asked, method)
        setattr(self, name, made)
        return made

    def _queued(self, method: Any, request: Any, done: Done) -> None:
        self._store.ask(partial(method, request), done, in_order=True)

    async def _asked(self, method: Any, *args: Any, **options: Any) -> Any:
        answered: asyncio.Future[Any] = self._store.loop.create_future()
        self._store.ask(
            lambda done: done(_outcome(method(*args, **options))),
            partial(_settle, answered),
            in_order=False,
        )
        outcome = await answered
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


def _outcome(work: Coroutine[Any, Any, Any]) -> Any:
    """What a method of the memory store comes to: none of them ever waits."""
    try:
        work.send(None)
    except StopIteration as returned:
        return returned.value
    except WebchatError as refusal:
        return refusal
    raise AssertionError("the memory store waited for something")


def _settle(answered: asyncio.Future[Any], outcome: Any) -> None:
    if not answered.done():
        answered.set_result(outcome)


def _unavailable() -> WebchatError:
    return WebchatError(Code.UNAVAILABLE, "the store is not answering")
