"""What connections do in groups: each flow loads, decides and appends (seed flows 5 to 9)."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from webchat.chat.client import Act, Client
from webchat.chat.device import Device
from webchat.chat.packets import LISTED_MEMBERS, ack_of_receipt, notify_packet
from webchat.chat.restarting import Restarting
from webchat.chat.seed import SeedDevice
from webchat.chat.sending import Sender
from webchat.chat.tools import Tools
from webchat.errors import Code, WebchatError
from webchat.model import ConvID, Invitation, Uid, is_group, user_log
from webchat.ports.log import Append
from webchat.protocol.envelope import Envelope
from webchat.service.batches import read_each
from webchat.service.consent import Consent
from webchat.service.membership import check_group_act, uids_in
from webchat.service.membership_entries import create, depart, group_name, refer
from webchat.service.profiles import Profiles
from webchat.service.send import check_body, group_message
from webchat.service.standing import OWNER, Standing, Standings
from webchat.service.tasks import Work
from webchat.service.turns import Turns


class Groups:
    """The kinds of a group. `restarting`: in open mode."""

    def __init__(
        self,
        profiles: Profiles,
        standings: Standings,
        sender: Sender,
        restarting: Restarting | None,
        tools: Tools,
        list_uids: int,
        text_bytes: int,
    ) -> None:
        self._members = tools.store.members
        self._profiles = profiles
        self._standings = standings
        store = tools.store
        self._consent = Consent(store.log, store.accounts, store.members, store.invitations)
        self._sender = sender
        self._clock = tools.clock
        self._restarting = restarting
        self._spawn = tools.spawn
        self._list_uids = list_uids
        self._text_bytes = text_bytes
        self._turns = Turns()
        """Of each connection, for its messages that have to be looked up."""

    # Messages

    def message(
        self, client: Client, device: Device, envelope: Envelope, ack_id: int | None
    ) -> Work | None:
        """A message to a group: one plain call where it is at hand that the sender may write."""
        uid = device.user.uid
        conv = check_group_act(uid, envelope)
        check_body(envelope, self._text_bytes)
        log = device.user.logs.get(conv)
        last = log.last if log is not None else 0
        append = group_message(uid, envelope, members_as_of=last, moves=device.full)
        is_at_hand = (
            log is not None
            and not client.again
            and log.lets_write(uid)
            and device.knows_held
            and conv not in device.user.holds
            and not (log.changed and self._sender.is_overtaken(device, conv, log.changed))
        )
        if not is_at_hand:
            return self._looked_up_in_order(Act(client, device, envelope, ack_id), append)
        self._append(client, device, envelope, ack_id, append)
        return None

    def _append(
        self, client: Client, device: Device, envelope: Envelope, ack_id: int | None, append: Append
    ) -> None:
        def again() -> None:
            self._again(Act(client, device, envelope, ack_id), append)

        self._sender.append(client, device, ack_id, append, again)

    def _again(self, act: Act, append: Append) -> None:
        """Members changed. What has been passed on meanwhile decides; else the store is asked."""
        client, device = act.client, act.device
        log = device.user.logs.get(append.conv)
        was_last = append.members_as_of or 0
        is_newer = log is not None and log.last > was_last and log.lets_write(act.uid)
        if log is not None and is_newer and not client.again:
            self._append(client, device, act.envelope, act.ack_id, append.as_of(log.last))
        else:
            client.again += 1
            self._spawn(self._looked_up_or_refused(act, append))

    async def _looked_up_or_refused(self, act: Act, append: Append) -> None:
        client = act.client
        try:
            await self._looked_up(act, append)
        except WebchatError as error:
            act.refuse(error)
        finally:
            client.again -= 1
            if client.settling is not None:
                client.settling.set()

    async def _looked_up_in_order(self, act: Act, append: Append) -> None:
        """Behind those before it, one of which may be refused, and decided anew, since members
        changed."""
        await act.client.settled(append.conv)
        await self._looked_up(act, append)

    async def _looked_up(self, act: Act, append: Append) -> None:
        """A message to a group of which it is not at hand who may write. One after the other, in
        the order that they came in."""
        uid, device, conv = act.uid, act.device, append.conv

        async def decide() -> Append:
            standing = await self._standings.of(uid, conv)
            standing.check_may_write()
            await self.append_held(device, conv)  # its sender may have come in only just
            if (log := device.user.logs.get(conv)) is not None:
                log.learn(standing)
            return append.as_of(standing.head.last)

        async with self._turns.of(act.client):
            if await self._sender.is_resent(act, conv):
                return
            if self._restarting is None:
                await self._sender.append_decided(act, conv, decide)
            else:
                await self._restarting.append_or_hold(act, append, decide)

    async def append_held(self, device: Device, conv: ConvID) -> None:
        """What the device's user holds for a group, ahead of whatever else it does there."""
        if self._restarting is not None and is_group(conv):
            await self._restarting.append_before_more(device, conv)

    # Members

    async def create(self, act: Act) -> None:
        """Flow 5."""
        uid, envelope = act.uid, act.envelope
        conv = check_group_act(uid, envelope)

        async def decide() -> Append:
            uids = uids_in(envelope.body, self._list_uids)
            name = group_name(envelope)
            await self._check_known(uids)
            others = [other for other in uids if other != uid]
            return create(uid, conv, await self._consent.to_add(uid, conv, others), envelope, name)

        await self._sender.act(act, conv, decide)  # nobody is in yet whose turn it could be

    async def refer(self, act: Act) -> None:
        """Flow 8. Who is in already is left out, who wants to be asked gets an invitation, before
        the others come in: sent again, nobody has been left out. With nobody left the group's log
        gets nothing."""
        uid, envelope = act.uid, act.envelope
        conv = check_group_act(uid, envelope)

        async def decide() -> Append | None:
            uids = uids_in(envelope.body, self._list_uids)
            if not uids:
                raise WebchatError(Code.BAD_REQUEST, "refer names whom to add")
            standing = await self._standings.of(uid, conv)
            standing.check_open()
            await self._check_known(uids)
            present = await self._members.present_among(conv, uids)
            absent = [other for other in uids if other not in present]
            consented = await self._consent.to_add(uid, conv, absent)
            await read_each(self._ask, consented.invitations)
            if consented.waiting:
                self._sender.tell_again([*map(user_log, consented.waiting)])
            return refer(standing, consented.added, envelope) if consented.added else None

        await self._sender.act_in_turn(act, conv, decide)

    async def _ask(self, invitation: Invitation) -> None:
        """Invite somebody, unless another invitation to that group is first."""

        async def decide() -> Append:
            append = await self._consent.to_ask(invitation, self._clock.now_ms())
            if append is None:
                raise _IsAsked
            return append

        with suppress(_IsAsked):
            await self._sender.decided(user_log(invitation.uid), decide)

    async def depart(self, act: Act) -> None:
        """Flow 9."""
        conv = check_group_act(act.uid, act.envelope)

        async def decide() -> Append:
            standing = await self._standings.of(act.uid, conv)
            span = standing.check_member()
            others, successor = await self._members.count(conv) - 1, None
            if others and span.role == OWNER:  # sought among all who were ever in
                successor = await self._members.successor(conv, act.uid)
            return depart(standing, others, successor, act.envelope)

        await self._sender.act_in_turn(act, conv, decide)

    async def rejoin(self, act: Act) -> None:
        """Flows 6 and 7: answered with the list; in open mode an unknown group is made from it."""
        uid, envelope = act.uid, act.envelope
        conv = check_group_act(uid, envelope)
        uids = uids_in(envelope.body, self._list_uids) if envelope.body else []
        standing = await self._standings.of(uid, conv)
        if not standing.exists and envelope.body and self._restarting is not None:
            await self._restarting.remake(uid, conv, uids, envelope)
            standing = await self._standings.of(uid, conv)
        standing.check_member()
        if self._restarting is not None:
            await self._restarting.append_waiting(act.device)
        await self._notify(act.device, standing)
        act.answer(ack_of_receipt(envelope.msg_id, conv))

    async def _notify(self, device: Device, standing: Standing) -> None:
        conv, head = standing.conv, standing.head
        if isinstance(device, SeedDevice):
            await device.show_list(conv, standing.check_member().since, head.at)
            return
        uids, count = await self._members.at(conv, head.last, LISTED_MEMBERS)
        device.socket.emit(notify_packet(conv, uids, count, head.last, head.at))

    async def _check_known(self, uids: Sequence[Uid]) -> None:
        unknown = await self._profiles.unknown_among(uids)
        if unknown:
            raise WebchatError(Code.UNKNOWN_USER, f"no such users: {', '.join(unknown[:20])}")


class _IsAsked(Exception):  # noqa: N818
    """An invitation waits already."""
