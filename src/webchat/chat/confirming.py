"""`delivery` and `display`: which entry a reader means (seed flows 2 to 4)."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from webchat.chat.ahead import Ahead
from webchat.chat.client import Act, Client
from webchat.chat.device import Device
from webchat.chat.followed import User
from webchat.chat.packets import ack_of_receipt
from webchat.chat.seed import SeedDevice
from webchat.errors import Code, WebchatError
from webchat.model import GROUP_PREFIX, ConvID, Entry, Seq, Uid, is_uid, pair_conv
from webchat.ports.log import Log
from webchat.protocol.envelope import Envelope
from webchat.service.receipts import Receipts
from webchat.service.standing import not_a_member
from webchat.service.tasks import Work

_SOUGHT_ENTRIES = 200


class _Asked(msgspec.Struct, gc=False):
    """Who wants to know that receipts are stored, one after the other with the same MsgID, and by
    which acks."""

    client: Client
    msg_id: str
    ack_ids: list[int | None]


class Answering:
    """Tells connections that their receipts are stored, or why not."""

    def __init__(self) -> None:
        self._answered: tuple[str, ConvID] | None = None
        self._answer = b""

    def stored(self, conv: ConvID, waiting: Sequence[_Asked], error: Exception | None) -> bool:
        """Answer what has been asked for. Returns whether all of it was, by acks."""
        for asked in waiting:
            if isinstance(error, WebchatError):
                for ack_id in asked.ack_ids:
                    asked.client.refuse(ack_id, error, asked.msg_id)
                continue
            # Without a MsgID all answers of a conversation are the same.
            answered = (asked.msg_id, conv)
            if self._answered != answered:
                self._answered, self._answer = answered, ack_of_receipt(*answered)
            asked.client.socket.ack_all(asked.ack_ids, self._answer)
        return error is None or not any(None in asked.ack_ids for asked in waiting)


class Confirming:
    """Receipts that connections send. They are never refused for coming fast.

    What it has wait in `receipts` is for Answering.
    """

    def __init__(self, log: Log, ahead: Ahead, receipts: Receipts) -> None:
        self._log = log
        self._ahead = ahead
        self._receipts = receipts

    def receipt(
        self, client: Client, device: Device, envelope: Envelope, ack_id: int | None
    ) -> Work | None:
        """Move the reader's position; the ack says that it is stored. Raises WebchatError."""
        user, seq, sender = device.user, envelope.seq, envelope.from_
        uid = user.uid
        if sender == uid:
            conv = envelope.conv_id or _pair_with(uid, envelope.to)
        elif envelope.originated == uid:
            conv = sender
            if envelope.conv_id not in ("", conv):
                raise WebchatError(Code.BAD_REQUEST, "ConvID is another conversation's")
        else:
            raise _not_its_readers()
        log = user.logs.get(conv)
        is_in = log is not None and (log.is_group or (sender == uid and conv != user.own))
        if log is None or not (is_in and 0 < seq <= log.last and device.full):
            return self._less_usual(Act(client, device, envelope, ack_id), conv)
        delivered, displayed = (0, seq) if envelope.evt_type == "display" else (seq, 0)
        waiting = self._receipts.move(uid, conv, delivered, displayed, device)
        msg_id = envelope.msg_id
        last = waiting[-1] if waiting else None
        if last is not None and last.client is client and last.msg_id == msg_id:
            last.ack_ids.append(ack_id)
        else:
            waiting.append(_Asked(client, msg_id, [ack_id]))
        return None

    def _less_usual(self, act: Act, conv: ConvID) -> Work | None:
        """What is not a full-form reader's in a conversation that it is in, with a `Seq` of which
        this node has heard."""
        device, envelope = act.device, act.envelope
        seq = envelope.seq
        if not envelope.msg_id and not seq:
            raise WebchatError(Code.BAD_REQUEST, "a receipt needs ConvID and Seq, or a MsgID")
        # Nobody is in a group whose id is not well-formed, so its form need not be looked at.
        if envelope.from_ != device.user.uid and not conv.startswith(GROUP_PREFIX):
            raise _not_its_readers()
        if isinstance(device, SeedDevice) and not seq:
            sent = device.sent(conv, envelope.to, envelope.msg_id)
            if sent is not None:
                self._move(act, conv, sent)
                return None
        elif not _has_part_in(device.user, conv):
            return self._unheard(act, conv)
        if not seq:
            return self._by_key(act, conv)
        log = device.user.logs.get(conv)
        if log is not None and seq > log.last:
            return self._move_up_to(act, conv, seq)
        self._move(act, conv, seq)
        return None

    async def _unheard(self, act: Act, conv: ConvID) -> None:
        """Of a conversation that this node does not know to be the reader's, the store is asked."""
        await self._ahead.follow(act.device.user, conv)
        if not _has_part_in(act.device.user, conv):
            raise not_a_member()
        if act.envelope.seq:
            await self._move_up_to(act, conv, act.envelope.seq)
        else:
            await self._by_key(act, conv)

    async def _by_key(self, act: Act, conv: ConvID) -> None:
        """A MsgID is sought by the key of idempotence; not found: stored, moves nothing."""
        user = act.device.user
        if not _has_part_in(user, conv):
            await self._ahead.follow(user, conv)
        # Whoever has no part in it is not told by the time that it takes what there is.
        has_part = _has_part_in(user, conv)
        entry = await self._find(conv, act.envelope) if has_part else None
        if entry is None or not _has_part_in(user, conv):
            act.answer(ack_of_receipt(act.envelope.msg_id, conv))
        else:
            await self._move_up_to(act, conv, entry.seq)

    async def _find(self, conv: ConvID, envelope: Envelope) -> Entry | None:
        """A message by its author and MsgID; in a group perhaps by its MsgID alone."""
        if is_uid(envelope.to):
            return await self._log.find(conv, envelope.to, envelope.msg_id)
        for entry in await self._log.read_before(conv, None, _SOUGHT_ENTRIES):
            if entry.msg_id == envelope.msg_id:
                return entry
        return None

    async def _move_up_to(self, act: Act, conv: ConvID, seq: Seq) -> None:
        """Beyond what this node has heard of, the store says what is the last by now: what is said
        there before the move is written does not count as read."""
        log = act.device.user.logs.get(conv)
        if log is not None:
            await self._ahead.catch_up(act.device.user, {conv: seq})
            seq = min(seq, log.last)
        self._move(act, conv, seq)

    def _move(self, act: Act, conv: ConvID, seq: Seq) -> None:
        device, envelope = act.device, act.envelope
        user, named, run_on = device.user, None, 0
        if conv in user.left:
            seq = min(seq, user.left[conv])
        delivered, displayed = (0, seq) if envelope.evt_type == "display" else (seq, 0)
        if isinstance(device, SeedDevice):
            named, run_on = (seq,), device.confirmed(conv, seq)
            if delivered:
                delivered = run_on
        waiting = self._receipts.move(user.uid, conv, delivered, displayed, device, named, run_on)
        waiting.append(_Asked(act.client, envelope.msg_id, [act.ack_id]))


def _not_its_readers() -> WebchatError:
    return WebchatError(Code.FORBIDDEN, "a receipt is its reader's")


def _pair_with(uid: Uid, other: Uid) -> ConvID:
    if not is_uid(other):
        raise WebchatError(Code.BAD_REQUEST, "To is no user's id")
    return pair_conv(uid, other)


def _has_part_in(user: User, conv: ConvID) -> bool:
    """Whether the user is in a conversation, or was."""
    return (conv in user.logs and conv != user.own) or conv in user.left
