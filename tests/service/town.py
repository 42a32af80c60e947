"""Nodes that share a store, for tests of their leases."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tests.memory import ManualClock, MemoryStore, settle
from tests.memory.clock import ManualTimer
from webchat.ports.nodes import NodeRow
from webchat.service.peers import Peers, PeerSettings, own_row

RENEWAL_S = 5.0


class SkewedClock(ManualClock):
    """A clock that goes as another one does, with a wall time of its own."""

    def __init__(self, other: ManualClock, ahead_ms: int) -> None:
        self._other = other
        self._ahead_ms = ahead_ms

    def now_ms(self) -> int:
        return self._other.now_ms() + self._ahead_ms

    def monotonic_s(self) -> float:
        return self._other.monotonic_s() + 1_000.0

    def call_later(self, delay_s: float, call: Callable[[], object]) -> ManualTimer:
        return self._other.call_later(delay_s, call)


class Town:
    """Nodes on one store and one clock."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.store = MemoryStore(self.clock)
        self.gone: dict[str, list[str]] = {}
        self._started: list[Peers] = []

    def node(self, node_id: str, *, ahead_ms: int = 0, roles: tuple[str, ...] = ("all",)) -> Peers:
        clock = SkewedClock(self.clock, ahead_ms) if ahead_ms else self.clock
        gone = self.gone.setdefault(node_id, [])
        return Peers(
            self.store.nodes,
            clock,
            PeerSettings(),
            own_row(node_id, f"http://{node_id}:4000", roles, "1.0"),
            lambda row: gone.append(row.id),
        )

    async def start(self, *nodes: Peers) -> None:
        for node in nodes:
            await node.start()
            self._started.append(node)

    def count_reads(self) -> list[str]:
        """The reads of all rows from now on."""
        reads: list[str] = []
        read = self.store.nodes.all

        async def counted() -> Sequence[NodeRow]:
            reads.append("all")
            return await read()

        self.store.nodes.all = counted  # type: ignore[method-assign]
        return reads

    async def crash(self, node: Peers) -> None:
        """It renews no more, and its row stays."""
        row = node.me
        await node.stop()
        await self.store.nodes.put(row)

    async def pass_time(self, seconds: float) -> None:
        """A second at a time, so that what waits for each other gets its turns."""
        await settle()
        while seconds > 0:
            self.clock.advance(min(seconds, 1.0))
            seconds -= 1.0
            await settle()

    async def close(self) -> None:
        self.store.is_down = False
        for node in self._started:
            await node.stop()


async def never_removes(node_id: str, incarnation: str) -> None:
    """As if whoever removes rows were slower than whoever reads them."""


def ids(rows: Sequence[NodeRow]) -> list[str]:
    return [row.id for row in rows]
