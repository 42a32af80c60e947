"""Where connections begin and are found again: settings, limits, and the table of all of them."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import msgspec

from webchat.errors import Closing
from webchat.ports.clock import Clock
from webchat.protocol.cookies import cookie_in
from webchat.protocol.engineio import Handshake
from webchat.session.connection import Connection
from webchat.session.deadlines import Deadlines
from webchat.session.handler import Request
from webchat.session.heartbeat import Heartbeat
from webchat.session.outbox import Bounds, Flusher
from webchat.session.resting import Resting
from webchat.session.roles import Application, Wire
from webchat.session.sids import new_sid
from webchat.session.upgrade import Upgrade

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})

_COOKIE_BYTES: Final = 4_096
"""As long as browsers let one be."""

OriginAllowed = Callable[[Mapping[str, str], bool], bool]
"""Whether a request with these headers (names in lower case) may come; `secure`: it is TLS."""


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """Limits and intervals of an endpoint.

    `ping_margin_ms`: how much sooner than the client was told a missing pong counts, for clients
    that measure. `max_payload_bytes`: of one message or POST. `max_outbox_bytes`: what may wait for
    one client; above `low_water_bytes` it is congested. `max_polling_connections`: how many of
    `max_connections` may poll, those that have not upgraded yet among them. `drain_spread_ms`: over
    how long clients are asked to come back when the server ends. `late_poll_delay_ms`: how long a
    poll that comes after the upgrade waits for its refusal. `allow_engine3`: Engine.IO 3 besides 4.
    `rest_ms`: for how long nothing is read of a connection that rests, less than clients wait for
    the answer to a POST. `max_poll_packets`: in one answer to a poll, 0: any number;
    python-engineio's client gives its connection up over more than 16. `kept_cookie`: the one that
    an open connection keeps of its request's; "": none.
    """

    ping_interval_ms: int = 25_000
    ping_timeout_ms: int = 20_000
    ping_margin_ms: int = 0
    max_payload_bytes: int = 1_000_000
    max_outbox_bytes: int = 1_048_576
    low_water_bytes: int = 65_536
    max_connections: int = 100_000
    max_polling_connections: int = 10_000
    upgrade_timeout_ms: int = 10_000
    close_timeout_ms: int = 5_000
    drain_spread_ms: int = 5_000
    late_poll_delay_ms: int = 10
    rest_ms: int = 1_000
    allow_engine3: bool = False
    max_poll_packets: int = 16
    kept_cookie: str = ""


class Busy(Exception):  # noqa: N818
    """No further connection is taken now; try again after `retry_after_ms`."""

    def __init__(self, message: str, retry_after_ms: int) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after_ms = retry_after_ms


class Endpoint:
    """The connections of one path, which all carry the same `application`.

    `origin_allowed` is asked for every request of polling and every WebSocket. `posting`: those of
    which a POST is under way. `limits`: of those that may send less in one message or POST than the
    settings say, how many bytes. `outside`: those that poll and were not accepted by their
    application yet, the oldest first. Made on the loop's thread.
    """

    def __init__(
        self,
        application: Callable[[Connection], Application],
        clock: Clock,
        settings: EngineSettings,
        *,
        origin_allowed: OriginAllowed,
        sid_factory: Callable[[], str] = new_sid,
    ) -> None:
        self.application = application
        self.settings = settings
        self.origin_allowed = origin_allowed
        flusher = Flusher(asyncio.get_running_loop().call_soon)
        self.bounds = Bounds(settings.max_outbox_bytes, settings.low_water_bytes, flusher)
        timeout_ms = settings.ping_timeout_ms - settings.ping_margin_ms
        self.heartbeat = Heartbeat(clock, settings.ping_interval_ms / 1000, timeout_ms / 1000)
        self.upgrades: Deadlines[Upgrade] = Deadlines(
            clock, settings.upgrade_timeout_ms / 1000, Upgrade.fail
        )
        self.resting = Resting(clock, settings.rest_ms / 1000)
        self.posting: set[Connection] = set()
        self.limits: dict[Connection, int] = {}
        self.outside: dict[Connection, None] = {}
        self._lingering: Deadlines[Connection] = Deadlines(
            clock, settings.close_timeout_ms / 1000, Connection.abandon
        )
        self._new_sid = sid_factory
        self._connections: dict[str, Connection] = {}
        self._polling: set[Connection] = set()
        self._is_draining = False

    def __len__(self) -> int:
        """How many connections there are."""
        return len(self._connections)

    def waiting_bytes(self) -> int:
        """How much waits in all outboxes; looks at each connection."""
        return sum(connection.outbox.waiting_bytes for connection in self._connections.values())

    def open(self, request: Request, wire: Wire | None = None) -> Connection:
        """Begin a connection, over `wire` or by polling. Raises Busy."""
        self.check_room(websocket=wire is not None)
        connection = Connection(self, self._new_sid(), _as_kept(request, self.settings.kept_cookie))
        self._connections[connection.sid] = connection
        if wire is None:
            self._polling.add(connection)
            self.outside[connection] = None
        connection.start(self._handshake(connection).packet(), wire)
        return connection

    def find(self, sid: str) -> Connection | None:
        """The connection of that id, if it is not over."""
        return self._connections.get(sid)

    def check_room(self, *, websocket: bool) -> None:
        """Raises Busy if no further connection of that transport can be taken. One that polls takes
        the place of the oldest such that nobody has let in yet."""
        if self._is_draining:
            raise Busy("The server is restarting.", self._retry_after_ms())
        settings = self.settings
        full = len(self._connections) >= settings.max_connections
        if not (full or websocket) and len(self._polling) >= settings.max_polling_connections:
            full = not self.outside
            if self.outside:  # who only takes up room makes it for others
                next(iter(self.outside)).abandon()
        if full:
            raise Busy("The server has no room for another connection.", self._retry_after_ms())

    def drain(self) -> None:
        """Take no more connections and close all: SERVER_DRAINING, to come back at random times."""
        self._is_draining = True
        for connection in list(self._connections.values()):
            connection.close(
                Closing.SERVER_DRAINING, "The server is restarting.", self._retry_after_ms()
            )

    def abandon(self) -> None:
        """Let go of what is left, and of all timers."""
        self._is_draining = True
        for connection in list(self._connections.values()):
            connection.abandon()
        self.heartbeat.stop()
        self.resting.stop()
        self.upgrades.stop()
        self._lingering.stop()

    # What connections tell of themselves.

    def took_wire(self, connection: Connection) -> None:
        """It polls no more."""
        self._polling.discard(connection)
        self.outside.pop(connection, None)

    def linger(self, connection: Connection) -> None:
        """It is closing and waits for one last poll, but not for ever."""
        self._lingering.add(connection)

    def forget(self, connection: Connection) -> None:
        """It is over."""
        self._connections.pop(connection.sid, None)
        self.outside.pop(connection, None)
        self._polling.discard(connection)
        self._lingering.discard(connection)
        self.limits.pop(connection, None)

    def _handshake(self, connection: Connection) -> Handshake:
        settings = self.settings
        return Handshake(
            sid=connection.sid,
            upgrades=[] if connection.request.websocket else ["websocket"],
            ping_interval=settings.ping_interval_ms,
            ping_timeout=settings.ping_timeout_ms,
            max_payload=settings.max_payload_bytes,
        )

    def _retry_after_ms(self) -> int:
        return 1 + secrets.randbelow(max(self.settings.drain_spread_ms, 1))


def _as_kept(request: Request, cookie: str) -> Request:
    """The request as an idle connection keeps it: a browser's headers are a kilobyte or sixty, and
    only who it is will be asked again, at each CONNECT."""
    value = cookie_in(request.headers.get("cookie", ""), cookie)
    is_kept = cookie and 0 < len(value) <= _COOKIE_BYTES
    headers = {"cookie": f"{cookie}={value}"} if is_kept else _NOTHING
    return msgspec.structs.replace(request, headers=headers, query=_NOTHING)
