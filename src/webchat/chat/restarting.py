"""Groups that the server does not know: messages are held, and a member's list makes the group.

Open mode, seed flow 6. What is held is appended when its sender comes into the group, and ahead of
its next message there; it moves no positions. Whatever step the process dies after, a later
`rejoin` or `join` of its sender has it appended, once: the key of idempotence holds, and where it
may be forgotten by now, the log is looked into.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from webchat.chat.client import Act
from webchat.chat.device import Device
from webchat.chat.followed import User
from webchat.chat.packets import ack_of_held, restart_packet
from webchat.chat.sending import TRIES, DecideIf, Sender, too_contended
from webchat.chat.tools import Tools
from webchat.errors import Code, MembersChanged, WebchatError
from webchat.model import ConvID, Seq, Uid
from webchat.ports.held import HeldLimits, HeldMessage
from webchat.ports.log import Append
from webchat.protocol.envelope import Envelope
from webchat.service.membership_entries import remake
from webchat.service.standing import Standings
from webchat.service.turns import Turns

_RETRY_AFTER_MS = 60_000
"""When to try again with what is too much to hold: a guess, since only a `rejoin` helps."""
_CLOCKS_DIFFER_MS: Final = 3_600_000
_KEYS_KNOWN_MS: Final = 24 * 3_600_000 - _CLOCKS_DIFFER_MS
"""For so long after it was appended a message is certainly known by its key."""
_PAGE: Final = 500
"""Entries that are looked through at a time."""


class Restarting:
    """Holds, and appends what was held."""

    def __init__(
        self, standings: Standings, sender: Sender, tools: Tools, limits: HeldLimits
    ) -> None:
        self._held = tools.store.held
        self._standings = standings
        self._sender = sender
        self._clock = tools.clock
        self._patience = tools.patience
        self._spawn = tools.spawn
        self._limits = limits
        self._turns = Turns()
        """Of each user, so that nothing is refused that is just being appended."""

    async def append_or_hold(self, act: Act, append: Append, decide: DecideIf) -> None:
        """Append a message to a group as `decide` says, behind what is held for it; hold it while
        the group is not known. What is held already is not refused. Raises WebchatError."""
        device, conv, msg_id = act.device, append.conv, act.envelope.msg_id
        try:
            if not (await self._standings.of(act.uid, conv)).exists:
                await self._hold(act, append)
                return
            await self.append_before_more(device, conv)
            await self._sender.append_decided(act, conv, decide)
        except WebchatError as error:
            if error.code is Code.UNAVAILABLE:
                raise
            if await self._is_held(device, conv, msg_id):
                act.answer(ack_of_held(msg_id))
            # If it was held before, its sender may have come in with it meanwhile.
            elif not await self._sender.is_resent(act, conv):
                raise

    async def _hold(self, act: Act, append: Append) -> None:
        """Hold a message to a group that is not known, unless it is known by now. Raises
        WebchatError: it is not held, or was before."""
        device, conv, msg_id = act.device, append.conv, act.envelope.msg_id
        was_held = await self._is_held(device, conv, msg_id)
        await self._store(device, append)
        # Before it is looked up: what makes the group may come by meanwhile.
        device.user.hold(conv, self._came_in)
        if (await self._standings.of(act.uid, conv)).exists:
            await self._append_after_all(act, append, was_held=was_held)
            return
        act.answer(ack_of_held(msg_id))
        act.client.socket.emit(restart_packet(conv, msg_id, self._clock.now_ms()))

    async def _store(self, device: Device, append: Append) -> None:
        try:
            await self._held.hold(append.conv, append.drafts[0], self._clock.now_ms(), self._limits)
        except WebchatError as error:
            if error.code is Code.RATE_LIMITED and error.retry_after_ms is None:
                error.retry_after_ms = _RETRY_AFTER_MS
            if error.code is Code.UNAVAILABLE:
                device.knows_held = False  # it may be held all the same
            raise

    async def _append_after_all(self, act: Act, append: Append, *, was_held: bool) -> None:
        user, conv = act.device.user, append.conv

        async def decide() -> Append:
            async with self._turns.of(user.uid):
                standing = await self._standings.of(user.uid, conv)
                if not standing.may_write and not was_held:
                    await self._forget(user, conv, act.envelope.msg_id)
                standing.check_may_write()
                await self._append_held(user, conv)
            return append.as_of(standing.head.last)

        await self._sender.append_decided(act, conv, decide)

    async def append_waiting(self, device: Device) -> None:
        """What the device's user holds for groups that exist by now, as far as it may write."""
        await self._look(device)
        for conv in list(device.user.holds):
            await self.append_for(device.user, conv)

    async def append_before_more(self, device: Device, conv: ConvID) -> None:
        """What the device's user holds for a group, before it writes there again."""
        if not device.knows_held:
            await self._look(device)
        if conv in device.user.holds:
            await self.append_for(device.user, conv)

    async def _is_held(self, device: Device, conv: ConvID, msg_id: str) -> bool:
        """Whether that message of the device's user is held: it stays so, though the group exists
        by now and its sender is not in it."""
        if not device.knows_held:
            await self._look(device)
        if conv not in device.user.holds:
            return False
        return bool(await self._messages(device.user, conv, msg_id))

    async def _forget(self, user: User, conv: ConvID, msg_id: str) -> None:
        refused = await self._messages(user, conv, msg_id)
        await self._held.drop([message.id for message in refused])

    async def _messages(self, user: User, conv: ConvID, msg_id: str) -> list[HeldMessage]:
        waiting = await self._waiting(user.uid)
        return [m for m in waiting if (m.conv, m.draft.msg_id) == (conv, msg_id)]

    def _came_in(self, user: User, conv: ConvID) -> None:
        self._spawn(
            self._patience.insist(
                lambda: self.append_for(user, conv), "held messages", uid=user.uid
            )
        )

    async def append_for(self, user: User, conv: ConvID) -> None:
        """What a user holds for a group, if it may write there by now."""
        async with self._turns.of(user.uid):
            if (await self._standings.of(user.uid, conv)).may_write:
                await self._append_held(user, conv)

    async def _look(self, device: Device) -> None:
        for message in await self._waiting(device.user.uid):
            device.user.hold(message.conv, self._came_in)
        device.knows_held = True

    async def _append_held(self, user: User, conv: ConvID) -> None:
        """All that is held for a group that exists: what comes after this is held no more."""
        for message in await self._waiting(user.uid):
            if message.conv == conv and not await self._append_one(message):
                return
        user.let_go(conv)

    async def _append_one(self, message: HeldMessage) -> bool:
        """False: its sender may not write there."""
        if await self._was_appended(message):
            await self._held.drop([message.id])
            return True
        for _ in range(TRIES):
            standing = await self._standings.of(message.uid, message.conv)
            if not standing.may_write:
                return False
            append = Append(message.conv, (message.draft,), members_as_of=standing.head.last)
            try:
                await self._sender.append_for_all(append)
            except MembersChanged:
                continue
            self._sender.notices.say_position(message.conv, message.uid)
            await self._held.drop([message.id])
            return True
        raise too_contended()

    async def _was_appended(self, message: HeldMessage) -> bool:
        """Whether it is in the log, though its key may be forgotten: the process died before it was
        dropped, and its sender was away for long."""
        draft = message.draft
        if not draft.msg_id or message.at > self._clock.now_ms() - _KEYS_KNOWN_MS:
            return False
        before: Seq | None = None
        while entries := await self._sender.log.read_before(message.conv, before, _PAGE):
            if any((each.sender, each.msg_id) == (draft.sender, draft.msg_id) for each in entries):
                return True
            before = entries[0].seq
            if entries[0].at < message.at - _CLOCKS_DIFFER_MS:
                break
        return False

    async def _waiting(self, uid: Uid) -> Sequence[HeldMessage]:
        return await self._held.of_user(uid, self._oldest_ms())

    async def remake(self, uid: Uid, conv: ConvID, uids: Sequence[Uid], envelope: Envelope) -> None:
        """Make an unknown group from a list, unless another list is first."""
        held = await self._held.of_group(conv, self._oldest_ms())
        append = remake(uid, conv, uids, envelope, held)
        try:
            appended = await self._sender.append_for_all(append)
        except WebchatError as error:
            if error.code is Code.CONFLICT:
                return
            raise
        # Of a list that was sent again, or after another, some may be there and some not.
        there = {(entry.sender, entry.msg_id) for entry in appended.entries}
        appended_now = [m for m in held if (m.uid, m.draft.msg_id) in there]
        for sender in {message.uid for message in appended_now}:
            self._sender.notices.say_position(conv, sender)
        await self._held.drop([message.id for message in appended_now])

    def _oldest_ms(self) -> int:
        return self._clock.now_ms() - self._limits.lifetime_ms
