"""Socket.IO over one connection: its namespaces, and what comes in for them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import msgspec

from webchat.errors import Closing
from webchat.ports.clock import Clock
from webchat.protocol import engineio, socketio
from webchat.protocol.errors import ProtocolError
from webchat.protocol.socketio import ROOT, Event, Incoming, decode_root_event
from webchat.session.connection import Connection
from webchat.session.deadlines import Deadlines
from webchat.session.handler import ConnectRefused, Handler
from webchat.session.sids import new_sid
from webchat.session.socket import CONNECTED, ClientSocket, Stage

_log = logging.getLogger(__name__)
_DECISIONS: Final = 10
"""How many of one connection's CONNECTs may be under decision, those that it left again included:
more than there are namespaces, and each of them is a task."""
_HEAD_BYTES: Final = 1_024
"""What a packet has before its data, at most, and to spare."""


@dataclass(frozen=True, slots=True)
class SocketSettings:
    """Limits of the Socket.IO layer.

    `namespaces`: those that exist. `connect_timeout_ms`: how long a connection may be in none of
    them, nor on its way in. `max_waiting_…`: what a client may send while the handler decides on
    its CONNECT; until it is in for the first time, no message or POST may be longer, either.
    """

    namespaces: frozenset[str] = frozenset({socketio.ROOT})
    connect_timeout_ms: int = 20_000
    max_attachments: int = 10
    max_attachments_bytes: int = 1_000_000
    max_waiting_events: int = 100
    max_waiting_bytes: int = 262_144


class SocketIO:
    """The Socket.IO layer of an endpoint: `Endpoint(SocketIO(handler, clock, settings), …)`."""

    def __init__(self, handler: Handler, clock: Clock, settings: SocketSettings) -> None:
        self.handler = handler
        self.settings = settings
        self.homeless: Deadlines[Client] = Deadlines(
            clock, settings.connect_timeout_ms / 1000, Client.give_up
        )
        self._deciding: dict[Client, set[asyncio.Task[None]]] = {}

    def __call__(self, connection: Connection) -> Client:
        """The application that a new connection carries."""
        return Client(self, connection)

    def decide(self, client: Client, socket: ClientSocket, auth: object) -> None:
        """Ask the handler whether it accepts `socket`; the answer comes to `client` later.

        Raises ProtocolError if too much is asked at once.
        """
        deciding = self._deciding.setdefault(client, set())
        if len(deciding) >= _DECISIONS:
            raise ProtocolError("too many CONNECTs at once")
        task = asyncio.get_running_loop().create_task(self._decide(client, socket, auth))
        deciding.add(task)
        task.add_done_callback(partial(self._decided, client))

    async def close(self) -> None:
        """All connections are over: decisions that nobody waits for are broken off."""
        tasks = [task for deciding in self._deciding.values() for task in deciding]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _decided(self, client: Client, task: asyncio.Task[None]) -> None:
        deciding = self._deciding[client]
        deciding.discard(task)
        if not deciding:
            del self._deciding[client]

    async def _decide(self, client: Client, socket: ClientSocket, auth: object) -> None:
        try:
            await self.handler.connect(socket, auth)
        except ConnectRefused as refused:
            client.refuse(socket, refused)
        except Exception:
            _log.exception("a CONNECT could not be handled")
            client.refuse(socket, ConnectRefused("Something went wrong.", "internal"))
        else:
            client.accept(socket)


class Client:
    """The application of a connection that speaks Socket.IO."""

    __slots__ = ("_connection", "_partial", "_server", "_sockets")

    def __init__(self, server: SocketIO, connection: Connection) -> None:
        self._server = server
        self._connection = connection
        # A tuple: nearly every client is in one namespace, and a dict would cost 200 bytes more.
        self._sockets: tuple[ClientSocket, ...] = ()
        self._partial: tuple[Incoming, list[bytes]] | None = None

    def opened(self) -> None:
        """In Engine.IO 3 every client is connected to the namespace `/` without asking."""
        self._server.homeless.add(self)
        self._connection.limit(self._server.settings.max_waiting_bytes + _HEAD_BYTES)
        if self._connection.request.engine == 3:
            self._connect(socketio.ROOT, {})

    def message(self, message: str | bytes) -> None:
        """A packet came, or a piece of one."""
        if isinstance(message, bytes):
            self._attachment(message)
            return
        if self._partial is not None:
            raise ProtocolError("text where an attachment was announced")
        event = decode_root_event(message, 1)
        if event is not None:
            for socket in self._sockets:  # as `_event` does: on the path of a message a call less
                if socket.namespace == ROOT and socket.stage is CONNECTED:
                    self._server.handler.event(socket, event)
                    return
            self._event(ROOT, event)
            return
        packet = socketio.decode(message, 1, self._server.settings.max_attachments)
        if packet.attachments:
            self._partial = (packet, [])
        else:
            self._packet(packet, ())

    def _attachment(self, data: bytes) -> None:
        if self._partial is None:
            raise ProtocolError("an attachment that was not announced")
        packet, attachments = self._partial
        attachments.append(data)
        if sum(map(len, attachments)) > self._server.settings.max_attachments_bytes:
            raise ProtocolError("attachments are too big")
        if len(attachments) == packet.attachments:
            self._partial = None
            self._packet(packet, attachments)

    def _packet(self, packet: Incoming, attachments: Sequence[bytes]) -> None:
        if packet.type in (socketio.EVENT, socketio.BINARY_EVENT):
            self._event(packet.namespace, Event(packet.data, packet.ack_id, attachments))
            return
        socket = self._find(packet.namespace)
        if packet.type == socketio.CONNECT:
            if socket is not None and self._connection.request.engine == 4:
                raise ProtocolError("CONNECT to a namespace that it is in")
            if socket is None:
                known = packet.namespace in self._server.settings.namespaces
                self._connect(packet.namespace, socketio.decode_auth(packet) if known else {})
        elif packet.type == socketio.DISCONNECT:
            if socket is not None:
                self._leave(socket)
        elif packet.ack_id is None or socket is None:
            # Nothing is emitted here that asks for an ACK: one that comes is passed over.
            raise ProtocolError("an ACK of nothing")

    def _event(self, namespace: str, event: Event) -> None:
        for socket in self._sockets:
            if socket.namespace == namespace:
                if socket.stage is CONNECTED:
                    self._server.handler.event(socket, event)
                else:
                    settings = self._server.settings
                    socket.wait(event, settings.max_waiting_events, settings.max_waiting_bytes)
                return
        raise ProtocolError("an event for a namespace that it is not in")

    def _find(self, namespace: str) -> ClientSocket | None:
        for socket in self._sockets:
            if socket.namespace == namespace:
                return socket
        return None

    # Connecting and leaving.

    def _connect(self, namespace: str, auth: object) -> None:
        socket = ClientSocket(self._connection, namespace)
        self._sockets += (socket,)
        if namespace in self._server.settings.namespaces:
            self._server.decide(self, socket, auth)
        else:
            self.refuse(socket, ConnectRefused("Invalid namespace"))

    def accept(self, socket: ClientSocket) -> None:
        """The handler accepts `socket`."""
        if socket.closed:
            return
        socket.stage = Stage.CONNECTED
        self._server.homeless.discard(self)
        self._connection.let_in()
        engine = self._connection.request.engine
        socket.emit(socketio.connect_packet(new_sid(), socket.namespace, engine))
        handler = self._server.handler
        self._connection.guarded(handler.connected, socket)
        for event in socket.take_waiting():
            self._connection.guarded(handler.event, socket, event)

    def refuse(self, socket: ClientSocket, refused: ConnectRefused) -> None:
        """The handler does not want `socket`; the client may ask again, in its time."""
        if socket.closed:
            return
        self._leave(socket)
        engine = self._connection.request.engine
        self._connection.outbox.put(
            socketio.connect_error_packet(refused.message, refused.data, socket.namespace, engine)
        )

    def _leave(self, socket: ClientSocket) -> None:
        """It has to come in, or come back, in time: asking and leaving again wins none."""
        self._drop(socket)
        if not self._sockets and self not in self._server.homeless:
            self._server.homeless.add(self)

    def _drop(self, socket: ClientSocket) -> None:
        self._sockets = tuple(other for other in self._sockets if other is not socket)
        was_connected = socket.stage is Stage.CONNECTED
        socket.leave()
        if was_connected:
            # Later, so that a handler that emits to many is not called back in its midst.
            asyncio.get_running_loop().call_soon(self._server.handler.disconnected, socket)

    # The end.

    def give_up(self) -> None:
        """It is in no namespace for too long, unless it waits for the server to decide."""
        if self._sockets:
            self._server.homeless.add(self)
            return
        self._connection.close(Closing.PROTOCOL_ERROR, "no CONNECT in time")

    def farewell(
        self, why: Closing, message: str, retry_after_ms: int | None
    ) -> list[engineio.Packet]:
        """The event `error` of docs/protocol.md, section 7, in each namespace it is in."""
        error: dict[str, object] = {"code": why.wire, "message": message}
        if retry_after_ms is not None:
            error["retry_after_ms"] = retry_after_ms
        args = msgspec.json.encode(["error", {"ok": False, "error": error}])
        return [
            socketio.event_packet(args, namespace=socket.namespace)
            for socket in self._sockets
            if socket.stage is Stage.CONNECTED
        ]

    def closed(self) -> None:
        """The connection is over."""
        self._server.homeless.discard(self)
        self._partial = None
        for socket in self._sockets:
            self._drop(socket)
