"""What becomes of an append that a connection asked for: published, passed on, acknowledged."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from webchat.chat.client import Client
from webchat.chat.device import Device
from webchat.chat.hub import Hub
from webchat.chat.notices import Notices
from webchat.chat.stats import Stats
from webchat.errors import Code, MembersChanged, WebchatError
from webchat.model import ConvID, Entry
from webchat.ports.log import Append, Appended, Log
from webchat.service.appending import Decide
from webchat.service.receipts import Receipts

TRIES = 20


class Sender:
    """Appends for connections. On the path of a message one object and no task for each."""

    def __init__(
        self, log: Log, hub: Hub, receipts: Receipts, notices: Notices, stats: Stats
    ) -> None:
        self._stats = stats
        self.log = log
        self.hub = hub
        self.receipts = receipts
        self.notices = notices

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
        msg_id = append.drafts[0].msg_id
        self.log.append(append, _Sending(self, client, device, ack_id, msg_id, again))

    async def append_decided(
        self, client: Client, device: Device, ack_id: int | None, decide: Decide
    ) -> None:
        """Decide and append, again where members changed in between; returns when it is done.

        Raises what `decide` raises, and UNAVAILABLE if it never came through.
        """
        for _ in range(TRIES):
            if await self._try(client, device, ack_id, await decide()):
                return
        raise too_contended()

    async def _try(
        self, client: Client, device: Device, ack_id: int | None, append: Append
    ) -> bool:
        """Append; False: members changed, decide again."""
        outcome = _Outcome()
        msg_id = append.drafts[0].msg_id
        sending = _Sending(self, client, device, ack_id, msg_id, outcome.members_changed)
        self.log.append(append, lambda result: outcome.after(sending, result))
        return await outcome.is_final()

    async def decided(self, decide: Decide) -> Appended:
        """Decide and append what no connection waits for. See `service/appending.py`."""
        for _ in range(TRIES):
            append = await decide()
            try:
                return await self.append_for_all(append)
            except MembersChanged:
                continue
        raise too_contended()

    async def append_for_all(self, append: Append) -> Appended:
        """Append what no connection waits for. Raises MembersChanged, WebchatError."""
        done: asyncio.Future[Appended | Exception] = asyncio.get_running_loop().create_future()

        def stored(result: Appended | Exception) -> None:
            if isinstance(result, Appended):
                self.spread((*result.entries, *result.followed))
            if not done.done():
                done.set_result(result)

        self.log.append(append, stored)
        result = await done
        if isinstance(result, Exception):
            raise result
        return result

    async def is_resent(
        self, device: Device, conv: ConvID, msg_id: str, ack_id: int | None
    ) -> bool:
        """Whether this was appended before: then it is answered as it was then."""
        entry = await self.log.find(conv, device.user.uid, msg_id) if msg_id else None
        if entry is not None:
            self.stored(Appended((entry,), (), fresh=False), device, ack_id)
        return entry is not None

    def spread(self, entries: Sequence[Entry]) -> None:
        """Bring entries to everybody."""
        for entry in entries:
            self.hub.publish(entry)
            self.hub.pass_on(entry)

    def stored(self, appended: Appended, device: Device, ack_id: int | None) -> None:
        """Bring what is durable now to everybody, and the ack to who asked for it."""
        entry = appended.entries[0]
        self.hub.publish(entry)
        self._pass_on_own(appended, device, ack_id)
        self.spread(appended.followed)
        if not appended.fresh:
            return
        self._stats.appended += 1
        if appended.moved is not None:
            self.receipts.moved_by_own_message(appended.moved)
        elif entry.kind == "message":
            self.notices.say_position(entry.conv, device.user.uid)

    def _pass_on_own(self, appended: Appended, device: Device, ack_id: int | None) -> None:
        entry = appended.entries[0]
        if entry.kind == "join":  # it comes to everybody, the one who referred too
            self.hub.pass_on(entry)
            if ack_id is not None:
                device.ack_after(entry, ack_id)
        else:
            self.hub.pass_on(entry, device, ack_id)


class _Sending:
    """The `done` of one append."""

    __slots__ = ("ack_id", "again", "client", "device", "msg_id", "sender")

    def __init__(
        self,
        sender: Sender,
        client: Client,
        device: Device,
        ack_id: int | None,
        msg_id: str,
        again: Callable[[], None] | None,
    ) -> None:
        self.sender = sender
        self.client = client
        self.device = device
        self.ack_id = ack_id
        self.msg_id = msg_id
        self.again = again

    def __call__(self, result: Appended | Exception) -> None:
        if isinstance(result, Appended):
            self.sender.stored(result, self.device, self.ack_id)
        elif isinstance(result, WebchatError):
            self.client.refuse(self.ack_id, result, self.msg_id)
        elif isinstance(result, MembersChanged) and self.again is not None:
            self.again()
        else:
            error = WebchatError(Code.INTERNAL, "that could not be stored")
            self.client.refuse(self.ack_id, error, self.msg_id)


class _Outcome:
    """Whether an append that was decided on holds, or has to be decided again."""

    def __init__(self) -> None:
        self._changed = False
        self._done = asyncio.Event()

    def members_changed(self) -> None:
        self._changed = True

    def after(self, sending: _Sending, result: Appended | Exception) -> None:
        sending(result)
        self._done.set()

    async def is_final(self) -> bool:
        await self._done.wait()
        return not self._changed


def too_contended() -> WebchatError:
    """An append was refused again and again, since somebody else was faster each time."""
    return WebchatError(Code.UNAVAILABLE, "too many people change this group at once")
