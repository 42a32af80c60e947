"""One connection to Redis: commands of a loop turn in one write, replies matched in order.

It knows RESP (https://redis.io/docs/latest/develop/reference/protocol-spec/, version 2) and when
Redis is silent for too long, and nothing of what the commands mean. No task and no future per
command: redis-py awaits each reply on its own, which costs the path of a message too much.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Final, cast

import hiredis

from webchat.adapters.redis.address import Address
from webchat.ports.clock import Clock, Timer

Reply = Any
"""What hiredis reads: int, bytes, None, a list of them, or a hiredis.ReplyError."""

pack = cast(Callable[[tuple[str | bytes | int, ...]], bytes], hiredis.pack_command)
"""A command as Redis reads it; hiredis itself declares it for tuples of one."""

OnReply = Callable[[Reply], None]
OnMessage = Callable[[bytes, bytes], None]

_MESSAGE: Final = b"message"
_CLOSED: Final = "the connection to Redis is closed"
_PIECE_BYTES: Final = 1024 * 1024
_ON_THEIR_WAY_BYTES: Final = 4 * _PIECE_BYTES
"""Beyond that commands wait here: the time in which Redis has to answer is not for a burst that no
Redis could take within it, and subscribers have as much to read at once."""


def bulk(said: bytes) -> bytes:
    """A bulk string in RESP, for a command that is put together from parts."""
    return b"$%d\r\n%b\r\n" % (len(said), said)


class LinkLost(Exception):  # noqa: N818
    """The connection is gone; given to every command that waited, in place of a reply."""


class Link(asyncio.Protocol):
    """One connection, made by `connect`. All calls on the loop's thread.

    Every `on_reply` is called once, in the order of the commands: with the reply, or with a
    LinkLost as soon as one reply takes longer than `timeout_s` from when its command was written,
    more than `max_unanswered_bytes` wait, or the connection ends. `on_lost` is called after them,
    once, unless the link was closed by its owner. `on_message` hears what is published on
    subscribed channels; what was before `heard_until_s` it has heard: replies and messages come in
    one order.
    """

    def __init__(self, clock: Clock, timeout_s: float, max_unanswered_bytes: int) -> None:
        self.on_message: OnMessage | None = None
        self.on_lost: Callable[[str], None] | None = None
        self.lag_ms = 0.0
        self.heard_until_s = clock.monotonic_s()
        self._clock = clock
        self._timeout_s = timeout_s
        self._max_unanswered_bytes = max_unanswered_bytes
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._reader = hiredis.Reader()
        self._out: list[bytes] = []
        self._out_bytes = 0
        self._pieces: deque[tuple[int, bytes]] = deque()
        self._waiting: deque[OnReply] = deque()
        self._asked = 0
        self._answered = 0
        self._unanswered_bytes = 0
        self._written_bytes = 0
        self._batches: deque[tuple[int, int, float]] = deque()
        self._timer: Timer | None = None
        self._is_overdue = False
        self.is_open = False

    def send(self, command: bytes, on_reply: OnReply, replies: int = 1) -> None:
        """Ask with an encoded command that has `replies` replies; written with all of this turn,
        unless too much is on its way."""
        if not self.is_open:
            self._refuse(on_reply, replies)
            return
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out.append(command)
        if replies == 1:
            self._waiting.append(on_reply)
        else:
            self._waiting.extend([on_reply] * replies)
        self._asked += replies
        self._out_bytes += len(command)
        if self._out_bytes >= _PIECE_BYTES:
            self._cut()

    async def call(self, *command: str | bytes | int) -> Reply:
        """Ask and wait. Raises hiredis.ReplyError and LinkLost."""
        answer: asyncio.Future[Reply] = self._loop.create_future()

        def on_reply(reply: Reply) -> None:
            if not answer.done():
                answer.set_result(reply)

        self.send(pack(command), on_reply)
        reply = await answer
        if isinstance(reply, Exception):
            raise reply
        return reply

    def close(self) -> None:
        """Let go: what waits fails, `on_lost` is not called."""
        self.on_lost = None
        self.drop(_CLOSED)

    def drop(self, why: str) -> None:
        """Give the connection up: whatever waits fails in order, then `on_lost` is told why."""
        if self._transport is not None:
            self._transport.abort()
        self._end(why)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop."""
        self._transport = cast(asyncio.Transport, transport)
        self.is_open = True

    def data_received(self, data: bytes) -> None:
        """Called by the event loop: hand out the replies and messages that are complete."""
        next_reply = self._reader.gets
        try:
            self._reader.feed(data)
            while (reply := next_reply()) is not False:
                # In one place, without calls between: each message to another node comes by here.
                try:
                    if type(reply) is list and len(reply) == 3 and reply[0] == _MESSAGE:
                        if self.on_message is not None:
                            self.on_message(reply[1], reply[2])
                    elif self._waiting:
                        self._answered += 1
                        self._waiting.popleft()(reply)
                    elif self.is_open:
                        self.drop(f"Redis said what nobody asked for ({reply!r})")
                except Exception as error:
                    self._listener_failed(error)
        except (hiredis.ProtocolError, UnicodeDecodeError):
            self.drop("what answers there is not a Redis")
            return
        if self._batches and self._batches[0][0] <= self._answered:
            self._settle()

    def connection_lost(self, error: Exception | None) -> None:
        """Called by the event loop."""
        self._end(
            f"Redis ended the connection ({error})" if error else "Redis ended the connection"
        )

    def _refuse(self, on_reply: OnReply, replies: int) -> None:
        """On a lost link: at once, or, asked while those before it are failing, after them."""
        if self._waiting:
            self._waiting.extend([on_reply] * replies)
            return
        for _ in range(replies):
            on_reply(LinkLost(_CLOSED))

    def _listener_failed(self, error: Exception) -> None:
        """It must not cost the others their replies."""
        self._loop.call_exception_handler(
            {"message": "a listener of the Redis connection failed", "exception": error}
        )

    def _cut(self) -> None:
        """What was asked so far is a piece."""
        self._pieces.append((self._asked, b"".join(self._out)))
        self._unanswered_bytes += self._out_bytes
        self._out, self._out_bytes = [], 0

    def _flush(self) -> None:
        """Write what was asked, in pieces, as far as it may be on its way."""
        if self._transport is None or not self.is_open:
            return
        if self._out:
            self._cut()
        if self._unanswered_bytes > self._max_unanswered_bytes:
            self.drop(f"more than {self._max_unanswered_bytes} bytes wait for Redis")
            return
        while self._pieces and self._written_bytes < _ON_THEIR_WAY_BYTES:
            asked, piece = self._pieces.popleft()
            self._batches.append((asked, len(piece), self._clock.monotonic_s()))
            self._written_bytes += len(piece)
            self._transport.write(piece)
        if self._timer is None and self._batches:
            self._timer = self._clock.call_later(self._timeout_s, self._look)

    def _settle(self) -> None:
        """Forget the batches that are answered; what waits behind them may go."""
        while self._batches and self._batches[0][0] <= self._answered:
            _, size, sent_s = self._batches.popleft()
            self._unanswered_bytes -= size
            self._written_bytes -= size
            self.lag_ms = (self._clock.monotonic_s() - sent_s) * 1000
            self.heard_until_s = sent_s
        self._is_overdue = False
        if self._pieces:
            self._flush()

    def _look(self) -> None:
        """Is the oldest batch overdue? If this process itself stood still, its answer may lie
        unread: then it is given one more turn of the loop."""
        self._timer = None
        if not self._batches:
            return
        left_s = self._batches[0][2] + self._timeout_s - self._clock.monotonic_s()
        if left_s <= 0 and self._is_overdue:
            self.drop(f"Redis did not answer within {self._timeout_s * 1000:.0f} ms")
            return
        self._is_overdue = left_s <= 0
        self._timer = self._clock.call_later(max(left_s, 0.001), self._look)

    def _end(self, why: str) -> None:
        if not self.is_open:
            return
        self.is_open = False
        self.on_message = None
        if self._timer is not None:
            self._timer.cancel()
        lost = LinkLost(why)
        while self._waiting:
            try:
                self._waiting.popleft()(lost)
            except Exception as error:
                self._listener_failed(error)
        self._out.clear()
        self._pieces.clear()
        self._batches.clear()
        if self.on_lost is not None:
            self.on_lost(why)


async def connect(
    address: Address, clock: Clock, timeout_s: float, max_unanswered_bytes: int
) -> Link:
    """A connection that is not logged in yet. Raises OSError (ssl.SSLError is one)."""
    loop = asyncio.get_running_loop()

    def make() -> Link:
        return Link(clock, timeout_s, max_unanswered_bytes)

    if address.path:
        return (await loop.create_unix_connection(make, address.path))[1]
    return (
        await loop.create_connection(
            make,
            address.host,
            address.port,
            ssl=address.tls,
            server_hostname=address.host if address.tls else None,
        )
    )[1]
