"""Socket.IO protocol 5 (and 4, for Engine.IO 3): packets to bytes and back. No I/O.

Source: socket.io-protocol, revision 5.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar

import msgspec

from webchat.protocol.engineio import Packet
from webchat.protocol.errors import ProtocolError

__all__ = [
    "ACK", "BINARY_ACK", "BINARY_EVENT", "CONNECT", "CONNECT_ERROR", "DISCONNECT", "EVENT", "Event",
    "Incoming", "Packet", "ProtocolError", "ROOT", "ack_packet", "connect_error_packet",
    "connect_packet", "decode", "decode_auth", "decode_event", "decode_root_event", "event_packet",
]  # fmt: skip

CONNECT: Final = "0"
DISCONNECT: Final = "1"
EVENT: Final = "2"
ACK: Final = "3"
CONNECT_ERROR: Final = "4"
BINARY_EVENT: Final = "5"
BINARY_ACK: Final = "6"

ROOT: Final = "/"

T = TypeVar("T")

_ANY: Final = msgspec.json.Decoder()
_ARRAY: Final = msgspec.json.Decoder(list[Any])
_WITH_ARGUMENTS: Final = frozenset({EVENT, ACK, BINARY_EVENT, BINARY_ACK})
_WITH_ATTACHMENTS: Final = frozenset({BINARY_EVENT, BINARY_ACK})
_FROM_CLIENTS: Final = _WITH_ARGUMENTS | {CONNECT, DISCONNECT}
# Type, number of attachments, namespace, ack id. Fifteen digits are exact in every client.
_HEAD: Final = re.compile(r"([0-6])(?:([0-9]{1,9})-)?(?:(/[^,]{0,255})(?:,|\Z))?([0-9]{1,15})?")
_ROOT_EVENT: Final = re.compile(r"2([0-9]{0,15})(\[.*)", re.DOTALL)
# Names that clients keep for themselves: socket.io-parser refuses them, too.
_RESERVED: Final = frozenset({
    "connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener",
})  # fmt: skip


class Event(msgspec.Struct, frozen=True, gc=False):
    """An EVENT as it came. `data`: the JSON array as text, placeholders for `attachments` kept."""

    data: str
    ack_id: int | None
    attachments: Sequence[bytes]


class Incoming(msgspec.Struct, frozen=True, gc=False):
    """A packet's text, taken apart. `type`: its digit. `attachments`: how many are to follow."""

    type: str
    namespace: str
    ack_id: int | None
    attachments: int
    data: str


def event_packet(args: bytes, attachments: Sequence[bytes] = (), namespace: str = ROOT) -> Packet:
    """An EVENT; `args`: its JSON array in UTF-8, with a placeholder for each of `attachments`."""
    if namespace == ROOT and not attachments:
        return Packet(b"42" + args)
    return Packet(_head("2", "5", attachments, namespace) + args, attachments)


def ack_packet(
    ack_id: int, args: bytes, attachments: Sequence[bytes] = (), namespace: str = ROOT
) -> Packet:
    """The answer to the event `ack_id`; `args`: its JSON array in UTF-8."""
    if namespace == ROOT and not attachments:
        return Packet(b"43%d%b" % (ack_id, args))
    head = _head("3", "6", attachments, namespace)
    return Packet(b"%b%d%b" % (head, ack_id, args), attachments)


def ack_packets(ack_ids: Sequence[int | None], args: bytes, namespace: str = ROOT) -> list[Packet]:
    """The same answer to each of these events; None: one that asked for none."""
    if namespace == ROOT:
        return [Packet(b"43%d%b" % (ack_id, args)) for ack_id in ack_ids if ack_id is not None]
    return [ack_packet(each, args, (), namespace) for each in ack_ids if each is not None]


def connect_packet(sid: str, namespace: str, engine: int) -> Packet:
    """CONNECT: the socket is accepted. Clients of Engine.IO 3 are not told its id."""
    head = _head(CONNECT, CONNECT, (), namespace)
    said = head + msgspec.json.encode({"sid": sid}) if engine == 4 else head.rstrip(b",")
    return Packet(said)


def connect_error_packet(
    message: str, data: Mapping[str, object], namespace: str, engine: int
) -> Packet:
    """CONNECT_ERROR `{message, data}`, without `data` if that is empty; in Engine.IO 3 a text
    alone."""
    answer: dict[str, Any] = {"message": message}
    if data:
        answer["data"] = data
    payload = msgspec.json.encode(answer if engine == 4 else message)
    return Packet(_head(CONNECT_ERROR, CONNECT_ERROR, (), namespace) + payload)


def _head(plain: str, binary: str, attachments: Sequence[bytes], namespace: str) -> bytes:
    head = f"4{binary}{len(attachments)}-" if attachments else f"4{plain}"
    return (head if namespace == ROOT else f"{head}{namespace},").encode()


def decode_root_event(text: str, start: int) -> Event | None:
    """The EVENT in `text` from index `start` on, if it is for `/` and has no attachments.

    Nearly all that clients send is such; None: it is for `decode`.
    """
    packet = _ROOT_EVENT.match(text, start)
    if packet is None:
        return None
    ack_id, data = packet.groups()
    return Event(data, int(ack_id) if ack_id else None, ())


def decode(text: str, start: int, max_attachments: int) -> Incoming:
    """The packet in `text` from index `start` on.

    Only its frame is looked at: JSON is decoded by whoever needs it. Raises ProtocolError.
    """
    head = _HEAD.match(text, start)
    if head is None:
        raise ProtocolError("unknown packet type")
    kind, attachments, namespace, ack_id = head.groups()
    packet = Incoming(
        kind,
        namespace or ROOT,
        None if ack_id is None else int(ack_id),
        0 if attachments is None else int(attachments),
        text[head.end() :],
    )
    _check(packet, attachments is not None, max_attachments)
    return packet


def _check(packet: Incoming, counts_attachments: bool, max_attachments: int) -> None:
    kind, first = packet.type, packet.data[:1]
    if kind not in _FROM_CLIENTS:
        raise ProtocolError("a packet that only servers send")
    if counts_attachments is not (kind in _WITH_ATTACHMENTS):
        raise ProtocolError("attachments where none can be, or none where they must be")
    if packet.attachments > max_attachments:
        raise ProtocolError("too many attachments")
    if kind in _WITH_ARGUMENTS and first != "[":
        raise ProtocolError("arguments are not an array")
    if kind == DISCONNECT and first:
        raise ProtocolError("a DISCONNECT has no payload")


def decode_auth(packet: Incoming) -> object:
    """The auth of a CONNECT, as a rule an object; {} if there is none. Raises ProtocolError."""
    return _json(_ANY, packet.data) if packet.data else {}


def decode_event(event: Event) -> tuple[str, list[Any]]:
    """An event's name and arguments, attachments put in their places. Raises ProtocolError."""
    args = _json(_ARRAY, event.data)
    name = args[0] if args else None
    if not isinstance(name, str) or name in _RESERVED:
        raise ProtocolError("an event without a name of its own")
    if event.attachments:
        try:
            args = _filled(args, event.attachments)
        except RecursionError as error:
            raise ProtocolError("JSON is nested too deeply") from error
    return name, args[1:]


def _filled(value: Any, attachments: Sequence[bytes]) -> Any:
    """`value` with `{"_placeholder": true, "num": n}` replaced by the n-th attachment."""
    if isinstance(value, list):
        return [_filled(item, attachments) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("_placeholder") is not True:
        return {key: _filled(item, attachments) for key, item in value.items()}
    number = value.get("num")
    if type(number) is not int or not 0 <= number < len(attachments):
        raise ProtocolError("a placeholder without its attachment")
    return attachments[number]


def _json(decoder: msgspec.json.Decoder[T], text: str) -> T:
    try:
        return decoder.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ProtocolError("broken JSON") from error
