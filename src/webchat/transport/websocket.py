"""A WebSocket on a TCP connection: frames and close handshake below, a session above.

Source: RFC 6455, sections 5.5 and 7. Begun by transport.http, which hands the connection over.
"""

from __future__ import annotations

import asyncio
from collections.abc import MutableSet
from typing import Any, Final

from webchat.protocol import websocket
from webchat.protocol.engineio import Packet
from webchat.protocol.websocket import Closed, Event, Parser, Ping, Violation
from webchat.session.deadlines import Deadlines
from webchat.session.pacing import Sharing
from webchat.session.roles import Receiver

_PIECE_BYTES: Final = 8_192
"""How much of one read is dealt with at once: small packets are the dearest, and a read has up to
256 KiB of them."""
_NEXT_BYTES: Final = 2_048
"""And then at a time, in turns that all peers share who sent that much: 150 packets are a
millisecond or two."""


class WebSocket(asyncio.Protocol):
    """The `Wire` of a connection of Engine.IO 4.

    A peer that sends much at once is read piece by piece, so that others have their turns; `turns`
    are those of all such peers. `peers` is the server's own set of its TCP connections, to which it
    belongs while it lives; `closing` ends it if its peer does not, once a close frame was sent.
    `answer`: to the request, written with what is said first; b"": it has been written.
    """

    __slots__ = ("_closing", "_is_closing", "_is_held", "_is_in_turn", "_is_paused", "_parser",
                 "_peers", "_pieces", "_transport", "_turns", "_unsaid", "receiver")  # fmt: skip

    most_packets = 0

    def __init__(
        self,
        transport: asyncio.Transport,
        peers: MutableSet[Any],
        closing: Deadlines[WebSocket],
        turns: Sharing,
        max_message_bytes: int,
        answer: bytes = b"",
    ) -> None:
        self._unsaid = answer
        self.receiver: Receiver | None = None
        self._transport = transport
        self._peers = peers
        self._closing = closing
        self._parser = Parser(max_message_bytes)
        self._turns = turns
        self._pieces: tuple[bytes, int] | None = None
        self._is_in_turn = False
        self._is_held = False
        self._is_paused = False
        self._is_closing = False
        peers.add(self)

    # Wire: what the session does with it.

    def send(self, packets: list[Packet]) -> bool:
        """Write them all at once; whether it takes more."""
        if self._is_closing:
            return False
        if self._unsaid:
            answer, self._unsaid = self._unsaid, b""
            self._transport.write(b"".join([answer, *(each.frames for each in packets)]))
        elif len(packets) == 1:
            self._transport.write(packets[0].framed or packets[0].frames)
        else:
            self._transport.write(b"".join([each.framed or each.frames for each in packets]))
        return not self._is_paused

    def limit(self, max_message_bytes: int) -> None:
        """Refuse what is longer from now on."""
        self._parser.max_message_bytes = max_message_bytes

    def hold(self) -> None:
        """Read nothing more of the peer until `release`, but what is left of a piece."""
        if self._is_held or self._is_closing or self._transport.is_closing():
            return
        self._is_held = True
        if self._pieces is None:
            self._transport.pause_reading()

    def release(self) -> None:
        """Read on."""
        if not self._is_held:
            return
        self._is_held = False
        if self._pieces is not None:
            self._wait_for_turn()
        elif not self._transport.is_closing():
            self._transport.resume_reading()

    def close(self, code: int, reason: str) -> None:
        """Begin the close handshake; what comes in from now on is passed over."""
        if self._is_closing:
            return
        self._is_closing = True
        self.receiver = None
        self.release()
        self._transport.write(websocket.close_frame(code, reason))
        self._closing.add(self)

    def abort(self) -> None:
        """End the TCP connection at once, whatever waits to be written."""
        self._transport.abort()

    # asyncio.Protocol: what the network does with it.

    def data_received(self, data: bytes, most_bytes: int = _PIECE_BYTES) -> None:
        """Bytes came, cut anywhere. What is over `most_bytes` waits for the turns after this."""
        if len(data) > most_bytes:
            data = self._first_piece(data)
        events, receiver = self._parser.feed(data), self.receiver
        taken = receiver.texts(events) if events and receiver is not None else 0
        if taken < len(events):
            for event in events[taken:]:
                self._take(event)

    def pause_writing(self) -> None:
        """The peer does not read as fast as we write."""
        self._is_paused = True
        if self.receiver is not None:
            self.receiver.pause(self._transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        """The peer has read."""
        self._is_paused = False
        if self.receiver is not None:
            self.receiver.resume()

    def connection_lost(self, error: Exception | None) -> None:
        """The TCP connection is gone."""
        self._is_closing = True
        self._closing.discard(self)
        self._peers.discard(self)
        if self._pieces is None:
            self._lose()
        else:
            self.release()

    def shutdown(self) -> None:
        """The server ends, and the session has not said why."""
        self._lose()
        self.close(websocket.SERVICE_RESTART, "server_draining")

    def _first_piece(self, data: bytes) -> bytes:
        """Nothing more is read until all of `data` has been dealt with."""
        self._transport.pause_reading()
        self._pieces = data, _PIECE_BYTES
        self._is_in_turn = True
        asyncio.get_running_loop().call_soon(self._go_on)
        return data[:_PIECE_BYTES]

    def _go_on(self) -> None:
        """The next piece. What only fills up a long frame needs no turns of its own."""
        self._is_in_turn = False
        if self._pieces is None or self._is_held:
            return
        data, at = self._pieces
        size = max(_NEXT_BYTES, self._parser.missing_bytes)
        end = at + size
        self._pieces = data, end
        self.data_received(data[at:end], size)
        if end < len(data):
            self._wait_for_turn()
            return
        self._pieces = None
        if self._transport.is_closing():
            self._lose()
        elif not self._is_held:
            self._transport.resume_reading()

    def _wait_for_turn(self) -> None:
        if self._is_in_turn:
            return
        self._is_in_turn = True
        if self._parser.missing_bytes > _NEXT_BYTES:
            asyncio.get_running_loop().call_soon(self._go_on)
        else:
            self._turns.put_off(self._go_on)

    def _take(self, event: Event) -> None:
        if isinstance(event, str):
            if self.receiver is not None:
                self.receiver.texts((event,))
        elif isinstance(event, bytes):
            if self.receiver is not None:
                self.receiver.binary(event)
        elif isinstance(event, Ping):
            self._answer(event)
        elif isinstance(event, Closed):
            self._lose()
            self.close(event.code, event.reason)
            self._transport.close()
        elif isinstance(event, Violation):
            self._lose()
            self.close(event.code, event.reason)
            # The peer's answer to the close frame cannot be read any more: wait for its end alone.
            if not self._transport.is_closing():
                self._transport.write_eof()

    def _answer(self, ping: Ping) -> None:
        """A peer that pings without reading is not answered: pongs would pile up (5.5.3)."""
        if not self._is_paused and not self._is_closing:
            self._transport.write(websocket.frame(websocket.PONG, ping.payload))

    def _lose(self) -> None:
        receiver, self.receiver = self.receiver, None
        if receiver is not None:
            receiver.lost()


class WebSocketV3(WebSocket):
    """The `Wire` of a connection of Engine.IO 3."""

    __slots__ = ()

    def send(self, packets: list[Packet]) -> bool:
        """Write them all at once; whether it takes more."""
        if self._is_closing:
            return False
        answer, self._unsaid = self._unsaid, b""
        self._transport.write(b"".join([answer, *(packet.frames_v3 for packet in packets)]))
        return not self._is_paused
