"""One Engine.IO connection: its transports, its packets and its end. It knows no Socket.IO."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import Enum, auto
from typing import TYPE_CHECKING, Final, TypeVarTuple

from webchat.errors import Closing
from webchat.protocol import engineio, websocket
from webchat.protocol.engineio import MESSAGE, Packet
from webchat.protocol.errors import ProtocolError
from webchat.session.handler import Request
from webchat.session.outbox import Outbox
from webchat.session.poll import DuplicatePoll, DuplicatePost, Poll
from webchat.session.upgrade import Upgrade

if TYPE_CHECKING:
    from webchat.session.endpoint import Endpoint
    from webchat.session.roles import Application, Wire

Args = TypeVarTuple("Args")

_log = logging.getLogger(__name__)
_PACKETS_A_TURN: Final = 64
"""Of one payload."""


class State(Enum):
    """Where a connection is in its life.

    POLLING -> WEBSOCKET (it began as one, or was upgraded); either -> CLOSED, by polling after a
    time in CLOSING, in which one poll fetches what is left, and the next one the close.
    """

    POLLING = auto()
    WEBSOCKET = auto()
    CLOSING = auto()
    CLOSED = auto()


class Connection:
    """An Engine.IO session over polling, a WebSocket, or the first and then the second.

    Nothing that a peer sends raises out of it: it closes itself instead. `is_open`: messages still
    go both ways, in POLLING and WEBSOCKET.
    """

    __slots__ = ("_endpoint", "_poll", "_upgrade", "_wire", "application", "is_open", "outbox",
                 "request", "sid", "state")  # fmt: skip

    def __init__(self, endpoint: Endpoint, sid: str, request: Request) -> None:
        self.sid = sid
        self.request = request
        self.state = State.POLLING
        self.is_open = True
        self.outbox = Outbox(endpoint.bounds, self)
        self.application: Application = endpoint.application(self)
        self._endpoint = endpoint
        self._wire: Wire | None = None
        self._poll: Poll | None = None
        self._upgrade: Upgrade | None = None

    @property
    def max_bytes(self) -> int:
        """How long a message, or a POST, may be now."""
        return self._endpoint.limits.get(self, self._endpoint.settings.max_payload_bytes)

    @property
    def is_polled(self) -> bool:
        """A poll waits for its answer."""
        return self._poll is not None and self._poll.is_waiting

    @property
    def polling(self) -> bool:
        """It has no WebSocket, or not yet."""
        return self._wire is None

    def start(self, handshake: Packet, wire: Wire | None = None) -> None:
        """Say the handshake over `wire`, or to the first poll, and begin the heartbeat."""
        self.outbox.put(handshake)
        if wire is not None:
            self._take(wire)
        self._endpoint.heartbeat.begin(self)
        self.application.opened()

    def limit(self, max_bytes: int) -> None:
        """Take no more in one message or POST until it is let in."""
        if max_bytes < self._endpoint.settings.max_payload_bytes:
            self._endpoint.limits[self] = max_bytes
        if self._wire is not None:
            self._wire.limit(self.max_bytes)

    def let_in(self) -> None:
        """The application accepts it: it may send as much as the endpoint says."""
        self._endpoint.limits.pop(self, None)
        self._endpoint.outside.pop(self, None)
        if self._wire is not None:
            self._wire.limit(self.max_bytes)

    def texts(self, events: Sequence[object]) -> int:
        """Packets came as texts, up to the first event that is none; how many were taken.

        All of a read at once, and not by `guarded`: on the path of a message two calls less.
        """
        taken = 0
        try:
            for text in events:
                if type(text) is not str:
                    break
                taken += 1
                if not self.is_open:
                    continue
                if text and text[0] == MESSAGE:
                    self.application.message(text)
                else:
                    self._control(text)
        except Exception as error:
            self._pay_for(error)
        return taken

    def binary(self, data: bytes) -> None:
        """A binary frame came."""
        self.guarded(self._frame, data)

    async def payload(self, body: bytes) -> bool:
        """The body of a POST came; False if it was malformed, which closes the connection.

        The packets before the malformed one count. If they are many, others have their turns in
        between, and who rests is answered after that: see `posting`.
        """
        try:
            for number, packet in enumerate(engineio.decode_payload(body, self.request.engine), 1):
                if isinstance(packet, str):
                    self.texts((packet,))
                else:
                    self.guarded(self.application.message, packet)
                if number % _PACKETS_A_TURN == 0:
                    await asyncio.sleep(0)
                    await self._endpoint.resting.over(self)
                if not self.is_open:
                    break
            await self._endpoint.resting.over(self)
        except ProtocolError as error:
            self.close(Closing.PROTOCOL_ERROR, str(error))
            self._finish()
            return False
        return True

    def guarded(self, handle: Callable[[*Args], None], *args: *Args) -> None:
        """Call `handle` on what came from the peer; what it raises closes this connection alone."""
        if not self.is_open:
            return
        try:
            handle(*args)
        except Exception as error:
            self._pay_for(error)

    def _pay_for(self, error: Exception) -> None:
        if isinstance(error, ProtocolError):
            self.close(Closing.PROTOCOL_ERROR, str(error))
        else:
            self._fail()

    def _frame(self, data: bytes) -> None:
        v4 = self.request.engine == 4
        self.application.message(data if v4 else engineio.decode_v3_binary(data))

    def _control(self, text: str) -> None:
        kind, v4 = text[:1], self.request.engine == 4
        if kind == engineio.PONG and v4:
            self._endpoint.heartbeat.heard(self)
        elif kind == engineio.PING and not v4:
            self._endpoint.heartbeat.heard(self)
            self.outbox.put(Packet(b"3" + text[1:].encode()))
        elif kind == engineio.CLOSE:
            self._close_as_asked()
        elif text[:2] == "b4" and not v4:
            self.application.message(engineio.decode_v3_packet(text))
        elif kind != engineio.NOOP:
            raise ProtocolError("unknown packet type")

    def rest(self) -> None:
        """Read nothing more of the peer for a while; what came with the last may still count."""
        if self.is_open and self._endpoint.resting.begin(self) and self._wire is not None:
            self._wire.hold()

    def go_on(self) -> None:
        """It has rested. Of one that was not read it is not known what it has answered."""
        self._endpoint.heartbeat.heard(self)
        if self._wire is not None:
            self._wire.release()

    # Polling.

    def poll(self) -> asyncio.Future[bytes]:
        """A poll came: the future gets its answer's body.

        Raises DuplicatePoll if one is waiting already: then that one is told that this is the end.
        """
        if self.is_polled:
            self._finish()
            raise DuplicatePoll
        poll = self._poll = Poll(self.request.engine, self._endpoint.settings.max_poll_packets)
        self.outbox.open(poll)
        if self._upgrade is not None and self._upgrade.is_probed:
            self.release_poll()
        # The close goes alone: engine.io-client drops what comes in the same answer.
        if self.state is State.CLOSING and poll.is_waiting:
            self._finish()
        return poll.body

    def poll_lost(self, body: asyncio.Future[bytes]) -> None:
        """The client of a poll went away; if it was still waiting, so did the client."""
        if not body.done():
            body.cancel()
            self._finish()

    @contextmanager
    def posting(self) -> Iterator[None]:
        """A POST is under way, from its head to the last packet of its payload.

        Raises DuplicatePost if one was already: order could not be kept, and this is the end.
        """
        under_way = self._endpoint.posting
        if self in under_way:
            self._finish()
            raise DuplicatePost
        under_way.add(self)
        try:
            yield
        finally:
            under_way.discard(self)

    def release_poll(self) -> None:
        """Answer a waiting poll, if there is one, so that the client can go on without it."""
        if self._poll is not None and self._poll.is_waiting:
            self._poll.send([engineio.NOOP_PACKET])
            self.outbox.shut()

    # WebSocket.

    def offer(self, wire: Wire) -> None:
        """A WebSocket came for this session, to be probed. One that cannot be used is closed."""
        if self.state is not State.POLLING or self._upgrade is not None:
            wire.close(websocket.POLICY, "this session cannot be upgraded")
            return
        wire.limit(self.max_bytes)
        self._upgrade = wire.receiver = Upgrade(self, wire)
        self._endpoint.upgrades.add(self._upgrade)

    def upgraded(self, wire: Wire) -> None:
        """The client goes on over `wire` alone."""
        self.release_poll()
        self.upgrade_over()
        self._take(wire)
        if self in self._endpoint.resting:
            wire.hold()

    def upgrade_over(self) -> None:
        """The upgrade succeeded or failed; another may begin."""
        if self._upgrade is not None:
            self._endpoint.upgrades.discard(self._upgrade)
            self._upgrade = None

    def _take(self, wire: Wire) -> None:
        self.state = State.WEBSOCKET
        self._wire = wire
        self._poll = None
        wire.receiver = self
        wire.limit(self.max_bytes)
        self._endpoint.took_wire(self)
        self.outbox.open(wire)

    def lost(self) -> None:
        """The WebSocket is gone."""
        self._finish()

    def pause(self, held_bytes: int) -> None:
        """The WebSocket takes no more for now."""
        self.outbox.shut(held_bytes)
        if self.outbox.is_full:
            self.overflow()

    def resume(self) -> None:
        """The WebSocket takes more again."""
        if self._wire is not None:
            self.outbox.open(self._wire)

    # The end.

    def close(self, why: Closing, message: str, retry_after_ms: int | None = None) -> None:
        """Say why, if that can still be written, and close. Harmless on one that is closed."""
        if not self.is_open:
            return
        if why is Closing.SLOW_CONSUMER:
            self.outbox.take()
        farewell = self.application.farewell(why, message, retry_after_ms)
        self._end([*self.outbox.take(), *farewell], why.websocket, why.wire)

    def overflow(self) -> None:
        """The peer reads too slowly."""
        self.close(Closing.SLOW_CONSUMER, "The client reads too slowly.")

    def ping(self) -> None:
        """Time for a ping of protocol 4."""
        self.outbox.put(engineio.PING_PACKET)

    def timed_out(self) -> None:
        """The peer is silent for too long, if it was listened to."""
        if self in self._endpoint.resting:
            self._endpoint.heartbeat.spare(self)
            return
        if self._wire is not None:
            self._wire.close(websocket.GOING_AWAY, "ping timeout")
        self._finish()

    def abandon(self) -> None:
        """Let go of it at once: the server ends, or nobody came for the last words."""
        if self._wire is not None:
            self._wire.close(websocket.GOING_AWAY, "")
        self._finish()

    def _close_as_asked(self) -> None:
        self.release_poll()
        if self._wire is not None:
            self._wire.close(websocket.NORMAL, "")
        self._finish()

    def _fail(self) -> None:
        """A fault of our own: this connection alone pays for it."""
        _log.exception("a packet could not be handled: its connection is closed")
        if self.is_open:
            self._end([], websocket.INTERNAL_ERROR, "internal")

    def _end(self, last: list[Packet], code: int, reason: str) -> None:
        self._stop(State.CLOSING)  # from here on, what is too much for the peer changes nothing
        if self._wire is not None:
            self._wire.send(last)
            self._wire.close(code, reason)
            self._finish()
            return
        for packet in last:
            self.outbox.put(packet)
        self.outbox.flush()
        if self.is_polled:
            self._finish()
        else:
            self._endpoint.linger(self)

    def _finish(self) -> None:
        """Nothing more goes either way. A poll that still waits hears so."""
        if self.state is State.CLOSED:
            return
        self._stop(State.CLOSED)
        if self._poll is not None:
            self._poll.send([engineio.CLOSE_PACKET])
        self.outbox.shut()
        self.outbox.take()
        self._wire = self._poll = None
        self._endpoint.forget(self)

    def _stop(self, state: State) -> None:
        was_open, self.is_open, self.state = self.is_open, False, state
        if not was_open:
            return
        self._endpoint.heartbeat.end(self)
        self._endpoint.resting.end(self)
        if self._upgrade is not None:
            self._upgrade.fail()
        self.application.closed()
