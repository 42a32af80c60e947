"""A server of the echo application on a free port, for tests of what lies below it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.conformance.app import Echo, EchoHandler, not_found
from webchat.adapters.memory.clock import LoopClock
from webchat.ports.clock import Clock
from webchat.session.client import SocketIO, SocketSettings
from webchat.session.endpoint import Endpoint, EngineSettings, OriginAllowed
from webchat.transport.origins import OwnOrListed
from webchat.transport.proxy import Proxies
from webchat.transport.server import App, Server, ServerSettings, Site, bind

ENGINE = "/engine.io/?EIO=4&transport=websocket"
SOCKET = "/socket.io/?EIO=4&transport=websocket"
POLLING = "/engine.io/?EIO=4&transport=polling"


@dataclass
class Running:
    """A server that runs."""

    port: int
    server: Server
    engine: Endpoint
    sockets: Endpoint


@asynccontextmanager
async def running(
    engine: EngineSettings | None = None,
    settings: ServerSettings | None = None,
    *,
    origin_allowed: OriginAllowed | None = None,
    proxies: Proxies | None = None,
    clock: Clock | None = None,
    app: App = not_found,
) -> AsyncIterator[Running]:
    clock = clock or LoopClock()
    engine = engine or EngineSettings()
    allowed = origin_allowed or OwnOrListed()
    raw = Endpoint(Echo, clock, engine, origin_allowed=allowed)
    application = SocketIO(EchoHandler(), clock, SocketSettings())
    sockets = Endpoint(application, clock, engine, origin_allowed=allowed)
    listening = bind("127.0.0.1", 0)
    site = Site(app, [listening], {"/engine.io/": raw, "/socket.io": sockets})
    server = Server([site], settings or ServerSettings(), clock, proxies or Proxies())
    await server.start()
    try:
        yield Running(listening.getsockname()[1], server, raw, sockets)
    finally:
        await server.stop(grace_s=1.0)
