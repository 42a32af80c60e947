"""The stores that stories run on, and what is true in them whatever the nodes were answered."""

from __future__ import annotations

from random import Random
from typing import Any, Protocol

from tests.sim.clock import SimClock
from tests.sim.faults import Faults
from tests.sim.loop import Process, VirtualLoop
from tests.sim.store import FaultyStore
from webchat.adapters.memory.store import MemoryStore
from webchat.ports.store import Store


class Engine(Protocol):
    """Where the data is. `truth`: the store as nothing disturbs it."""

    truth: Store

    def store_of(self, node: int, process: Process, clock: SimClock) -> Store:
        """The store as a node reaches it."""

    def holds(self, conv: str, seq: int, msg_id: str) -> bool:
        """Whether this entry is stored now."""


class MemoryEngine:
    """One MemoryStore behind each node's faulty network."""

    def __init__(self, loop: VirtualLoop, faults: Faults, rng: Random, clock: SimClock) -> None:
        self._memory = MemoryStore(clock)
        self._loop = loop
        self._faults = faults
        self._rng = rng
        self.truth: Any = self._memory

    def store_of(self, node: int, process: Process, clock: SimClock) -> Any:
        """The store as a node reaches it."""
        return FaultyStore(self._memory, self._loop, process, node, self._faults, self._rng)

    def holds(self, conv: str, seq: int, msg_id: str) -> bool:
        """Whether this entry is stored now."""
        entries = self.truth.log._state.entries.get(conv, [])
        return len(entries) >= seq and entries[seq - 1].msg_id == msg_id


def engine_of(seed: int, loop: VirtualLoop, faults: Faults, rng: Random, clock: SimClock) -> Engine:
    """The store of a seed's story."""
    return MemoryEngine(loop, faults, rng, clock)
