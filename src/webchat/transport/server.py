"""The server: sockets that listen, what answers on each, and an end that loses nothing.

clock = LoopClock()
endpoint = Endpoint(
    SocketIO(handler, clock, SocketSettings()), clock, EngineSettings(),
    origin_allowed=OwnOrListed(["https://chat.example"]),
)
site = Site(app=rest, endpoints={"/socket.io": endpoint}, sockets=[bind("127.0.0.1", 4000)])
server = Server([site], ServerSettings(), clock, Proxies())
await server.start()
...
await server.stop(grace_s=10.0)
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import uvicorn

from webchat.ports.clock import Clock
from webchat.session.deadlines import Deadlines
from webchat.session.endpoint import Endpoint
from webchat.session.pacing import Pacing, Sharing
from webchat.transport.admission import Refused
from webchat.transport.asgi import Receive, Scope, Send, respond
from webchat.transport.http import Hosting, HostingConfig, HttpProtocol
from webchat.transport.polling import Polling
from webchat.transport.proxy import Proxies
from webchat.transport.relay import Relay
from webchat.transport.to_role import ToRole
from webchat.transport.websocket import WebSocket

_CANCEL_AFTER_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """Limits and times of HTTP connections.

    `head_timeout_ms`: within which a request's head must be there, from the connection's start or
    its own first byte, and the rest of a body once it is answered; `max_head_bytes`: of the head's
    size, and of the trailers', looked at after each read. `max_pipelined`: how many requests may
    wait for the answer to an earlier one. `unread_timeout_ms`: a client that reads nothing of its
    answers for so long, or up to twice that, is cut off.
    `keep_alive_s`: how long a connection without a request is kept, longer than balancers keep
    theirs (a minute, mostly), so that none sends a request into one that is just being closed.
    `new_connections_per_turn`: how many begin in one turn of the loop: a thousand that come at once
    do not hold up those that are there.
    """

    head_timeout_ms: int = 10_000
    body_timeout_ms: int = 20_000
    max_head_bytes: int = 65_536
    max_pipelined: int = 32
    unread_timeout_ms: int = 30_000
    keep_alive_s: int = 75
    close_timeout_ms: int = 5_000
    backlog: int = 2_048
    new_connections_per_turn: int = 1


App = Callable[[Scope, Receive, Send], Awaitable[None]]
"""An ASGI application."""


@dataclass(frozen=True, slots=True)
class Site:
    """What answers on some sockets: `endpoints` at their paths, `app` (ASGI) everywhere else.

    `passed_on`: paths of endpoints that nodes of another role serve, WebSockets included.
    """

    app: App
    sockets: Sequence[socket.socket]
    endpoints: Mapping[str, Endpoint] = field(default_factory=dict)
    passed_on: Mapping[str, ToRole] = field(default_factory=dict)


class AddressInUse(Exception):  # noqa: N818
    """Another process listens there; the message says where, for a person at a terminal."""


def bind(host: str, port: int, *, reuse_port: bool = False) -> socket.socket:
    """A socket bound to `host` (a name or address) and `port` (0: a free one).

    `reuse_port`: other processes that say so can listen there, too; each gets its share of the
    connections. Raises AddressInUse; OSError for an address that is not this machine's.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind(address)
    except OSError as error:
        bound.close()
        if error.errno == errno.EADDRINUSE:
            raise AddressInUse(f"Port {port} of {host} is in use by another process.") from error
        raise
    return bound


class Server:
    """Serves `sites` inside the running loop, without signal handlers of its own.

    `relay`: passes on what belongs to sessions of other nodes, and takes what they pass on; it is
    closed by whoever made it, after the server. None: there are no other nodes.
    """

    def __init__(
        self,
        sites: Sequence[Site],
        settings: ServerSettings,
        clock: Clock,
        proxies: Proxies,
        relay: Relay | None = None,
    ) -> None:
        self._sites = sites
        self._relay = relay
        self._heads: Deadlines[HttpProtocol] = Deadlines(
            clock, settings.head_timeout_ms / 1000, HttpProtocol.abort
        )
        self._idle: Deadlines[HttpProtocol] = Deadlines(
            clock, settings.keep_alive_s, HttpProtocol.timeout_keep_alive_handler
        )
        self._readers: Deadlines[HttpProtocol] = Deadlines(
            clock, settings.unread_timeout_ms / 1000, HttpProtocol.look_at_reader
        )
        self._closing: Deadlines[WebSocket] = Deadlines(
            clock, settings.close_timeout_ms / 1000, WebSocket.abort
        )
        self._pieces = Sharing(asyncio.get_running_loop().call_soon)
        self._hosts = [_Host(self._config(site, settings, proxies)) for site in sites]
        self._running: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Return once all sites accept connections. Raises what keeps one from it."""
        for site, host in zip(self._sites, self._hosts, strict=True):
            serving = asyncio.create_task(host.serve(list(site.sockets)))
            self._running.append(serving)
            ready = asyncio.ensure_future(host.ready.wait())
            await asyncio.wait((ready, serving), return_when=asyncio.FIRST_COMPLETED)
            if not ready.done():
                ready.cancel()
                await serving

    async def stop(self, grace_s: float) -> None:
        """Accept nothing more, tell every connection, let requests finish for `grace_s` seconds.

        Then cut off whoever is left; an application that still holds on to a request is cancelled
        a second later. Handlers have heard of every end when this returns.
        """
        for host in self._hosts:
            host.stop_accepting()
        for endpoint in self._endpoints():
            endpoint.drain()
        for host in self._hosts:
            host.finish(grace_s + _CANCEL_AFTER_S)
        if self._running:
            await asyncio.wait(self._running, timeout=grace_s)
        for endpoint in self._endpoints():
            endpoint.abandon()
        for host in self._hosts:
            host.abort()
        await asyncio.gather(*self._running)
        self._heads.stop()
        self._idle.stop()
        self._readers.stop()
        self._closing.stop()
        # Handlers hear of an end in the turn after it.
        await asyncio.sleep(0)

    def _endpoints(self) -> list[Endpoint]:
        return [endpoint for site in self._sites for endpoint in site.endpoints.values()]

    def _config(self, site: Site, settings: ServerSettings, proxies: Proxies) -> HostingConfig:
        call_soon = asyncio.get_running_loop().call_soon
        hosting = Hosting(
            endpoints={path.rstrip("/"): endpoint for path, endpoint in site.endpoints.items()},
            passed_on={path.rstrip("/"): to_role for path, to_role in site.passed_on.items()},
            relay=self._relay,
            proxies=proxies,
            max_head_bytes=settings.max_head_bytes,
            max_pipelined=settings.max_pipelined,
            heads=self._heads,
            idle=self._idle,
            readers=self._readers,
            closing=self._closing,
            pacing=Pacing(call_soon, settings.new_connections_per_turn),
            pieces=self._pieces,
        )
        config = HostingConfig(
            _Router(site.app, hosting, settings.body_timeout_ms),
            http=HttpProtocol,
            # Never built: HttpProtocol hands over by itself, but asks whether there is one.
            ws=WebSocket,
            lifespan="off",
            log_config=None,
            log_level="error",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            backlog=settings.backlog,
        )
        config.hosting = hosting
        return config


class _Host(uvicorn.Server):
    """uvicorn's server of one site, which leaves signals to us."""

    def __init__(self, config: HostingConfig) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Take none."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        self.ready.set()

    def stop_accepting(self) -> None:
        """Close the listening sockets alone."""
        for server in self.servers:
            server.close()

    def finish(self, grace_s: float) -> None:
        """End once all connections have, or within `grace_s` seconds."""
        # uvicorn hands it to asyncio.wait_for, which takes fractions, too.
        self.config.timeout_graceful_shutdown = grace_s  # type: ignore[assignment]
        self.should_exit = True

    def abort(self) -> None:
        """Cut off what did not end in time."""
        for connection in list(self.server_state.connections):
            connection.abort()  # type: ignore[union-attr]  # HttpProtocol or WebSocket


class _Router:
    """Endpoints at their paths, the application everywhere else."""

    def __init__(self, app: App, hosting: Hosting, body_timeout_ms: int) -> None:
        self._app = app
        self._relay = hosting.relay
        self._at: dict[str, App] = {
            path: Polling(endpoint, hosting.proxies, body_timeout_ms, hosting.relay)
            for path, endpoint in hosting.endpoints.items()
        }
        self._at.update(hosting.passed_on)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on."""
        try:
            if self._relay is not None:
                self._relay.unmark(scope)
        except Refused as refused:
            await respond(send, refused.status, refused.body, refused.headers)
            return
        app = self._at.get(scope["path"].rstrip("/"), self._app)
        await app(scope, receive, send)
