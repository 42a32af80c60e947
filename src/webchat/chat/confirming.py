"""`delivery` and `display`: which entry a reader means (seed flows 2 to 4)."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from webchat.chat.client import Client
from webchat.chat.device import Device
from webchat.chat.packets import ack_of_receipt
from webchat.chat.seed import SeedDevice
from webchat.errors import Code, WebchatError
from webchat.model import ConvID, Seq, is_uid, pair_conv
from webchat.ports.log import Log
from webchat.protocol.envelope import Envelope
from webchat.service.receipts import Receipts, Stored


class Confirming:
    """Receipts that connections send. They are never refused for coming fast."""

    def __init__(self, log: Log, receipts: Receipts) -> None:
        self._log = log
        self._receipts = receipts

    def receipt(
        self, client: Client, envelope: Envelope, ack_id: int | None
    ) -> Coroutine[Any, Any, None] | None:
        """Move the reader's position; the ack says that it is stored. Raises WebchatError."""
        device = client.device
        if device is None:
            return None
        uid = device.user.uid
        if envelope.from_ != uid:
            raise WebchatError(Code.FORBIDDEN, "From must be the one who reads")
        conv = envelope.conv_id or self._conv_of(envelope)
        if not envelope.seq and isinstance(device, SeedDevice):
            sent = device.sent(envelope.to, envelope.msg_id)
            if sent is not None:
                self._move(client, device, envelope, *sent, ack_id)
                return None
        elif conv not in device.user.logs or conv.startswith("user:"):
            raise WebchatError(Code.NOT_A_MEMBER, "no such conversation, or not yours")
        if envelope.seq:
            self._move(client, device, envelope, conv, envelope.seq, ack_id)
            return None
        return self._by_key(client, device, envelope, conv, ack_id)

    def _conv_of(self, envelope: Envelope) -> ConvID:
        if not envelope.msg_id and not envelope.seq:
            raise WebchatError(Code.BAD_REQUEST, "a receipt needs ConvID and Seq, or a MsgID")
        if not is_uid(envelope.to):
            raise WebchatError(Code.BAD_REQUEST, "To is no user's id")
        return pair_conv(envelope.from_, envelope.to)

    async def _by_key(
        self,
        client: Client,
        device: Device,
        envelope: Envelope,
        conv: ConvID,
        ack_id: int | None,
    ) -> None:
        """A MsgID is sought by the key of idempotence; not found: stored, moves nothing."""
        entry = await self._log.find(conv, envelope.to, envelope.msg_id)
        if entry is None or conv not in device.user.logs:
            client.answer(ack_id, ack_of_receipt(envelope.msg_id, conv))
        else:
            self._move(client, device, envelope, conv, entry.seq, ack_id)

    def _move(
        self,
        client: Client,
        device: Device,
        envelope: Envelope,
        conv: ConvID,
        seq: Seq,
        ack_id: int | None,
    ) -> None:
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


def _stored(client: Client, ack_id: int | None, msg_id: str, conv: ConvID) -> Stored:
    def stored(error: Exception | None) -> None:
        if isinstance(error, WebchatError):
            client.refuse(ack_id, error, msg_id)
        else:
            client.answer(ack_id, ack_of_receipt(msg_id, conv))

    return stored
