"""Engine.IO packets and polling payloads, protocols 4 and 3: to bytes and back. No I/O.

Source: engine.io-protocol, revisions 4 and 3. A packet that came in is a str with its type digit
("4hello"), or bytes for a binary message.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from webchat.protocol.errors import ProtocolError
from webchat.protocol.websocket import BINARY, KNOWN_HEADS, TEXT, TEXT_HEADS, frame, frame_head

CLOSE: Final = "1"
PING: Final = "2"
PONG: Final = "3"
MESSAGE: Final = "4"
UPGRADE: Final = "5"
NOOP: Final = "6"

PROBE: Final = "2probe"

_SEPARATOR: Final = "\x1e"
_TYPES: Final = "0123456"
_V3_BINARY_MESSAGE: Final = b"\x04"
_V3_LENGTH: Final = re.compile(r"(\d{1,9}):")
_NOT_ASCII: Final = re.compile(r"[^\x00-\x7f]")


class Packet(msgspec.Struct, eq=False, gc=False):
    """An encoded packet, ready to be sent to any number of connections by any transport.

    `text`: UTF-8 with the type digit in front, b"" for a packet that is binary only.
    `attachments`: binary messages that follow. `framed`: `frames`, once they have been made.
    """

    text: bytes = b""
    attachments: Sequence[bytes] = ()
    framed: bytes = b""

    @property
    def size(self) -> int:
        """The bytes of its payload."""
        size = len(self.text)
        for attachment in self.attachments:
            size += len(attachment)
        return size

    @property
    def frames(self) -> bytes:
        """Its WebSocket frames; made once, then the same object for every connection."""
        if not self.framed:
            text, size = self.text, len(self.text)
            if self.attachments:
                self.framed = self._all_frames(b"")
            else:
                head = TEXT_HEADS[size] if size < KNOWN_HEADS else frame_head(TEXT, size)
                self.framed = head + text
        return self.framed

    @property
    def frames_v3(self) -> bytes:
        """Its WebSocket frames in protocol 3, where binary ones bear their type."""
        return self._all_frames(_V3_BINARY_MESSAGE) if self.attachments else self.frames

    def _all_frames(self, prefix: bytes) -> bytes:
        text = frame(TEXT, self.text) if self.text else b""
        return text + b"".join(frame(BINARY, prefix + each) for each in self.attachments)


CLOSE_PACKET: Final = Packet(b"1")
PING_PACKET: Final = Packet(b"2")
PROBE_ANSWER: Final = Packet(b"3probe")
NOOP_PACKET: Final = Packet(b"6")


class Handshake(msgspec.Struct, frozen=True, rename="camel"):
    """What the server says first. Times in ms; `max_payload` in bytes."""

    sid: str
    upgrades: Sequence[str]
    ping_interval: int
    ping_timeout: int
    max_payload: int

    def packet(self) -> Packet:
        """The OPEN packet."""
        return Packet(b"0" + msgspec.json.encode(self))


def encode_payload(packets: Sequence[Packet], engine: int) -> bytes:
    """The body of one answer to a poll, in protocol `engine` (3 or 4)."""
    return _encode_v4(packets) if engine == 4 else _encode_v3(packets)


def _encode_v4(packets: Sequence[Packet]) -> bytes:
    pieces = []
    for packet in packets:
        if packet.text:
            pieces.append(packet.text)
        pieces += [b"b" + _base64(binary) for binary in packet.attachments]
    return _SEPARATOR.encode().join(pieces)


def _encode_v3(packets: Sequence[Packet]) -> bytes:
    """Length-prefixed packets in plain ASCII.

    Clients of protocol 3 count a text in bytes (browsers), in bytes of UTF-8 encoded twice (under
    Node) or in UTF-16 units (later ones). ASCII, with JSON's own escapes, is all of these.
    """
    pieces = []
    for packet in packets:
        if packet.text:
            pieces.append(_ascii_json(packet.text))
        pieces += [b"b4" + _base64(binary) for binary in packet.attachments]
    return b"".join(b"%d:%b" % (len(piece), piece) for piece in pieces)


def _base64(binary: bytes) -> bytes:
    return binascii.b2a_base64(binary, newline=False)


def _ascii_json(text: bytes) -> bytes:
    return text if text.isascii() else _NOT_ASCII.sub(_escape, text.decode()).encode()


def _escape(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


def decode_payload(body: bytes, engine: int) -> Iterator[str | bytes]:
    """The packets of one POST in protocol `engine`, each as it is asked for.

    Raises ProtocolError at the first that is malformed.
    """
    try:
        text = body.decode()
        yield from _decode_v4(text) if engine == 4 else _decode_v3(text)
    except UnicodeError as error:
        raise ProtocolError("the payload is not UTF-8") from error


def _decode_v4(text: str) -> Iterator[str | bytes]:
    start, end = 0, 0
    while end >= 0:
        end = text.find(_SEPARATOR, start)
        piece = text[start:] if end < 0 else text[start:end]
        yield _binary(piece[1:]) if piece[:1] == "b" else _checked(piece)
        start = end + 1


def _decode_v3(text: str) -> Iterator[str | bytes]:
    """Lengths count UTF-16 units, as JavaScript does."""
    units = text.encode("utf-16-le")
    at = 0
    while at < len(units):
        header = _V3_LENGTH.match(units[at : at + 20].decode("utf-16-le", "replace"))
        if header is None:
            raise ProtocolError("a packet without its length")
        start = at + 2 * header.end()
        at = start + 2 * int(header[1])
        if at > len(units):
            raise ProtocolError("a packet is shorter than its length")
        yield decode_v3_packet(_undouble(units[start:at].decode("utf-16-le")))


def _undouble(text: str) -> str:
    """Undo the second encoding in UTF-8 that clients of protocol 3 apply to a POST's text."""
    try:
        return text.encode("latin-1").decode()
    except UnicodeError:
        return text


def decode_v3_packet(text: str) -> str | bytes:
    """A text packet of protocol 3, in which `b4…` is a binary message in base64."""
    if text[:1] != "b":
        return _checked(text)
    if text[1:2] != MESSAGE:
        raise ProtocolError("a binary packet that is no message")
    return _binary(text[2:])


def decode_v3_binary(data: bytes) -> bytes:
    """The message in a binary WebSocket frame of protocol 3. Raises ProtocolError."""
    if data[:1] != _V3_BINARY_MESSAGE:
        raise ProtocolError("a binary packet that is no message")
    return data[1:]


def _binary(text: str) -> bytes:
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError as error:
        raise ProtocolError("a binary packet is not base64") from error


def _checked(piece: str) -> str:
    if not piece or piece[0] not in _TYPES:
        raise ProtocolError("unknown packet type")
    return piece
