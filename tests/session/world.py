"""Hand-written ends of a connection: a WebSocket that records, a handler that does as told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tests.memory.clock import ManualClock
from webchat.errors import Closing
from webchat.protocol.engineio import Packet
from webchat.protocol.socketio import Event
from webchat.session.client import SocketIO, SocketSettings
from webchat.session.connection import Connection
from webchat.session.endpoint import Endpoint, EngineSettings
from webchat.session.handler import Request, Socket
from webchat.session.roles import Receiver


def a_request(*, websocket: bool = True, engine: int = 4) -> Request:
    query: Mapping[str, str] = {"EIO": str(engine)}
    return Request({}, query, "127.0.0.1", engine, websocket)


async def turn() -> None:
    """Let everything that is ready run, and what follows from it."""
    for _ in range(5):
        await asyncio.sleep(0)


class FakeWire:
    """A WebSocket. `writes`: what each single write carried; `closed`: (code, reason);
    `max_message_bytes`: what it was told last; `is_held`: nothing more is read of the peer."""

    most_packets = 0

    def __init__(self) -> None:
        self.receiver: Receiver | None = None
        self.writes: list[list[str]] = []
        self.closed: tuple[int, str] | None = None
        self.max_message_bytes = 0
        self.is_held = False

    def hold(self) -> None:
        self.is_held = True

    def release(self) -> None:
        self.is_held = False

    def limit(self, max_message_bytes: int) -> None:
        self.max_message_bytes = max_message_bytes

    def send(self, packets: list[Packet]) -> bool:
        texts: list[str] = []
        for packet in packets:
            if packet.text:
                texts.append(packet.text.decode())
            texts += [f"<{attachment.hex()}>" for attachment in packet.attachments]
        self.writes.append(texts)
        return True

    def close(self, code: int, reason: str) -> None:
        self.receiver = None
        self.closed = self.closed or (code, reason)

    @property
    def sent(self) -> list[str]:
        """Everything written after the handshake."""
        return [text for write in self.writes for text in write if not text.startswith("0{")]

    def says(self, *texts: str) -> None:
        """The peer sends text messages, while it is listened to."""
        for text in texts:
            if self.receiver is not None:
                self.receiver.texts([text])


class EchoApplication:
    """An Engine.IO application that records and sends back. `lets_in`: it accepts a connection."""

    lets_in = True

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.messages: list[str | bytes] = []
        self.closings = 0

    def opened(self) -> None:
        if self.lets_in:
            self.connection.let_in()

    def message(self, message: str | bytes) -> None:
        self.messages.append(message)
        if isinstance(message, str):
            self.connection.outbox.put(Packet(b"4" + message[1:].encode()))
        else:
            self.connection.outbox.put(Packet(attachments=[message]))

    def farewell(self, why: Closing, message: str, retry_after_ms: int | None) -> list[Packet]:
        return [Packet(f"4bye {why.wire} {retry_after_ms is not None}".encode())]

    def closed(self) -> None:
        self.closings += 1


@dataclass
class RecordingHandler:
    """Records its calls in order; `on_connect` and `on_event` are a test's own."""

    calls: list[str] = field(default_factory=list)
    sockets: list[Socket] = field(default_factory=list)
    decided: asyncio.Event = field(default_factory=asyncio.Event)
    refusal: Exception | None = None
    on_event: Callable[[Socket, Event], None] | None = None

    async def connect(self, socket: Socket, auth: object) -> None:
        self.calls.append(f"connect {socket.namespace} {auth}")
        self.sockets.append(socket)
        await self.decided.wait()
        if self.refusal is not None:
            raise self.refusal

    def connected(self, socket: Socket) -> None:
        self.calls.append(f"connected {socket.namespace}")

    def event(self, socket: Socket, event: Event) -> None:
        self.calls.append(f"event {event.data}")
        if self.on_event is not None:
            self.on_event(socket, event)

    def disconnected(self, socket: Socket) -> None:
        self.calls.append(f"disconnected {socket.namespace}")


class EngineWorld:
    """An endpoint with the echo application, on a clock that stands still."""

    def __init__(self, settings: EngineSettings | None = None) -> None:
        self.clock = ManualClock()
        self.applications: list[EchoApplication] = []
        self.endpoint = Endpoint(
            self._application,
            self.clock,
            settings or EngineSettings(),
            origin_allowed=lambda headers, secure: True,
        )

    def _application(self, connection: Connection) -> EchoApplication:
        self.applications.append(EchoApplication(connection))
        return self.applications[-1]

    def by_websocket(self, *, engine: int = 4) -> tuple[Connection, FakeWire]:
        wire = FakeWire()
        return self.endpoint.open(a_request(engine=engine), wire), wire

    def by_polling(self, *, engine: int = 4) -> Connection:
        """A connection whose handshake was fetched."""
        connection = self.endpoint.open(a_request(websocket=False, engine=engine))
        assert connection.poll().done()
        return connection


class SocketWorld:
    """An endpoint with the Socket.IO layer and a recording handler."""

    def __init__(
        self,
        settings: SocketSettings | None = None,
        engine: EngineSettings | None = None,
        handler: RecordingHandler | None = None,
    ) -> None:
        self.clock = ManualClock()
        self.handler = handler or RecordingHandler()
        self.application = SocketIO(self.handler, self.clock, settings or SocketSettings())
        self.endpoint = Endpoint(
            self.application,
            self.clock,
            engine or EngineSettings(),
            origin_allowed=lambda headers, secure: True,
        )

    def by_websocket(self, *, engine: int = 4) -> FakeWire:
        wire = FakeWire()
        self.endpoint.open(a_request(engine=engine), wire)
        return wire

    async def connected(self) -> tuple[FakeWire, Socket]:
        """A client in the namespace `/`; what was sent so far is forgotten."""
        self.handler.decided.set()
        wire = self.by_websocket()
        wire.says("40")
        await turn()
        assert wire.sent[0].startswith('40{"sid":"')
        wire.writes.clear()
        self.handler.calls.clear()
        return wire, self.handler.sockets[-1]
