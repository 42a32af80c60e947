"""`delivery` and `display`: which entry a reader means (seed flows 2 to 4)."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from typing import Any

from webchat.chat.client import Client
from webchat.chat.device import Device
from webchat.chat.held import User
from webchat.chat.packets import ack_of_receipt
from webchat.chat.seed import SeedDevice
from webchat.errors import Code, WebchatError
from webchat.model import ConvID, Entry, Seq, Uid, is_uid, pair_conv
from webchat.ports.log import Log
from webchat.protocol.envelope import Envelope
from webchat.service.receipts import Receipts
from webchat.service.standing import not_a_member

_SOUGHT_ENTRIES = 200
_Asked = tuple[Client, int | None, str]
"""Who wants to know that a receipt is stored, by which ack, and its MsgID."""


class Confirming:
    """Receipts that connections send. They are never refused for coming fast."""

    def __init__(self, log: Log, receipts: Receipts) -> None:
        self._log = log
        self._receipts = receipts
        self._answered: tuple[str, ConvID] | None = None
        self._answer = b""

    def receipt(
        self, client: Client, device: Device, envelope: Envelope, ack_id: int | None
    ) -> Coroutine[Any, Any, None] | None:
        """Move the reader's position; the ack says that it is stored. Raises WebchatError."""
        user, seq = device.user, envelope.seq
        conv = _conv_of(user.uid, envelope)
        if not (seq and device.full and conv in user.logs and conv != user.own):
            return self._less_usual(client, device, envelope, conv, ack_id)
        delivered, displayed = (0, seq) if envelope.evt_type == "display" else (seq, 0)
        asked = (client, ack_id, envelope.msg_id)
        self._receipts.move(user.uid, conv, delivered, displayed, device, None, asked)
        return None

    def _less_usual(
        self,
        client: Client,
        device: Device,
        envelope: Envelope,
        conv: ConvID,
        ack_id: int | None,
    ) -> Coroutine[Any, Any, None] | None:
        """What is not a full-form reader's in a conversation that it is in, with a `Seq`."""
        seq = envelope.seq
        if isinstance(device, SeedDevice) and not seq:
            sent = device.sent(envelope.to, envelope.msg_id)
            if sent is not None:
                self._move(client, device, envelope, *sent, ack_id)
                return None
        elif not _has_part_in(device.user, conv):
            raise not_a_member()
        if not seq:
            return self._by_key(client, device, envelope, conv, ack_id)
        self._move(client, device, envelope, conv, seq, ack_id)
        return None

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
        if entry is None or not _has_part_in(device.user, conv):
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
        user, named = device.user, None
        if conv in user.left:
            seq = min(seq, user.left[conv])
        delivered, displayed = (0, seq) if envelope.evt_type == "display" else (seq, 0)
        if isinstance(device, SeedDevice):
            named, confirmed = (seq,), device.confirmed(conv, seq)
            if delivered or confirmed > seq:
                delivered = confirmed
        asked = (client, ack_id, envelope.msg_id)
        self._receipts.move(user.uid, conv, delivered, displayed, device, named, asked)

    def stored(self, conv: ConvID, asked: Sequence[_Asked], error: Exception | None) -> None:
        """Answer what has been asked for."""
        for client, ack_id, msg_id in asked:
            if isinstance(error, WebchatError):
                client.refuse(ack_id, error, msg_id)
            elif ack_id is not None:
                # Without a MsgID all answers of a conversation are the same.
                if self._answered != (msg_id, conv):
                    self._answered, self._answer = (msg_id, conv), ack_of_receipt(msg_id, conv)
                client.socket.ack(ack_id, self._answer)


def _conv_of(uid: Uid, envelope: Envelope) -> ConvID:
    """The conversation a receipt is for. In a group From is the group, Originated the reader, and
    To the group or, in the seed's shape, the author."""
    if not envelope.msg_id and not envelope.seq:
        raise WebchatError(Code.BAD_REQUEST, "a receipt needs ConvID and Seq, or a MsgID")
    sender = envelope.from_
    if sender == uid:
        return envelope.conv_id or _pair_with(uid, envelope.to)
    # Nobody is in a group whose id is not well-formed, so its form need not be looked at.
    if envelope.originated != uid or not sender.startswith("group_"):
        raise WebchatError(Code.FORBIDDEN, "a receipt is its reader's")
    return sender


def _pair_with(uid: Uid, other: Uid) -> ConvID:
    if not is_uid(other):
        raise WebchatError(Code.BAD_REQUEST, "To is no user's id")
    return pair_conv(uid, other)


def _has_part_in(user: User, conv: ConvID) -> bool:
    """Whether the user is in a conversation, or was."""
    return (conv in user.logs and conv != user.own) or conv in user.left
