"""A client in one namespace: the Socket that a handler holds."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Final

from webchat.errors import Closing
from webchat.protocol.errors import ProtocolError
from webchat.protocol.socketio import Event, Packet, ack_packet, ack_packets

if TYPE_CHECKING:
    from webchat.session.connection import Connection


class Stage(Enum):
    """CONNECTING (the handler decides) -> CONNECTED -> GONE, or straight from the first."""

    CONNECTING = auto()
    CONNECTED = auto()
    GONE = auto()


CONNECTED: Final = Stage.CONNECTED
"""A look-up less for each packet."""


class ClientSocket:
    """See session.handler.Socket. What comes before the handler decided waits here, in order."""

    __slots__ = ("_connection", "_outbox", "_waiting", "namespace", "request", "stage", "state")

    def __init__(self, connection: Connection, namespace: str) -> None:
        self.namespace = namespace
        self.request = connection.request
        self.stage = Stage.CONNECTING
        self.state: Any = None
        self._connection = connection
        self._outbox = connection.outbox
        self._waiting: list[Event] | None = None

    @property
    def closed(self) -> bool:
        """It is gone, or going."""
        return self.stage is Stage.GONE

    @property
    def congested(self) -> bool:
        """More waits to be written than the low-water mark."""
        return self._outbox.congested

    @property
    def polling(self) -> bool:
        """It is served by long polling at the moment."""
        return self._connection.polling

    def emit(self, packet: Packet) -> None:
        """Queue an encoded packet; on a socket that is not connected: nothing."""
        if self.stage is CONNECTED:
            self._outbox.put(packet)

    def ack(self, ack_id: int, args: bytes) -> None:
        """Queue the answer to the event `ack_id`; `args`: a JSON array in UTF-8."""
        if self.stage is CONNECTED:
            self._outbox.put(ack_packet(ack_id, args, (), self.namespace))

    def ack_all(self, ack_ids: Sequence[int | None], args: bytes) -> None:
        """Queue the same answer to each of these events; None: one that asked for none."""
        if self.stage is CONNECTED:
            self._outbox.put_all(ack_packets(ack_ids, args, self.namespace))

    def rest(self) -> None:
        """Read nothing more of the client for a while."""
        self._connection.rest()

    async def drained(self) -> None:
        """Return when no longer congested, or closed."""
        await self._outbox.drained()

    def close(self, why: Closing, message: str) -> None:
        """Close the connection: event `error` if it can still be written, then the transport."""
        self._connection.close(why, message)

    def wait(self, event: Event, max_events: int, max_bytes: int) -> None:
        """Keep an event until the handler has decided. Raises ProtocolError beyond the bounds."""
        if self._waiting is None:
            self._waiting = []
        self._waiting.append(event)
        if len(self._waiting) > max_events or sum(map(_weight, self._waiting)) > max_bytes:
            raise ProtocolError("too much before the CONNECT was answered")

    def take_waiting(self) -> list[Event]:
        """The events that waited, in order; none wait after that."""
        waiting, self._waiting = self._waiting, None
        return waiting or []

    def leave(self) -> None:
        """It is gone. A handler that is still deciding goes on: to break it off could cost it more,
        a connection to a database, say."""
        self.stage = Stage.GONE
        self._waiting = None


def _weight(event: Event) -> int:
    return len(event.data) + sum(map(len, event.attachments))
