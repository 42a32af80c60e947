"""WebSocket frames as a server sees them: bytes in, messages out. No I/O, no extensions.

Source: RFC 6455, sections 5 to 7.
"""

from __future__ import annotations

import codecs
import struct
from typing import Final

import msgspec

try:
    from websockets.speedups import apply_mask
except ImportError:  # where its package was built without a compiler
    from websockets.utils import apply_mask

CONTINUATION: Final = 0x0
TEXT: Final = 0x1
BINARY: Final = 0x2
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA

NORMAL: Final = 1000
GOING_AWAY: Final = 1001
PROTOCOL_ERROR: Final = 1002
NO_STATUS: Final = 1005
INVALID_TEXT: Final = 1007
POLICY: Final = 1008
TOO_BIG: Final = 1009
INTERNAL_ERROR: Final = 1011
SERVICE_RESTART: Final = 1012

_FIN: Final = 0x80
_RSV: Final = 0x70
_CONTROL: Final = 0x08
_MASKED: Final = 0x80
_WHOLE_TEXT: Final = _FIN | TEXT
_SHORTEST_BYTES: Final = 6
"""Of a masked frame."""
_OPCODES: Final = frozenset({CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG})
_MAX_CONTROL_BYTES: Final = 125
_MAX_REASON_BYTES: Final = _MAX_CONTROL_BYTES - 2
# Codes a peer may send: those registered at IANA that may appear on the wire, and 3000 to 4999.
_CLOSE_CODES: Final = frozenset({1000, 1001, 1002, 1003, *range(1007, 1015), *range(3000, 5000)})
_LENGTH_IN_TWO_BYTES: Final = 126
_LENGTH_IN_EIGHT_BYTES: Final = 127
_MOST_IN_TWO_BYTES: Final = 0xFFFF
_short_head: Final = struct.Struct(">BB").pack
_middle_head: Final = struct.Struct(">BBH").pack
_long_head: Final = struct.Struct(">BBQ").pack
unmask: Final = apply_mask
"""A payload XOR the four bytes of a key, repeated (RFC 6455, section 5.3)."""
_Utf8: Final = codecs.getincrementaldecoder("utf-8")


class Ping(msgspec.Struct, frozen=True, gc=False):
    """A ping frame; it has to be answered with a pong of the same payload."""

    payload: bytes


class Pong(msgspec.Struct, frozen=True, gc=False):
    """A pong frame."""

    payload: bytes


class Closed(msgspec.Struct, frozen=True, gc=False):
    """The peer's close frame; nothing it sends counts from here on. No code: NO_STATUS."""

    code: int
    reason: str


class Violation(msgspec.Struct, frozen=True, gc=False):
    """The peer broke the protocol: the connection has to be failed with this close code."""

    code: int
    reason: str


Event = str | bytes | Ping | Pong | Closed | Violation
"""A text message (str), a binary one (bytes), a control frame, or a violation (always the last)."""


class _Broken(Exception):  # noqa: N818
    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.violation = Violation(code, reason)


class Parser:
    """Turns the bytes of one client, cut anywhere, into messages.

    A message of several frames is joined; all its frames together, and what has been announced of
    the one that is under way, are at most `max_message_bytes`, which may be changed. After `Closed`
    or `Violation` it ignores what it is fed.
    """

    __slots__ = ("_fragments", "_is_done", "_need_bytes", "_pending", "_utf8", "max_message_bytes")

    def __init__(self, max_message_bytes: int) -> None:
        self.max_message_bytes = max_message_bytes
        self._pending: bytes | bytearray = b""
        self._need_bytes = 0
        self._fragments: bytearray | None = None
        self._utf8: codecs.IncrementalDecoder | None = None
        self._is_done = False

    @property
    def missing_bytes(self) -> int:
        """How many bytes complete the frame that is under way, or its head; 0: there is none."""
        return self._need_bytes - len(self._pending) if self._pending else 0

    def feed(self, data: bytes) -> list[Event]:
        """The events that `data` completes, in order. Never raises."""
        events: list[Event] = []
        if self._is_done:
            return events
        if self._pending:
            self._pending += data
            if len(self._pending) < self._need_bytes:
                return events
            data = bytes(self._pending)
        at, size = 0, len(data)
        try:
            if self._fragments is None:
                at = self._take_texts(data, at, size, events)
            if at < size:
                at = self._take_all(data, at, size, events)
            # An incomplete frame is held in a buffer that grows without being copied.
            self._pending = bytearray(data[at:]) if at < size else b""
        except _Broken as broken:
            self._finish()
            events.append(broken.violation)
        return events

    def _take_all(self, data: bytes, at: int, size: int, events: list[Event]) -> int:
        """Read all that is complete from `at` on, where there is no whole text; where it ends."""
        while at < size:
            end = self._take(data, at, events)
            if self._is_done:
                return size
            if end == at:
                break
            at = end
            if self._fragments is None:
                at = self._take_texts(data, at, size, events)
        return at

    def _take_texts(self, data: bytes, at: int, end_of_data: int, events: list[Event]) -> int:
        """Read the whole, unfragmented texts of up to 64 KiB from `at` on; where they end.

        Nearly all that comes is such, so this loop has no call for each part of a frame. Whatever
        it does not take is `_take`'s to read, or to refuse.
        """
        last, most = end_of_data - _SHORTEST_BYTES, self.max_message_bytes
        try:
            while at <= last and data[at] == _WHOLE_TEXT:
                size = data[at + 1]
                if size == _MASKED | _LENGTH_IN_TWO_BYTES:
                    at_key, size = at + 4, data[at + 2] << 8 | data[at + 3]
                    if size < _LENGTH_IN_TWO_BYTES:
                        break
                elif _MASKED <= size < _MASKED | _LENGTH_IN_TWO_BYTES:
                    at_key, size = at + 2, size - _MASKED
                else:
                    break
                body = at_key + 4
                end = body + size
                if size > most or end > end_of_data:
                    break
                events.append(unmask(data[body:end], data[at_key:body]).decode())
                at = end
        except UnicodeDecodeError:
            raise _Broken(INVALID_TEXT, "text is not UTF-8") from None
        return at

    def _finish(self) -> None:
        self._is_done = True
        self._pending = b""
        self._fragments = None

    def _take(self, data: bytes, at: int, events: list[Event]) -> int:
        """Read the frame at `at`; the position after it, or `at` if it is not complete yet."""
        if len(data) - at < 2:
            self._need_bytes = 2
            return at
        first, second = data[at], data[at + 1]
        _check_head(first, second)
        size = second & 0x7F
        body = at + 6
        if size > _MAX_CONTROL_BYTES:
            width = 2 if size == _LENGTH_IN_TWO_BYTES else 8
            if len(data) - at < 2 + width:
                self._need_bytes = 2 + width
                return at
            size = _extended_size(data[at + 2 : at + 2 + width])
            body += width
        if not first & _CONTROL:
            self._check_place(first, size)
        end = body + size
        if len(data) < end:
            self._need_bytes = end - at
            return at
        payload = unmask(data[body:end], data[body - 4 : body])
        if first & _CONTROL:
            events.append(self._control(first, payload))
        else:
            self._data(first, payload, events)
        return end

    def _check_place(self, first: int, size: int) -> None:
        if len(self._fragments or b"") + size > self.max_message_bytes:
            raise _Broken(TOO_BIG, "message too big")
        if (first & 0x0F == CONTINUATION) is (self._fragments is None):
            raise _Broken(PROTOCOL_ERROR, "continuation frame out of place")

    def _data(self, first: int, payload: bytes, events: list[Event]) -> None:
        opcode = first & 0x0F
        if opcode and first & _FIN:
            events.append(_text(payload) if opcode == TEXT else payload)
        elif opcode:
            self._utf8 = _Utf8() if opcode == TEXT else None
            self._fragments = bytearray()
            self._join(self._fragments, payload)
        elif self._fragments is not None:
            self._join(self._fragments, payload)
            if first & _FIN:
                events.append(self._joined(self._fragments))

    def _join(self, fragments: bytearray, payload: bytes) -> None:
        """Add a fragment; text that is broken already is not waited for."""
        fragments += payload
        if self._utf8 is None:
            return
        try:
            self._utf8.decode(payload)
        except UnicodeDecodeError:
            raise _Broken(INVALID_TEXT, "text is not UTF-8") from None

    def _joined(self, fragments: bytearray) -> str | bytes:
        is_text, self._utf8, self._fragments = self._utf8 is not None, None, None
        return _text(bytes(fragments)) if is_text else bytes(fragments)

    def _control(self, first: int, payload: bytes) -> Event:
        opcode = first & 0x0F
        if opcode == PING:
            return Ping(payload)
        if opcode == PONG:
            return Pong(payload)
        closed = _closed(payload)
        self._finish()
        return closed


def _check_head(first: int, second: int) -> None:
    if not second & _MASKED:
        raise _Broken(PROTOCOL_ERROR, "frame is not masked")
    if first & _RSV or first & 0x0F not in _OPCODES:
        raise _Broken(PROTOCOL_ERROR, "reserved bits or opcode")
    if first & _CONTROL and (not first & _FIN or second & 0x7F > _MAX_CONTROL_BYTES):
        raise _Broken(PROTOCOL_ERROR, "control frame fragmented or too long")


def _extended_size(field: bytes) -> int:
    size = int.from_bytes(field, "big")
    if size <= (_MAX_CONTROL_BYTES if len(field) == 2 else _MOST_IN_TWO_BYTES) or size >> 63:
        raise _Broken(PROTOCOL_ERROR, "length not in its shortest form")
    return size


def _text(payload: bytes) -> str:
    try:
        return payload.decode()
    except UnicodeDecodeError:
        raise _Broken(INVALID_TEXT, "text is not UTF-8") from None


def _closed(payload: bytes) -> Closed:
    if not payload:
        return Closed(NO_STATUS, "")
    code = int.from_bytes(payload[:2], "big")
    if len(payload) == 1 or code not in _CLOSE_CODES:
        raise _Broken(PROTOCOL_ERROR, "invalid close code")
    return Closed(code, _text(payload[2:]))


def frame(opcode: int, payload: bytes) -> bytes:
    """One unfragmented frame of a server, which does not mask."""
    return frame_head(opcode, len(payload)) + payload


def frame_head(opcode: int, size: int) -> bytes:
    """What goes before a payload of `size` bytes to make it such a frame."""
    if size <= _MAX_CONTROL_BYTES:
        return _short_head(_FIN | opcode, size)
    if size <= _MOST_IN_TWO_BYTES:
        return _middle_head(_FIN | opcode, _LENGTH_IN_TWO_BYTES, size)
    return _long_head(_FIN | opcode, _LENGTH_IN_EIGHT_BYTES, size)


def close_frame(code: int, reason: str) -> bytes:
    """A close frame; `reason` is cut to what fits. NO_STATUS: without a code."""
    if code == NO_STATUS:
        return frame(CLOSE, b"")
    fitting = reason.encode()[:_MAX_REASON_BYTES].decode(errors="ignore").encode()
    return frame(CLOSE, code.to_bytes(2, "big") + fitting)


KNOWN_HEADS: Final = 1_024
TEXT_HEADS: Final = tuple(frame_head(TEXT, size) for size in range(KNOWN_HEADS))
"""What goes before a text, by its size; beyond: `frame_head`."""
