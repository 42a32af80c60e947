"""The seam between a Socket.IO connection and what uses it: the session knows no chat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from webchat.errors import Closing
from webchat.protocol.socketio import Event, Packet


class Request(msgspec.Struct, frozen=True, gc=False):
    """The HTTP request that opened a connection.

    `headers`: names in lower case. Of these an open connection has `cookie` alone, and of the
    cookies the one that `EngineSettings` names; of `query` nothing. `address`: the client's,
    trusted proxies taken into account. `engine`: the Engine.IO protocol, 3 or 4. `websocket`: it
    began as one.
    """

    headers: Mapping[str, str]
    query: Mapping[str, str]
    address: str
    engine: int
    websocket: bool


class ConnectRefused(Exception):  # noqa: N818
    """Raised by `Handler.connect`: CONNECT_ERROR `{message, data: {code, retry_after_ms?}}`; no
    `code`: no data."""

    def __init__(
        self, message: str, code: str | None = None, *, retry_after_ms: int | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.data: dict[str, object] = {} if code is None else {"code": code}
        if retry_after_ms is not None:
            self.data["retry_after_ms"] = retry_after_ms


class Socket(Protocol):
    """A client in one namespace. What the handler does with it never blocks and never raises."""

    namespace: str
    request: Request
    state: Any
    """The handler's own; None at first."""

    @property
    def closed(self) -> bool:
        """It is gone, or going: nothing that is emitted reaches the client."""

    @property
    def congested(self) -> bool:
        """More waits to be written than the low-water mark: a backlog should await `drained`."""

    def emit(self, packet: Packet) -> None:
        """Queue an encoded packet (shared between sockets, never changed). Everything queued in
        one turn of the loop is written at once. Over the bound in bytes the connection closes with
        SLOW_CONSUMER. On a closed socket: nothing."""

    def ack(self, ack_id: int, args: bytes) -> None:
        """Queue the answer to the event `ack_id`; `args`: a JSON array in UTF-8."""

    def ack_all(self, ack_ids: Sequence[int | None], args: bytes) -> None:
        """Queue the same answer to each of these events; None: one that asked for none."""

    @property
    def polling(self) -> bool:
        """It is served by long polling at the moment, and not by a WebSocket."""

    def rest(self) -> None:
        """Read nothing more of the client for a while, so that TCP holds it back; a little that has
        come already is still an event. While it rests: nothing."""

    async def drained(self) -> None:
        """Return when no longer congested, or closed."""

    def close(self, why: Closing, message: str) -> None:
        """Close the connection: event `error` if it can still be written, then the transport."""


class Handler(Protocol):
    """What an endpoint does with its sockets. All calls on the loop's thread."""

    async def connect(self, socket: Socket, auth: object) -> None:
        """A client asks for `socket.namespace` with the CONNECT packet's auth ({} if none).

        Return to accept: CONNECT is sent then, after which `emit` is allowed: see `connected`.
        Raises ConnectRefused.
        """

    def connected(self, socket: Socket) -> None:
        """CONNECT has been queued; what is emitted from here on follows it."""

    def event(self, socket: Socket, event: Event) -> None:
        """An EVENT came, in the order it was sent. Raises protocol.socketio.ProtocolError if its
        data is broken: the connection is closed with PROTOCOL_ERROR."""

    def disconnected(self, socket: Socket) -> None:
        """It is gone, by whatever cause; called once for each socket that was `connected`."""
