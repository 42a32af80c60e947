"""What becomes of an append: passed on here, published, acknowledged once the bus has answered.

Source: docs/architecture.md, "One message".
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

from webchat.chat.acks import OwnAck
from webchat.chat.client import Act, Client
from webchat.chat.device import Device
from webchat.chat.hub import Hub
from webchat.chat.notices import Notices
from webchat.chat.packets import ack_of_receipt
from webchat.chat.publishing import Publishing
from webchat.chat.stats import Sampling
from webchat.chat.tools import Tools
from webchat.errors import Code, MembersChanged, WebchatError
from webchat.model import MESSAGE, ConvID, Entry, Seq, Uid, pair_of, user_log
from webchat.ports.log import Append, Appended
from webchat.service.appending import Decide
from webchat.service.membership import CREATE, DEPART, coming_in, leaving
from webchat.service.receipts import Receipts
from webchat.service.turns import Turns

DecideIf = Callable[[], Awaitable["Append | None"]]
"""As Decide; None: what is asked for is so already, or nothing of it is left to be done."""
TRIES = 20
_TRIES_IN_TURN: Final = 200
"""Of what takes turns: it loses to other nodes, to each of which it may several times."""
_DONE_ONCE: Final = frozenset({CREATE, DEPART})


class Sender:
    """Appends for connections. On the path of a message one object and no task for each."""

    def __init__(
        self, hub: Hub, publishing: Publishing, receipts: Receipts, notices: Notices, tools: Tools
    ) -> None:
        self._spawn = tools.spawn
        self._bus = tools.bus
        self.timing = Sampling(tools.stats.append_s, tools.clock)
        self._stats = tools.stats
        self.log = tools.store.log
        self.hub = hub
        self.publishing = publishing
        self.receipts = receipts
        self.notices = notices
        self._turns = Turns()

    def append(
        self,
        client: Client,
        device: Device,
        ack_id: int | None,
        append: Append,
        again: Callable[[], None] | None = None,
    ) -> None:
        """Queue an append; what becomes of it reaches the device by itself. `again`: what to do
        when the members changed since it was decided."""
        sending = self._sending(client, device, ack_id, append, again)
        if self.timing.sampled is None:
            self.timing.begin(sending)
        self.log.append(append, sending)

    def _sending(
        self,
        client: Client,
        device: Device,
        ack_id: int | None,
        append: Append,
        again: Callable[[], None] | None,
    ) -> _Sending:
        msg_id = append.drafts[0].msg_id
        if device.in_flight is None:
            device.in_flight = {}
        sending = device.in_flight[msg_id] = _Sending(
            device,
            ack_id,
            append.conv,
            self.publishing,
            sender=self,
            client=client,
            append=append,
            again=again,
            msg_id=msg_id,
        )
        return sending

    def is_overtaken(self, device: Device, conv: ConvID, seq: Seq) -> bool:
        """Whether something of this connection that was decided before the entry `seq` is still
        being appended to `conv`."""
        sendings = device.in_flight.values() if device.in_flight else ()
        return any(
            isinstance(each, _Sending) and (each.append.members_as_of or 0) < seq
            for each in sendings
            if each.conv == conv
        )

    async def act_in_turn(self, act: Act, conv: ConvID, decide: DecideIf) -> None:
        """As `act`, for what changes who is in a group, or what they may do: in turn with all that
        does so there on this node, else those who act at the same moment refuse each other."""
        async with self._turn(conv):
            await self.act(act, conv, decide, _TRIES_IN_TURN)

    @asynccontextmanager
    async def _turn(self, conv: ConvID) -> AsyncIterator[None]:
        """One's turn in a group. Whoever waits while the store refuses another's act is refused
        with it."""
        async with self._turns.of(conv):
            try:
                yield
            except WebchatError as error:
                self._note_refusal(conv, error)
                raise

    def _note_refusal(self, conv: ConvID, result: Appended | Exception) -> None:
        """If it is one because the store does not answer, those who wait for their turn there are
        refused, too."""
        if isinstance(result, WebchatError) and result.code is Code.UNAVAILABLE:
            self._turns.refuse_waiting(conv)

    async def act(self, act: Act, conv: ConvID, decide: DecideIf, tries: int = TRIES) -> None:
        """As `append_decided`; what was appended before is not decided on again."""
        if not await self.is_resent(act, conv):
            await self.append_decided(act, conv, decide, tries)

    async def append_decided(
        self, act: Act, conv: ConvID, decide: DecideIf, tries: int = TRIES
    ) -> None:
        """Decide and append, again where members changed in between; returns when it is done. Where
        nothing is appended, the ack has no `Seq`.

        Raises what `decide` raises. If `act` was appended before, that is perhaps why it raises, or
        has nothing to append: then it is answered as it was then. UNAVAILABLE if it never came
        through.
        """
        for _ in range(tries):
            try:
                append = await decide()
            except Exception:
                if await self.is_resent(act, conv):
                    return
                raise
            if append is None:
                if not await self.is_resent(act, conv):
                    act.answer(ack_of_receipt(act.envelope.msg_id, conv))
                return
            if await self._try(act, append):
                return
        raise too_contended()

    async def _try(self, act: Act, append: Append) -> bool:
        """Append; False: members changed, decide again."""
        done, is_final = asyncio.Event(), True

        def decide_again() -> None:
            nonlocal is_final
            is_final = False

        def answered(result: Appended | Exception) -> None:
            try:
                sending(result)
            finally:
                self._note_refusal(append.conv, result)
                done.set()

        sending = self._sending(act.client, act.device, act.ack_id, append, decide_again)
        self.log.append(append, answered)
        await done.wait()
        return is_final

    async def decided(self, conv: ConvID, decide: Decide) -> Appended:
        """Decide and append what no connection waits for, in turn as `act_in_turn`. See
        `service/appending.py`."""
        answered = asyncio.Event()
        async with self._turn(conv):  # no longer than it takes to be durable
            appended = await self._decided(decide, answered)
        await answered.wait()
        return appended

    async def _decided(self, decide: Decide, answered: asyncio.Event) -> Appended:
        for _ in range(_TRIES_IN_TURN):
            append = await decide()
            try:
                return await self._append_for_all(append, answered)
            except MembersChanged:
                continue
        raise too_contended()

    async def append_for_all(self, append: Append) -> Appended:
        """Append what no connection waits for; returns when the bus has answered, too.

        Raises MembersChanged, WebchatError.
        """
        answered = asyncio.Event()
        appended = await self._append_for_all(append, answered)
        await answered.wait()
        return appended

    async def _append_for_all(self, append: Append, answered: asyncio.Event) -> Appended:
        """Returns when it is durable; `answered` is set when the bus has answered."""
        done: asyncio.Future[Appended | Exception] = asyncio.get_running_loop().create_future()

        def stored(result: Appended | Exception) -> None:
            if not done.done():
                done.set_result(result)
            if isinstance(result, Appended):
                self._spread((*result.entries, *result.followed), answered.set)

        self.log.append(append, stored)
        result = await done
        if isinstance(result, Exception):
            raise result
        return result

    async def is_resent(self, act: Act, conv: ConvID) -> bool:
        """Whether this was appended before: then it is answered as it was then."""
        msg_id = act.envelope.msg_id
        entry = await self.log.find(conv, act.uid, msg_id) if msg_id else None
        if entry is not None:
            ack = OwnAck(act.device, act.ack_id, conv, self.publishing)
            self.stored(Appended((entry,), (), fresh=False), ack)
        return entry is not None

    def _spread(self, entries: Sequence[Entry], answered: Callable[[], None]) -> None:
        """Bring entries to everybody; `answered`: the bus has, for all of them."""
        self.publishing.publish_all(entries, answered)
        for entry in entries:
            self.hub.pass_on(entry)

    def stored(self, appended: Appended, ack: OwnAck) -> None:
        """Bring what is durable now to everybody, and the ack to whoever asked for it."""
        entry, followed = appended.entries[0], appended.followed
        if followed:
            ack.await_bus()
            self.publishing.publish_all((entry, *followed), partial(ack.published, 0))
        elif ack.entry is None and self._bus.is_alone:  # as below, three calls less a message
            ack.is_published = True
        else:
            ack.await_bus()
            self.publishing.publish(entry, ack.published)
        if ack.entry is None:  # else it is in its place, since a gap was read meanwhile
            self.hub.pass_on(entry, ack)
        for each in followed:
            self.hub.pass_on(each)
        if appended.fresh:
            self._stats.appended += 1
            if (moved := appended.moved) is not None:
                if self.receipts.moved_by_own_message(moved):
                    self.notices.delivered_elsewhere(moved.conv, moved.uid, moved.after)
            elif entry.kind == MESSAGE:
                self.notices.say_position(entry.conv, ack.device.user.uid)
        elif entry.kind == MESSAGE and entry.seq > 1 and ack.device.full:
            self.receipts.own_message_was_stored(entry)
        elif not followed and (uids := _told_of(entry)):
            self.tell_again([entry.conv, *map(user_log, dict.fromkeys(uids))])

    def tell_again(self, convs: Sequence[ConvID]) -> None:
        """An act is sent again, so its answer was lost, and with it perhaps what followed from it:
        whoever follows these logs is told up to where they go."""
        self._spawn(self._tell_again(convs))

    async def _tell_again(self, convs: Sequence[ConvID]) -> None:
        for conv, head in (await self.publishing.publish_heads(convs)).items():
            self.hub.heard_of(conv, head.last)


class _Sending(OwnAck, eq=False, kw_only=True):
    """One append that is under way: the log calls it with the outcome, and it is the ack that comes
    of it. `again`: what to do if the members have changed since the append was decided on."""

    sender: Sender
    client: Client
    append: Append
    again: Callable[[], None] | None
    msg_id: str

    def is_for(self, entry: Entry) -> bool:
        """Whether `entry` is what is being appended. Without a MsgID that can be said only of what
        one person does once."""
        (draft,) = self.append.drafts
        is_known = bool(draft.msg_id) or draft.kind in _DONE_ONCE
        return is_known and (entry.conv, entry.kind) == (self.conv, draft.kind)

    def __call__(self, result: Appended | Exception) -> None:
        sender, in_flight = self.sender, self.device.in_flight
        if sender.timing.sampled is self:
            sender.timing.end()
        if in_flight and in_flight.get(self.msg_id) is self:
            del in_flight[self.msg_id]
        if self.client.settling is not None:
            self.client.settling.set()
        if isinstance(result, Appended):
            sender.stored(result, self)
            return
        if self.entry is not None:
            self.device.withdraw(self, self.entry)
        if isinstance(result, MembersChanged) and self.again is not None:
            self.again()
            return
        if not isinstance(result, WebchatError):
            result = WebchatError(Code.INTERNAL, "that could not be stored")
        if self.append.moves_sender:
            sender.receipts.own_message_failed(self.conv, self.device.user.uid, result)
        self.client.refuse(self.ack_id, result, self.msg_id)


def _told_of(entry: Entry) -> Sequence[Uid]:
    """Those whose own logs say what became of them by this entry."""
    if entry.seq == 1 and (pair := pair_of(entry.conv)) is not None:
        return pair
    return [*coming_in(entry), *leaving(entry)]


def too_contended() -> WebchatError:
    """An append was refused again and again, since somebody else was faster each time."""
    return WebchatError(Code.UNAVAILABLE, "too many people change this at once")
