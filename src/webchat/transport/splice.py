"""Two TCP connections joined: what comes from one goes to the other, byte for byte, both ways.

For WebSockets whose session lives on another node. A side that reads slowly slows the other down;
the end of one is passed on to the other.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, MutableSet, Sequence
from typing import Any, Final

from webchat.ports.clock import Clock
from webchat.session.deadlines import Deadlines
from webchat.transport.node_links import address

_HIGH_WATER_BYTES: Final = 65_536


class End(asyncio.Protocol):
    """One of the two connections. What it is given to write before it is made waits."""

    __slots__ = ("_early", "_is_over", "_splice", "_transport", "other")

    other: End

    def __init__(self, splice: Splice, transport: asyncio.Transport | None = None) -> None:
        self._splice = splice
        self._transport = transport
        self._early: list[bytes] = []
        self._is_over = False

    # What the other end does with it.

    def write(self, data: bytes) -> None:
        """Pass `data` on."""
        if self._transport is None:
            self._early.append(data)
        else:
            self._transport.write(data)

    def write_eof(self) -> None:
        """Nothing more will come from the other end."""
        transport = self._transport
        if transport is not None and not transport.is_closing():
            transport.write_eof()

    def pause_reading(self) -> None:
        """The other end does not take more for now."""
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """The other end takes more."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def close(self) -> None:
        """End it once all is written."""
        self._is_over = True
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """End it at once."""
        self._is_over = True
        if self._transport is not None:
            self._transport.abort()

    # asyncio.Protocol: what the network does with it.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The connection came about: say what waited."""
        transport.set_write_buffer_limits(high=_HIGH_WATER_BYTES)
        self._transport = transport
        if self._is_over:
            transport.abort()
            return
        transport.write(b"".join(self._early))
        self._early.clear()
        self.other.resume_reading()

    def data_received(self, data: bytes) -> None:
        """Bytes came, cut anywhere."""
        self.other.write(data)

    def eof_received(self) -> bool:
        """The peer will say no more; it may still listen."""
        self._splice.half_closed(self)
        return True

    def pause_writing(self) -> None:
        """The peer does not read as fast as the other writes."""
        self.other.pause_reading()

    def resume_writing(self) -> None:
        """The peer has read."""
        self.other.resume_reading()

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is gone."""
        self._is_over = True
        self._splice.lost(self, error)

    def shutdown(self) -> None:
        """The server ends."""
        self._splice.close()


class Splice:
    """The connection to a client and that to a node, which is still to be made.

    `peers` is the server's own set of its TCP connections, to which the client's belongs while it
    lives; `closing` ends both if a peer does not, once one has said its last. `on_over`: called
    once, when the client's is gone. `url`: of the node, once it is reached.
    """

    def __init__(
        self,
        client: asyncio.Transport,
        peers: MutableSet[Any],
        closing: Deadlines[Splice],
        on_over: Callable[[Splice], object],
    ) -> None:
        self._peers = peers
        self._closing = closing
        self._on_over = on_over
        self.url = ""
        self.is_over = False
        self._half_closed: End | None = None
        self.client = End(self, client)
        self.node = End(self)
        self.client.other, self.node.other = self.node, self.client
        client.pause_reading()
        client.set_write_buffer_limits(high=_HIGH_WATER_BYTES)
        peers.add(self.client)
        client.set_protocol(self.client)

    def close(self) -> None:
        """End both connections once all is written."""
        self.client.close()
        self.node.close()
        self._closing.add(self)

    def abort(self) -> None:
        """End both connections at once."""
        self.client.abort()
        self.node.abort()

    # What the ends tell.

    def half_closed(self, end: End) -> None:
        """One peer will say no more."""
        if self._half_closed not in (None, end):
            self.close()
            return
        self._half_closed = end
        end.other.write_eof()
        self._closing.add(self)

    def lost(self, end: End, error: Exception | None) -> None:
        """One of the two is gone."""
        if error is None:
            end.other.close()
        else:
            end.other.abort()
        if end is self.client:
            self.is_over = True
            self._closing.discard(self)
            self._peers.discard(end)
            self._on_over(self)
        elif not self.is_over:
            self._closing.add(self)


class Splices:
    """All of a node. `connect_timeout_s`: for one node; `close_timeout_s`: for the second half of a
    splice whose first half has ended."""

    def __init__(self, clock: Clock, connect_timeout_s: float, close_timeout_s: float) -> None:
        self._connect_timeout_s = connect_timeout_s
        self._by_url: defaultdict[str, set[Splice]] = defaultdict(set)
        self._closing: Deadlines[Splice] = Deadlines(clock, close_timeout_s, Splice.abort)
        self._reaching: set[asyncio.Task[None]] = set()

    def begin(
        self,
        transport: asyncio.Transport,
        connections: MutableSet[Any],
        request: bytes,
        reach: Callable[[Splice], Awaitable[None]],
    ) -> End:
        """Take a client's connection over: its new protocol. `request`: what the node is sent ahead
        of all that the client sends; `reach`: is to `connect` it."""
        splice = Splice(transport, connections, self._closing, self._forget)
        splice.node.write(request)
        reaching = asyncio.ensure_future(reach(splice))
        self._reaching.add(reaching)
        reaching.add_done_callback(self._reaching.discard)
        return splice.client

    async def connect(self, splice: Splice, urls: Sequence[str]) -> bool:
        """Connect it to the first of these nodes that can be reached; False: there is none."""
        loop = asyncio.get_running_loop()
        for url in urls:
            try:
                async with asyncio.timeout(self._connect_timeout_s):
                    await loop.create_connection(lambda: splice.node, *address(url))
            except (OSError, TimeoutError):
                continue
            if not splice.is_over:
                splice.url = url
                self._by_url[url].add(splice)
            return True
        return False

    def abort(self, url: str) -> None:
        """End those with that node."""
        for splice in self._by_url.pop(url, ()):
            splice.abort()

    async def close(self) -> None:
        """End all."""
        for reaching in list(self._reaching):
            reaching.cancel()
        await asyncio.gather(*self._reaching, return_exceptions=True)
        for url in list(self._by_url):
            self.abort(url)
        self._closing.stop()

    def _forget(self, splice: Splice) -> None:
        if (others := self._by_url.get(splice.url)) is not None:
            others.discard(splice)
