"""Connections between devices and nodes: packets in order, late, held back, or lost with the rest.

The node's end is the `Wire` of a real Engine.IO session; the device's end sees text packets.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Final, Protocol

from tests.sim.loop import VirtualLoop
from webchat.protocol.engineio import Packet
from webchat.session.roles import Receiver

if TYPE_CHECKING:
    from tests.sim.node import Node

_TRAVEL_S: Final = (0.001, 0.02)
_HIGH_WATER_BYTES: Final = 3_000
"""What the network holds for a device that does not read before the node is told to pause."""
_NOTICE_S: Final = (0.0, 6.0)
"""By when a node notices that a connection is gone whose other end said nothing."""


class Peer(Protocol):
    """A device, as its connection knows it."""

    engine: int

    def heard(self, link: Link, texts: list[str]) -> None:
        """Packets came."""

    def cut(self, link: Link) -> None:
        """The connection is over."""


class Link:
    """One connection. Made by a device, which `connect`s it; over after `cut`, whoever began."""

    most_packets = 0

    def __init__(self, loop: VirtualLoop, rng: Random, peer: Peer, node: Node) -> None:
        self.node = node
        self.receiver: Receiver | None = None
        self.is_over = False
        self.engine = peer.engine
        self._loop = loop
        self._rng = rng
        self._peer = peer
        self._up_s = self._down_s = 0.0
        self._held: list[list[str]] | None = None
        self._held_bytes = 0
        self._is_paused = False
        self._process = node.process

    # The device's side

    def connect(self) -> None:
        """Ask the node for a WebSocket."""
        self._up(self._accepted)

    def say(self, text: str) -> None:
        """Send a packet to the node."""
        self._up(partial(self._said, text))

    def stall(self, stalled: bool) -> None:
        """Stop or go on reading."""
        if stalled:
            self._held = self._held if self._held is not None else []
            return
        held, self._held, self._held_bytes = self._held, None, 0
        for texts in held or ():
            self._peer.heard(self, texts)
        if self._is_paused:
            self._is_paused = False
            self._up(self._resumed)

    def drop(self) -> None:
        """The network between them breaks: the device knows at once, the node later."""
        if not self.is_over:
            self.is_over = True
            late_s = self._rng.uniform(*_NOTICE_S) if self._rng.random() < 0.5 else 0.0
            self._loop.call_later(late_s, self._lost, context=self._process.context)
            self._peer.cut(self)

    # The node's side: a Wire

    def send(self, packets: list[Packet]) -> bool:
        """Write them all; whether it takes more after these."""
        if self._process.is_dead or self.is_over:
            return False
        self._down(partial(self._arrived, [_text(packet) for packet in packets]))
        return not self._is_paused

    def hold(self) -> None:
        """Devices here say too little for that."""

    def release(self) -> None:
        """Nothing was held."""

    def limit(self, max_message_bytes: int) -> None:
        """Devices here say nothing long."""

    def close(self, code: int, reason: str) -> None:
        """The node closes it, once what was written has arrived."""
        self.receiver = None
        if not self._process.is_dead:
            self._down(self.broke)

    def broke(self) -> None:
        """The device notices that the connection is over."""
        if not self.is_over:
            self.is_over = True
            self._peer.cut(self)

    # In between

    def _travel_s(self) -> float:
        return self._rng.uniform(*_TRAVEL_S)

    def _up(self, arrive: Callable[[], None]) -> None:
        self._up_s = max(self._up_s, self._loop.time() + self._travel_s())
        self._loop.call_at(self._up_s, arrive, context=self._process.context)

    def _down(self, arrive: Callable[[], None]) -> None:
        self._down_s = max(self._down_s, self._loop.time() + self._travel_s())
        self._loop.call_at(self._down_s, arrive, context=self._loop.world.context)

    def _accepted(self) -> None:
        if not self.is_over and not self.node.accept(self):
            self._down(self.broke)

    def _said(self, text: str) -> None:
        if self.receiver is not None and not self.is_over:
            self.receiver.texts([text])

    def _lost(self) -> None:
        receiver, self.receiver = self.receiver, None
        if receiver is not None:
            receiver.lost()

    def _resumed(self) -> None:
        if self.receiver is not None:
            self.receiver.resume()

    def _arrived(self, texts: list[str]) -> None:
        if self.is_over:
            return
        if self._held is None:
            self._peer.heard(self, texts)
            return
        self._held.append(texts)
        self._held_bytes += sum(map(len, texts))
        if self._held_bytes > _HIGH_WATER_BYTES and not self._is_paused:
            self._is_paused = True
            self._loop.call_soon(self._paused, context=self._process.context)

    def _paused(self) -> None:
        if self.receiver is not None and self._is_paused:
            self.receiver.pause(self._held_bytes)


def _text(packet: Packet) -> str:
    return packet.text.decode()
