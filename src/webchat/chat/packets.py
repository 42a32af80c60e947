"""What the server says on the wire, as encoded packets: acks, errors, skips, positions, receipts.

Source: docs/protocol.md, sections 2 to 7.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from webchat.errors import WebchatError
from webchat.model import ConvID, Entry, Position, Seq, Uid, is_group, is_user_log
from webchat.protocol.socketio import Packet, event_packet
from webchat.service.telling import Notice

_encode: Final = msgspec.json.Encoder().encode
_BEGIN, _END = event_packet(b'["chat",%b]').text.split(b"%b")
"""The text of a `chat` event around its envelope."""
OK: Final = b'[{"ok":true}]'
LISTED_MEMBERS: Final = 1_000
"""How many members a `notify` names; the rest is had by REST."""


def entry_packet(entry: Entry) -> Packet:
    """An entry, encoded once for all who get it."""
    return Packet(_BEGIN + entry.envelope + _END)


def chat_packet(envelope: dict[str, Any]) -> Packet:
    """What is no entry, as a `chat` event."""
    return Packet(_BEGIN + _encode(envelope) + _END)


class _Ack(msgspec.Struct, gc=False):
    ok: bool
    msg_id: str = msgspec.field(name="MsgID")
    conv_id: ConvID = msgspec.field(name="ConvID")
    seq: Seq = msgspec.field(name="Seq")
    n: int = msgspec.field(name="N")
    stored_at: int = msgspec.field(name="StoredAt")


def ack_of_entry(entry: Entry) -> bytes:
    """The ack of a logged kind: `{ok, MsgID, ConvID, Seq, N, StoredAt}`."""
    return _encode((_Ack(True, entry.msg_id, entry.conv, entry.seq, entry.n, entry.at),))


def ack_of_receipt(msg_id: str, conv: ConvID) -> bytes:
    """The ack of a receipt: stored, it has no `Seq` of its own."""
    return _encode([{"ok": True, "MsgID": msg_id, "ConvID": conv}])


def ack_of_held(msg_id: str) -> bytes:
    """The ack of a message that is held: durable, but in no log yet."""
    return _encode([{"ok": True, "held": True, "MsgID": msg_id}])


def ack_of_join(uid: Uid, time_ms: int, version: str) -> bytes:
    """The ack of `join`: the device is live."""
    return _encode([{"ok": True, "uid": uid, "time": time_ms, "version": version}])


def refusal(error: WebchatError, msg_id: str | None) -> dict[str, object]:
    """`{ok: false, MsgID?, error}`; no MsgID for what carries none (`join`, `sync`)."""
    said: dict[str, object] = {"ok": False}
    if msg_id is not None:
        said["MsgID"] = msg_id
    said["error"] = error.as_wire()
    return said


def refusal_ack(error: WebchatError, msg_id: str | None) -> bytes:
    """A refusal as an ack's arguments."""
    return _encode([refusal(error, msg_id)])


def refusal_packet(error: WebchatError, msg_id: str | None) -> Packet:
    """A refusal as the event `error`, for whoever asked for no ack."""
    return event_packet(_encode(["error", refusal(error, msg_id)]))


def skip_packet(conv: ConvID, seq: Seq, n: int, *, more: bool) -> Packet:
    """`skip`: your position is now `seq`, where the count of messages is `n`."""
    envelope: dict[str, Any] = {"EvtType": "skip", "ConvID": conv, "Seq": seq, "N": n, "more": more}
    if is_user_log(conv):
        del envelope["N"]
    return chat_packet(envelope)


def position_packet(conv: ConvID, position: Position) -> Packet:
    """`position`: the user's own positions, moved by another device."""
    return chat_packet(
        {
            "EvtType": "position",
            "ConvID": conv,
            "delivered": position.delivered,
            "displayed": position.displayed,
            "N": position.n,
        }
    )


def notify_packet(conv: ConvID, uids: Sequence[Uid], count: int, seq: Seq, at_ms: int) -> Packet:
    """`notify`: the members of a group as of `seq`; the first of them, and how many they are."""
    return chat_packet(
        {
            "EvtType": "notify",
            "From": conv,
            "Originated": "",
            "To": conv,
            "MsgID": "",
            "Timestamp": at_ms // 1000,
            "Body": _encode(uids).decode(),
            "ConvID": conv,
            "Seq": seq,
            "Members": count,
        }
    )


def restart_packet(conv: ConvID, msg_id: str, at_ms: int) -> Packet:
    """`restart`: the server does not know this group; its message is held (seed flow 6)."""
    return chat_packet(
        {
            "EvtType": "restart",
            "From": conv,
            "Originated": "",
            "To": conv,
            "MsgID": msg_id,
            "Timestamp": at_ms // 1000,
            "Body": "",
            "ConvID": conv,
        }
    )


def receipts_packet(conv: ConvID, rows: Sequence[tuple[object, Seq, Seq]]) -> Packet:
    """`receipts`: the positions of each member, or the counts of own messages."""
    body = _encode(rows).decode()
    return chat_packet({"EvtType": "receipts", "ConvID": conv, "Body": body})


def receipt_packets(notice: Notice, time_ms: int) -> list[Packet]:
    """A notice in the full form: up to which `Seq`, and who."""
    moved = (("delivery", notice.delivered), ("display", notice.displayed))
    return [
        chat_packet(_receipt(kind, notice, "", time_ms) | {"ConvID": notice.conv, "Seq": seq})
        for kind, seq in moved
        if seq
    ]


def seed_receipts(notice: Notice, time_ms: int) -> list[bytes]:
    """A notice in the seed's form: an envelope for each message, deliveries first."""
    named = [("delivery", msg_id) for _, msg_id in notice.newly_delivered]
    named += [("display", msg_id) for _, msg_id in notice.newly_displayed]
    return [_encode(_receipt(kind, notice, msg_id, time_ms)) for kind, msg_id in named]


class KeptReceipt(msgspec.Struct, frozen=True):
    """What an envelope that `seed_receipts` made says."""

    kind: str = msgspec.field(name="EvtType")
    from_: str = msgspec.field(name="From")
    originated: Uid = msgspec.field(name="Originated")
    msg_id: str = msgspec.field(name="MsgID")

    @property
    def reader(self) -> Uid:
        """Who has read."""
        return self.originated or self.from_

    @property
    def is_display(self) -> bool:
        """Whether it says more than a delivery."""
        return self.kind == "display"

    @property
    def what(self) -> tuple[str, Uid, str]:
        """Who has read what."""
        return self.from_, self.originated, self.msg_id


read_kept: Final = msgspec.json.Decoder(KeptReceipt).decode


def as_delivery(envelope: bytes) -> bytes:
    """A display's envelope as a delivery's."""
    return _encode(msgspec.json.decode(envelope) | {"EvtType": "delivery"})


def kept_packet(envelope: bytes) -> Packet:
    """A receipt's envelope as `seed_receipts` made it."""
    return Packet(_BEGIN + envelope + _END)


def _receipt(kind: str, notice: Notice, msg_id: str, time_ms: int) -> dict[str, Any]:
    in_group = is_group(notice.conv)
    return {
        "EvtType": kind,
        "From": notice.conv if in_group else notice.reader,
        "Originated": notice.reader if in_group else "",
        "To": notice.author,
        "MsgID": msg_id,
        "Timestamp": time_ms // 1000,
        "Body": "",
    }
