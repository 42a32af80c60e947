"""`delivery` and `display`: which entry a reader means (seed flows 2 to 4)."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from webchat.chat.client import Client
from webchat.chat.device import Device
from webchat.chat.packets import ack_of_receipt
from webchat.chat.seed import SeedDevice
from webchat.errors import Code, WebchatError
from webchat.model import ConvID, Entry, Seq, Uid, is_group, is_uid, pair_conv
from webchat.ports.log import Log
from webchat.protocol.envelope import Envelope
from webchat.service.receipts import Receipts, Stored
from webchat.service.standing import not_a_member

_SOUGHT_ENTRIES = 200


class Confirming:
    """Receipts that connections send. They are never refused for coming fast."""

    def __init__(self, log: Log, receipts: Receipts) -> None:
        self._log = log
        self._receipts = receipts

    def receipt(
        self, client: Client, device: Device, envelope: Envelope, ack_id: int | None
    ) -> Coroutine[Any, Any, None] | None:
        """Move the reader's position; the ack says that it is stored. Raises WebchatError."""
        conv = _conv_of(device.user.uid, envelope)
        if not envelope.seq and isinstance(device, SeedDevice):
            sent = device.sent(envelope.to, envelope.msg_id)
            if sent is not None:
                self._move(client, device, envelope, *sent, ack_id)
                return None
        elif not _has_part_in(device, conv):
            raise not_a_member()
        if envelope.seq:
            self._move(client, device, envelope, conv, envelope.seq, ack_id)
            return None
        return self._by_key(client, device, envelope, conv, ack_id)

    async def _by_key(
        self,
        client: Client,
        device: Device,
        envelope: Envelope,
        conv: ConvID,
        ack_id: int | None,
    ) -> None:
        """A MsgID is sought by the key of idempotence; not found: stored, moves nothing."""
        entry = await self._find(conv, envelope)
        if entry is None or not _has_part_in(device, conv):
            client.answer(ack_id, ack_of_receipt(envelope.msg_id, conv))
        else:
            self._move(client, device, envelope, conv, entry.seq, ack_id)

    async def _find(self, conv: ConvID, envelope: Envelope) -> Entry | None:
        """A message by its author and MsgID; in a group perhaps by its MsgID alone."""
        if is_uid(envelope.to):
            return await self._log.find(conv, envelope.to, envelope.msg_id)
        for entry in await self._log.read_before(conv, None, _SOUGHT_ENTRIES):
            if entry.msg_id == envelope.msg_id:
                return entry
        return None

    def _move(
        self,
        client: Client,
        device: Device,
        envelope: Envelope,
        conv: ConvID,
        seq: Seq,
        ack_id: int | None,
    ) -> None:
        seq = min(seq, device.user.left.get(conv, seq))
        is_display = envelope.evt_type == "display"
        named, delivered = None, 0 if is_display else seq
        if isinstance(device, SeedDevice):
            named, confirmed = (seq,), device.confirmed(conv, seq)
            delivered = confirmed if confirmed > seq or not is_display else 0
        self._receipts.move(
            device.user.uid,
            conv,
            delivered=delivered,
            displayed=seq if is_display else 0,
            source=device,
            named=named,
            stored=_stored(client, ack_id, envelope.msg_id, conv),
        )


def _conv_of(uid: Uid, envelope: Envelope) -> ConvID:
    """The conversation a receipt is for. In a group From is the group, Originated the reader, and
    To the group or, in the seed's shape, the author."""
    if not envelope.msg_id and not envelope.seq:
        raise WebchatError(Code.BAD_REQUEST, "a receipt needs ConvID and Seq, or a MsgID")
    in_group = is_group(envelope.from_)
    if (envelope.originated if in_group else envelope.from_) != uid:
        raise WebchatError(Code.FORBIDDEN, "a receipt is its reader's")
    if in_group:
        return envelope.from_
    if envelope.conv_id:
        return envelope.conv_id
    if not is_uid(envelope.to):
        raise WebchatError(Code.BAD_REQUEST, "To is no user's id")
    return pair_conv(uid, envelope.to)


def _has_part_in(device: Device, conv: ConvID) -> bool:
    """Whether the user is in a conversation, or was."""
    user = device.user
    return (conv in user.logs and not conv.startswith("user:")) or conv in user.left


def _stored(client: Client, ack_id: int | None, msg_id: str, conv: ConvID) -> Stored:
    def stored(error: Exception | None) -> None:
        if isinstance(error, WebchatError):
            client.refuse(ack_id, error, msg_id)
        else:
            client.answer(ack_id, ack_of_receipt(msg_id, conv))

    return stored
