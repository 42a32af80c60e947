"""Whom an Engine.IO connection deals with: the WebSocket below it, the application above it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from webchat.errors import Closing
from webchat.protocol.engineio import Packet
from webchat.session.outbox import Sink


class Application(Protocol):
    """What a connection carries messages for. Where it raises ProtocolError, the connection is
    closed with PROTOCOL_ERROR."""

    def opened(self) -> None:
        """The connection is open: what it sends follows the handshake."""

    def message(self, message: str | bytes) -> None:
        """A message came: a text one with its type digit `4` in front, or a binary one."""

    def farewell(self, why: Closing, message: str, retry_after_ms: int | None) -> list[Packet]:
        """What to say before the server closes the connection."""

    def closed(self) -> None:
        """It is over; called once."""


class Receiver(Protocol):
    """Whom a WebSocket tells what happens to it. Never raises."""

    def texts(self, events: Sequence[object]) -> int:
        """Of what came in one read, at least one event, take the texts at its beginning, or the
        first of them; how many were taken."""

    def binary(self, data: bytes) -> None:
        """A binary message came."""

    def lost(self) -> None:
        """It is gone, or the peer said that it goes; may come again."""

    def pause(self, held_bytes: int) -> None:
        """The peer does not read: `held_bytes` wait in the transport; write nothing for now."""

    def resume(self) -> None:
        """The transport takes more again."""


class Wire(Sink, Protocol):
    """A WebSocket as a connection uses it."""

    receiver: Receiver | None

    def limit(self, max_message_bytes: int) -> None:
        """Refuse messages from the peer that are longer, from now on."""

    def hold(self) -> None:
        """Read nothing more of the peer, but what is left of the piece that is being read."""

    def release(self) -> None:
        """Read on, if it was held."""

    def close(self, code: int, reason: str) -> None:
        """Send a close frame; the TCP connection ends when the peer has answered it, or in time."""
