"""The stores that stories run on, and what is true in them whatever the nodes were answered."""

from __future__ import annotations

from random import Random
from typing import Any, Final, Protocol

from tests.contract.plain_table import PlainTable
from tests.memory.store import MemoryStore
from tests.sim.channel import Channel, FarPort, FarStore
from tests.sim.clock import SimClock
from tests.sim.faults import Faults
from tests.sim.loop import Process, VirtualLoop
from webchat.adapters.dynamodb import DynamoPorts, DynamoSettings
from webchat.adapters.dynamodb.table import Failed
from webchat.errors import Code, WebchatError

_PAGE_ITEMS: Final = 5
"""Pages are short, so that there are many."""
_SETTINGS: Final = DynamoSettings(
    region="", table="",
    inline_bytes=900, kept_inline_bytes=300, batch_bytes=2_500, follow_inline_bytes=400,
    inline_senders=2, max_logs=12, max_positions=12, parallel=4,
    retry_within_ms=2_500, marks_every_ms=1_500, mark_age_ms=2_000,
)  # fmt: skip
"""Everything small, so that heads are rolled out, pages turned and caches emptied all the time."""


class Engine(Protocol):
    """Where the data is. `truth`: the store as nothing disturbs it."""

    truth: Any

    def store_of(self, node: int, process: Process, clock: SimClock) -> Any:
        """The store as a node reaches it."""

    def start(self, store: Any) -> None:
        """A node begins to use its store."""

    async def stop(self, store: Any) -> None:
        """A node ends in order."""


class MemoryEngine:
    """One MemoryStore, of which each node has all ports at the end of a channel."""

    def __init__(self, loop: VirtualLoop, faults: Faults, rng: Random, clock: SimClock) -> None:
        self._loop = loop
        self._faults = faults
        self._rng = rng
        self.truth: Any = MemoryStore(clock)

    def store_of(self, node: int, process: Process, clock: SimClock) -> Any:
        """The store as a node reaches it."""
        channel = Channel(self._loop, process, node, self._faults, self._rng, _unavailable)
        return FarStore(channel, self.truth)

    def start(self, store: Any) -> None:
        """Nothing of it is a node's own."""

    async def stop(self, store: Any) -> None:
        """Nothing of it is a node's own."""


class DynamoEngine:
    """One table, which each node's own DynamoDB adapter has at the end of a channel."""

    def __init__(self, loop: VirtualLoop, faults: Faults, rng: Random, clock: SimClock) -> None:
        self._loop = loop
        self._faults = faults
        self._rng = rng
        self._table = PlainTable(_PAGE_ITEMS)
        self.truth: Any = DynamoPorts(self._table, _SETTINGS, clock)

    def store_of(self, node: int, process: Process, clock: SimClock) -> Any:
        """The store as a node reaches it."""
        channel = Channel(self._loop, process, node, self._faults, self._rng, _failed)
        table: Any = FarPort(channel, self._table)
        return DynamoPorts(table, _SETTINGS, clock)

    def start(self, store: Any) -> None:
        """It begins to finish what dead nodes left."""
        store.start()

    async def stop(self, store: Any) -> None:
        """It finishes what is queued."""
        await store.stop()


def engine_of(seed: int, loop: VirtualLoop, faults: Faults, rng: Random, clock: SimClock) -> Engine:
    """The store of a seed's story: in turns."""
    return (DynamoEngine if seed % 2 else MemoryEngine)(loop, faults, rng, clock)


def _unavailable() -> WebchatError:
    return WebchatError(Code.UNAVAILABLE, "the store is not answering")


def _failed() -> Failed:
    return Failed("no answer")
