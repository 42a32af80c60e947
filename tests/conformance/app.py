"""The server that the official suites of Engine.IO 4 and Socket.IO 5 are run against.

It mounts the project's own protocol, session and transport code, with a handler of a few lines:
`python -m tests.conformance.app --port PORT` (0: a free one, which is printed).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any

import uvloop

from webchat.adapters.memory.clock import LoopClock
from webchat.errors import Closing
from webchat.protocol import engineio, socketio
from webchat.session.client import SocketIO, SocketSettings
from webchat.session.connection import Connection
from webchat.session.endpoint import Endpoint, EngineSettings
from webchat.session.handler import Socket
from webchat.transport.asgi import Receive, Send
from webchat.transport.origins import any_origin
from webchat.transport.proxy import Proxies
from webchat.transport.server import Server, ServerSettings, Site, bind

_ENGINE = EngineSettings(ping_interval_ms=300, ping_timeout_ms=200, ping_margin_ms=40)
_SOCKET = SocketSettings(namespaces=frozenset({"/", "/custom"}), connect_timeout_ms=1_000)


class Echo:
    """An Engine.IO application that sends every message back."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def opened(self) -> None:
        """Everybody may come in."""
        self._connection.let_in()

    def message(self, message: str | bytes) -> None:
        """Send it back, as what it was."""
        if isinstance(message, str):
            packet = engineio.Packet(b"4" + message[1:].encode())
        else:
            packet = engineio.Packet(attachments=[message])
        self._connection.outbox.put(packet)

    def farewell(
        self, why: Closing, message: str, retry_after_ms: int | None
    ) -> list[engineio.Packet]:
        """Nothing to say."""
        return []

    def closed(self) -> None:
        """Nothing to do."""


class EchoHandler:
    """A Socket.IO application: the events that the suites ask for."""

    async def connect(self, socket: Socket, auth: object) -> None:
        """Everybody may."""
        socket.state = auth

    def connected(self, socket: Socket) -> None:
        """Say with what auth."""
        args = json.dumps(["auth", socket.state], separators=(",", ":")).encode()
        socket.emit(socketio.event_packet(args, namespace=socket.namespace))

    def event(self, socket: Socket, event: socketio.Event) -> None:
        """`message` comes back as `message-back`, `message-with-ack` as its ack."""
        name, _ = socketio.decode_event(event)
        args = event.data.removeprefix(f'["{name}"').removeprefix(",")
        if name == "message":
            comma = "," if args != "]" else ""
            back = f'["message-back"{comma}{args}'.encode()
            socket.emit(socketio.event_packet(back, event.attachments, socket.namespace))
        elif name == "message-with-ack" and event.ack_id is not None:
            back = f"[{args}".encode()
            socket.emit(
                socketio.ack_packet(event.ack_id, back, event.attachments, socket.namespace)
            )

    def disconnected(self, socket: Socket) -> None:
        """Nothing to do."""


async def not_found(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
    """What answers everywhere else."""
    await send({"type": "http.response.start", "status": 404, "headers": []})
    await send({"type": "http.response.body", "body": b""})


@dataclass(frozen=True)
class Built:
    """The server, the port it will listen on, and its endpoint of raw Engine.IO."""

    server: Server
    port: int
    engine: Endpoint


def build(port: int, engine: EngineSettings = _ENGINE) -> Built:
    """All of it, not started yet; `port` 0: a free one."""
    clock = LoopClock()
    application = SocketIO(EchoHandler(), clock, _SOCKET)
    raw = Endpoint(Echo, clock, engine, origin_allowed=any_origin)
    sockets = Endpoint(application, clock, engine, origin_allowed=any_origin)
    listening = bind("127.0.0.1", port)
    site = Site(not_found, [listening], {"/engine.io": raw, "/socket.io": sockets})
    server = Server([site], ServerSettings(), clock, Proxies())
    return Built(server, listening.getsockname()[1], raw)


async def serve(port: int) -> None:
    """Serve until SIGTERM or SIGINT."""
    built = build(port)
    over = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, over.set)
    await built.server.start()
    print(built.port, flush=True)  # noqa: T201
    await over.wait()
    await built.server.stop(grace_s=5.0)


def main() -> None:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    uvloop.run(serve(parser.parse_args().port))


if __name__ == "__main__":
    main()
