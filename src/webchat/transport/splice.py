"""Two TCP connections joined: what comes from one goes to the other, byte for byte, both ways.

For WebSockets whose session lives on another node. A side that reads slowly slows the other down;
the end of one is passed on to the other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, MutableSet
from typing import Any, Final

from webchat.session.deadlines import Deadlines

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
