"""Socket.IO protocol 5 (and 4, for Engine.IO 3): packets to bytes and back. No I/O.

Source: socket.io-protocol, revision 5.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec


class ProtocolError(Exception):
    """The peer broke the protocol; the connection has to be closed."""


class Event(msgspec.Struct, frozen=True, gc=False):
    """An EVENT as it came. `data`: the JSON array as text, placeholders for `attachments` kept."""

    data: str
    ack_id: int | None
    attachments: Sequence[bytes]


class Packet:
    """An encoded packet, ready to be sent to any number of sockets.

    `text`: the Socket.IO packet in UTF-8 (without the Engine.IO type). `attachments`: binary ones
    that follow it.
    """

    __slots__ = ("attachments", "text")

    def __init__(self, text: bytes, attachments: Sequence[bytes] = ()) -> None:
        self.text = text
        self.attachments = attachments


def event_packet(args: bytes) -> Packet:
    """An EVENT of the namespace `/`; `args`: its JSON array in UTF-8, without attachments."""
    return Packet(b"2" + args)


def decode_event(event: Event) -> tuple[str, list[object]]:
    """An event's name and arguments, attachments put in their places. Raises ProtocolError."""
    raise NotImplementedError
