"""`edit`, `delete` and `react` of connections, in pairs and in groups."""

from __future__ import annotations

from typing import Final

from webchat.chat.ahead import Ahead
from webchat.chat.client import Act
from webchat.chat.device import Device
from webchat.chat.sending import Sender
from webchat.errors import Code, WebchatError
from webchat.model import ConvID, Entry, Seq, Uid, is_group, is_uid, pair_conv
from webchat.ports.log import Append, Log
from webchat.protocol.envelope import Envelope
from webchat.service.amend import (
    Kind,
    amend,
    check_amendment,
    check_may_amend,
    is_edit_of,
    what_became_of,
)
from webchat.service.membership import check_group_act
from webchat.service.standing import ADMINS, Standings, not_a_member

_PAGE: Final = 200


class Amending:
    """Entries that change an earlier one."""

    def __init__(
        self, log: Log, ahead: Ahead, standings: Standings, sender: Sender, text_bytes: int
    ) -> None:
        self._log = log
        self._ahead = ahead
        self._standings = standings
        self._sender = sender
        self._text_bytes = text_bytes

    async def amend(self, kind: Kind, act: Act) -> None:
        """Check, append, answer. Raises WebchatError."""
        envelope = act.envelope
        conv = _conv_of(act.uid, envelope)
        check_amendment(kind, envelope, self._text_bytes)

        async def decide() -> Append:
            return await self._decide(kind, act.device, conv, envelope)

        await self._sender.act(act, conv, decide)

    async def _decide(self, kind: Kind, device: Device, conv: ConvID, envelope: Envelope) -> Append:
        uid, is_admin, members_as_of = device.user.uid, False, None
        if is_group(conv):
            standing = await self._standings.of(uid, conv)
            is_admin = standing.check_open().role in ADMINS
            if kind == "edit":
                standing.check_may_write()
            members_as_of = standing.head.last
            sees = standing.sees(envelope.refers)
        else:
            await self._ahead.follow(device.user, conv)
            if conv not in device.user.logs:
                raise not_a_member()
            sees = True
        seen = await self._entry(conv, envelope.refers) if sees else None
        meant = check_may_amend(kind, uid, seen, is_admin=is_admin)
        edits = await self._edits_of(meant) if kind == "delete" else ()
        return amend(kind, uid, conv, meant, envelope, members_as_of=members_as_of, edits=edits)

    async def _edits_of(self, message: Entry) -> list[Seq]:
        """Where a message was edited: the texts that a `delete` takes away, too."""
        edits: list[Seq] = []
        seq, last = message.seq, what_became_of(message).edited
        while seq < last:
            entries = await self._log.read(message.conv, seq, min(_PAGE, last - seq))
            edits += [entry.seq for entry in entries if is_edit_of(message, entry)]
            seq += _PAGE
        return edits

    async def _entry(self, conv: ConvID, seq: Seq) -> Entry | None:
        entries = await self._log.read(conv, seq - 1, 1)
        return entries[0] if entries and entries[0].seq == seq else None


def _conv_of(uid: Uid, envelope: Envelope) -> ConvID:
    if is_group(envelope.to):
        return check_group_act(uid, envelope)
    if envelope.from_ != uid:
        raise WebchatError(Code.FORBIDDEN, "From must be the one who acts")
    if not is_uid(envelope.to):
        raise WebchatError(Code.BAD_REQUEST, "To is no user's id and no group's")
    return pair_conv(uid, envelope.to)
