"""`join` and `sync`: a connection names its user and its places, and becomes a live device.

Source: docs/protocol.md, section 2; seed flows 2 and 3.
"""

from __future__ import annotations

import asyncio
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from webchat.chat.ahead import Ahead
from webchat.chat.arriving import Arriving
from webchat.chat.backlog import Backlog
from webchat.chat.client import Client
from webchat.chat.cursors import Cursors
from webchat.chat.device import Device
from webchat.chat.followed import FollowedLog, User, followed_log
from webchat.chat.keeping import Keeping
from webchat.chat.packets import (
    OK,
    ack_of_join,
)
from webchat.chat.restarting import Restarting
from webchat.chat.roster import Roster
from webchat.chat.seed import SeedDevice
from webchat.chat.snapshots import Snapshots
from webchat.chat.tools import Tools
from webchat.errors import Code, WebchatError
from webchat.model import ConvID, Seq, Uid, head_at, is_uid
from webchat.protocol.envelope import Join, decode_join
from webchat.service.profiles import Profiles
from webchat.service.receipts import Receipts

_MANY_LOGS: Final = 500
"""To set the places of a device in so many takes some ms."""


@dataclass(frozen=True, slots=True)
class JoinSettings:
    """`cursors`: most in one packet; `snapshots`: most asked for in one packet;
    `sync_more_timeout_s`: how long a join with `more` waits for the next packet."""

    cursors: int = 1_000
    snapshots: int = 50
    sync_more_timeout_s: float = 30.0
    version: str = ""


class Joining:
    """What `join` and `sync` do."""

    def __init__(
        self,
        roster: Roster,
        arriving: Arriving,
        ahead: Ahead,
        backlog: Backlog,
        receipts: Receipts,
        snapshots: Snapshots,
        profiles: Profiles,
        keeping: Keeping,
        restarting: Restarting | None,
        tools: Tools,
        settings: JoinSettings,
    ) -> None:
        self._open_mode = tools.open_mode
        self._roster = roster
        self._arriving = arriving
        self._ahead = ahead
        self._backlog = backlog
        self._log = tools.store.log
        self._members = tools.store.members
        self._positions = tools.store.positions
        self._receipts = receipts
        self._snapshots = snapshots
        self._profiles = profiles
        self._keeping = keeping
        self._restarting = restarting
        self._patience = tools.patience
        self._clock = tools.clock
        self._spawn = tools.spawn
        self._settings = settings
        self._cursors = Cursors(backlog.settings)
        self._long_ones = asyncio.Lock()

    async def join(self, client: Client, args: Sequence[object], ack_id: int | None) -> None:
        """`join` in either form. Raises WebchatError."""
        argument = args[0] if args else None
        if isinstance(argument, str):
            await self._join_seed(client, argument, ack_id)
        else:
            await self._join_full(client, decode_join(argument), ack_id)

    def leave(self, client: Client) -> None:
        """A connection is gone."""
        client.stop_waiting_for_more()
        if client.device is not None:
            self._roster.leave(client.device.user, client.device)

    # The full form

    async def _join_full(self, client: Client, request: Join, ack_id: int | None) -> None:
        self._check(request)
        uid = self._named(client, request.uid or client.uid or "")
        device = client.device
        if device is not None:
            _check_same(device, uid, full=True)
            await self._go_on(client, device, request, ack_id, self._ack(uid))
            return
        user = await self._arrive(client, uid)
        if user is None:
            return
        device = Device(client.socket, user, self._backlog)
        places = _places(request) if request.receipts else request.cursors
        try:
            await self._ahead.catch_up(user, places)
            past = await self._past_logs(user, request.cursors) if user.left else {}
            if len(user.logs) > _MANY_LOGS:
                await self._own_turn()
                past |= await self._past_logs(user, request.cursors, past)
        except WebchatError:
            self._roster.release(user)
            raise
        device.past = past or None
        if client.socket.closed:
            self._roster.release(user)
            return
        if not self._roster.is_here(user):
            # Its other devices have left meanwhile, and it with them: it arrives again.
            await self._join_full(client, request, ack_id)
            return
        self._enter(client, device, ack_id)
        self._cursors.join(device, request.cursors, more=request.more)
        if request.more:
            await client.socket.drained()
        self._after_cursors(client, device, request)

    async def _own_turn(self) -> None:
        """Return in a turn of the loop in which no other of these does: many devices that come in
        together, all of one user perhaps, must not hold up everybody."""
        async with self._long_ones:
            await asyncio.sleep(0)

    async def sync(self, client: Client, args: Sequence[object], ack_id: int | None) -> None:
        """`sync`: further cursors of a join, or new places. Raises WebchatError."""
        device = client.device
        if device is None:
            raise WebchatError(Code.UNAUTHENTICATED, "join first")
        if not device.full:
            raise WebchatError(Code.BAD_REQUEST, "sync goes with the full form of join")
        request = decode_join(args[0] if args else None)
        self._check(request)
        await self._go_on(client, device, request, ack_id, OK)

    async def _go_on(
        self, client: Client, device: Device, request: Join, ack_id: int | None, ack: bytes
    ) -> None:
        """From the ack on the new places hold, so nothing of the old ones may come after it."""
        await self._ahead.catch_up(device.user, _places(request))
        past = await self._past_logs(device.user, request.cursors)
        client.answer(ack_id, ack)
        if past:
            news = {conv: log for conv, log in past.items() if conv not in device.lags}
            device.past = (device.past or {}) | news
        self._cursors.sync(device, request.cursors, more=request.more)
        client.stop_waiting_for_more()
        await client.socket.drained()  # the skips of its next packet wait for those of this one
        self._after_cursors(client, device, request)

    def _after_cursors(self, client: Client, device: Device, request: Join) -> None:
        if request.more and device.awaits_more:
            client.more_timer = self._clock.call_later(
                self._settings.sync_more_timeout_s, lambda: self._no_more(client, device)
            )
        self._backlog.wake(device)
        if request.receipts:
            self._snapshots.ask(device, request.receipts)

    def _no_more(self, client: Client, device: Device) -> None:
        client.more_timer = None
        if not client.socket.closed:
            self._cursors.stop_waiting(device)
            self._backlog.wake(device)

    async def _past_logs(
        self, user: User, cursors: Iterable[ConvID], known: Container[ConvID] = ()
    ) -> dict[ConvID, FollowedLog]:
        """Groups named that the user has left: their logs, up to its own `depart`; also of those
        that it leaves while this reads. `known`: left out."""
        past: dict[ConvID, FollowedLog] = {}
        read: set[ConvID] = set()
        while user.left:
            unread = [c for c in cursors if c in user.left and c not in read and c not in known]
            if not unread:
                break
            read.update(unread)
            for conv in unread:
                until = user.left.get(conv)
                entries = await self._log.read(conv, until - 1, 1) if until is not None else []
                for entry in entries:
                    past[conv] = followed_log(conv, head_at(entry))
        return past

    def _check(self, request: Join) -> None:
        if len(request.cursors) > self._settings.cursors:
            raise WebchatError(
                Code.TOO_LARGE, f"a packet may have {self._settings.cursors} cursors; use more"
            )
        if len(request.receipts) > self._settings.snapshots:
            raise WebchatError(
                Code.BAD_REQUEST, f"a packet may ask for {self._settings.snapshots} snapshots"
            )

    # The seed's form

    async def _join_seed(self, client: Client, said: str, ack_id: int | None) -> None:
        if not is_uid(said):
            raise WebchatError(Code.BAD_REQUEST, "join names no well-formed user")
        uid = self._named(client, said)
        if client.device is not None:
            _check_same(client.device, uid, full=False)
            client.answer(ack_id, self._ack(uid))
            return
        user = await self._arrive(client, uid)
        if user is None:
            return
        device = SeedDevice(
            client.socket,
            user,
            self._backlog,
            self._receipts,
            self._members,
            self._clock.monotonic_s(),
        )
        device.wait()
        self._enter(client, device, ack_id)
        self._spawn(self._begin_seed(device))

    async def _begin_seed(self, device: SeedDevice) -> None:
        """Read where the user was; while the store does not answer, wait for it."""
        uid, convs = device.user.uid, list(device.user.logs)
        await self._receipts.written()  # of a connection that has just gone, too
        positions = await self._patience.insist(
            lambda: self._positions.of_user(uid, convs), "joining", uid=uid
        )
        delivered = {conv: position.delivered for conv, position in positions.items()}
        if len(convs) > _MANY_LOGS:
            await self._own_turn()
        await self._patience.insist(
            lambda: self._ahead.catch_up(device.user, delivered), "joining", uid=uid
        )
        device.begin(delivered)
        self._backlog.wake(device)
        if self._open_mode:
            await self._keeping.hand_over(device)

    async def join_sender(self, client: Client, uid: Uid) -> None:
        """Engine.IO 3, open mode: the seed's client joins once a page and not after a reconnect."""
        await self._join_seed(client, uid, None)

    # Both

    def _named(self, client: Client, said: Uid) -> Uid:
        """Whom this connection is, or says it is."""
        if not is_uid(said):
            raise WebchatError(Code.BAD_REQUEST, "join names no well-formed user")
        if client.uid is not None and said != client.uid:
            raise WebchatError(Code.FORBIDDEN, "this connection is another user's")
        return client.uid or said  # one text for all that keep it

    async def _arrive(self, client: Client, uid: Uid) -> User | None:
        """The user with its logs, or None: the connection is gone by now."""
        user = await self._arriving.arrive(uid)
        if client.socket.closed:
            self._roster.release(user)
            return None
        return user

    def _enter(self, client: Client, device: Device, ack_id: int | None) -> None:
        """From here on nothing is missed."""
        client.uid = device.user.uid
        client.device = device
        self._roster.add(device.user, device)
        if self._open_mode:
            self._profiles.note_recent(device.user.uid)
        if self._restarting is not None:
            device.knows_held = False
            self._spawn(self._append_waiting(self._restarting, device))
        client.answer(ack_id, self._ack(device.user.uid))

    async def _append_waiting(self, restarting: Restarting, device: Device) -> None:
        """Messages held for a group that exists by now (flow 6)."""
        await self._patience.insist(
            lambda: restarting.append_waiting(device), "held messages", uid=device.user.uid
        )

    def _ack(self, uid: Uid) -> bytes:
        return ack_of_join(uid, self._clock.now_ms(), self._settings.version)


def _places(request: Join) -> Mapping[ConvID, Seq]:
    """Where a packet says its user has been: also in what it asks for snapshots of, of which this
    node may not have heard yet."""
    named = {conv: max(1, request.cursors.get(conv, 0)) for conv in request.receipts}
    return {**request.cursors, **named}


def _check_same(device: Device, uid: Uid, *, full: bool) -> None:
    if uid != device.user.uid:
        raise WebchatError(Code.FORBIDDEN, "this connection is another user's")
    if device.full is not full:
        raise WebchatError(Code.BAD_REQUEST, "this connection joined in the other form")
