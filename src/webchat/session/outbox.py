"""What waits to be written to one connection: bounded in bytes, written once a loop turn."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from webchat.protocol.engineio import Packet

PACKET_BYTES: Final = 64
"""What a packet counts besides its own bytes: about what it takes, however short it is."""


class Sink(Protocol):
    """Where packets go: a WebSocket, or a poll that waits for its answer.

    `most_packets`: how many it takes in one `send`; 0: any number.
    """

    @property
    def most_packets(self) -> int:
        """See above."""

    def send(self, packets: list[Packet]) -> bool:
        """Write them all; whether it takes more after these."""


class Flusher:
    """Flushes the outboxes that got something in this turn of the loop, at its end."""

    __slots__ = ("_call_soon", "_dirty")

    def __init__(self, call_soon: Callable[[Callable[[], object]], object]) -> None:
        self._call_soon = call_soon
        self._dirty: list[Outbox] = []

    def add(self, outbox: Outbox) -> None:
        """Flush `outbox` before the next turn."""
        if not self._dirty:
            self._call_soon(self._flush)
        self._dirty.append(outbox)

    def _flush(self) -> None:
        dirty, self._dirty = self._dirty, []
        for outbox in dirty:
            outbox.flush()


class Owner(Protocol):
    """Whose outbox it is."""

    def overflow(self) -> None:
        """More waits than is allowed: the one policy is to close the connection."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What all outboxes of an endpoint share."""

    max_bytes: int
    low_water_bytes: int
    flusher: Flusher


class Outbox:
    """A queue of packets. Over `max_bytes`, its own and what the sink holds, its owner hears of it.

    A queued packet counts with PACKET_BYTES besides its own. Above `low_water_bytes` it is
    congested: who has a choice waits for `drained`.
    """

    __slots__ = ("_bounds", "_held_bytes", "_owner", "_queue", "_queued_bytes", "_sink",
                 "_waiters")  # fmt: skip

    def __init__(self, bounds: Bounds, owner: Owner) -> None:
        self._bounds = bounds
        self._owner = owner
        self._sink: Sink | None = None
        self._queue: list[Packet] | None = None
        self._queued_bytes = 0
        self._held_bytes = 0
        self._waiters: list[asyncio.Future[None]] | None = None

    @property
    def waiting_bytes(self) -> int:
        """How much waits, its own and what the sink holds."""
        return self._queued_bytes + self._held_bytes

    @property
    def is_full(self) -> bool:
        """More waits than is allowed."""
        return self.waiting_bytes > self._bounds.max_bytes

    @property
    def congested(self) -> bool:
        """More waits than the low-water mark."""
        return self.waiting_bytes > self._bounds.low_water_bytes

    def put(self, packet: Packet) -> None:
        """Queue `packet`; it is written at the end of this turn if the sink takes it."""
        queue, bounds = self._queue, self._bounds
        if queue is None:
            queue = self._queue = []
            if self._sink is not None:
                bounds.flusher.add(self)
        queue.append(packet)
        size = packet.size if packet.attachments else len(packet.text)
        self._queued_bytes = queued_bytes = self._queued_bytes + size + PACKET_BYTES
        if queued_bytes + self._held_bytes > bounds.max_bytes:
            self._owner.overflow()

    def put_all(self, texts: Sequence[Packet]) -> None:
        """`put` each of these packets, which have no attachments."""
        if not texts:
            return
        queue, bounds = self._queue, self._bounds
        if queue is None:
            queue = self._queue = []
            if self._sink is not None:
                bounds.flusher.add(self)
        queue += texts
        queued_bytes = self._queued_bytes
        for packet in texts:
            queued_bytes += len(packet.text) + PACKET_BYTES
        self._queued_bytes = queued_bytes
        if queued_bytes + self._held_bytes > bounds.max_bytes:
            self._owner.overflow()

    def flush(self) -> None:
        """Write what is queued in one go, if there is a sink, as much as it takes."""
        queue, sink = self._queue, self._sink
        if queue is None or sink is None:
            return
        self._queue, self._queued_bytes = None, 0
        if sink.most_packets and len(queue) > sink.most_packets:
            queue = self._keep_the_rest(queue, sink.most_packets)
        if not sink.send(queue) and self._sink is sink:
            self._sink = None
        if self._waiters is not None:
            self._wake()

    def _keep_the_rest(self, queue: list[Packet], most: int) -> list[Packet]:
        self._queue = rest = queue[most:]
        self._queued_bytes = sum(packet.size + PACKET_BYTES for packet in rest)
        return queue[:most]

    def open(self, sink: Sink) -> None:
        """`sink` takes packets from now on; what waits is written at once."""
        self._sink = sink
        self._held_bytes = 0
        self.flush()
        self._wake()

    def shut(self, held_bytes: int = 0) -> None:
        """The sink takes no more for now, and still holds `held_bytes` itself."""
        self._sink = None
        self._held_bytes = held_bytes

    def take(self) -> list[Packet]:
        """All that is queued, which is then empty, and whoever awaits `drained` goes on."""
        queue, self._queue, self._queued_bytes, self._held_bytes = self._queue, None, 0, 0
        self._wake()
        return queue or []

    async def drained(self) -> None:
        """Return once it is not congested."""
        while self.congested:
            waiter = asyncio.get_running_loop().create_future()
            if self._waiters is None:
                self._waiters = []
            self._waiters.append(waiter)
            await waiter

    def _wake(self) -> None:
        if self._waiters is None or self.congested:
            return
        waiters, self._waiters = self._waiters, None
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)
