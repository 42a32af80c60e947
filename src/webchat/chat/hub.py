"""Who is here and which logs they follow; every entry passes here on its way to their devices.

It holds per log the last `Seq` it passed on: an entry that is next goes out, a lower one is a
copy, a higher one shows a gap, which is read from the log first (docs/architecture.md, "Repair").
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import TYPE_CHECKING, Any

import structlog

from webchat.chat.packets import entry_packet
from webchat.chat.topics import ENTRY, topics_of
from webchat.errors import WebchatError
from webchat.model import NO_HEAD, ConvID, Entry, Head, Seq, Uid, pair_of, user_log, user_of
from webchat.ports.bus import Bus
from webchat.ports.clock import Clock
from webchat.ports.log import Log
from webchat.ports.members import Members

if TYPE_CHECKING:
    from webchat.chat.device import Device

Spawn = Callable[[Coroutine[Any, Any, None]], object]
_REPAIR_PAGE = 200
RETRY_S = 1.0
_log = structlog.get_logger()


class HeldLog:
    """A log that somebody here follows. `last`, `n`, `at`: of the last entry passed on."""

    __slots__ = ("at", "conv", "last", "n", "seen", "users")

    def __init__(self, conv: ConvID, head: Head) -> None:
        self.conv = conv
        self.last: Seq = head.last
        self.n = head.n
        self.at = head.at
        self.seen: Seq = head.last
        self.users: list[User] = []


class User:
    """A user with at least one device here, and the logs it follows."""

    __slots__ = ("arrival", "devices", "logs", "noted", "uid")

    def __init__(self, uid: Uid) -> None:
        self.uid = uid
        self.devices: list[Device] = []
        self.logs: dict[ConvID, HeldLog] = {}
        self.arrival: asyncio.Task[None] | None = None
        self.noted: dict[ConvID, Head] = {}
        """While arriving: heads of logs that moved after they may have been read."""


class Hub:
    """Users, held logs and their fan-out. All calls on the loop's thread."""

    def __init__(self, log: Log, members: Members, bus: Bus, clock: Clock, spawn: Spawn) -> None:
        self._log = log
        self._members = members
        self._bus = bus
        self._clock = clock
        self._spawn = spawn
        self.users: dict[Uid, User] = {}
        self.logs: dict[ConvID, HeldLog] = {}
        self._origins: dict[tuple[ConvID, Seq], tuple[Device, int]] = {}
        """Who waits for the ack of an entry that came before a gap was closed."""

    # Coming and going

    async def arrive(self, uid: Uid) -> User:
        """The user, following all its logs. Raises WebchatError(UNAVAILABLE)."""
        while True:
            user = self.users.get(uid)
            if user is None:
                user = self.users[uid] = User(uid)
                user.arrival = asyncio.ensure_future(self._follow_logs(user))
            if user.arrival is not None:
                await asyncio.shield(user.arrival)
            if self.users.get(uid) is user:
                return user

    async def _follow_logs(self, user: User) -> None:
        try:
            await self._bus.subscribe(user_log(user.uid))
            memberships = await self._members.of_user(user.uid)
            convs = [row.conv for row in memberships if row.until is None]
            convs.append(user_log(user.uid))
            heads = dict(await self._log.heads(convs))
        except BaseException:
            user.arrival = None
            self._forget(user)
            raise
        for conv in convs:
            self._follow(user, conv, heads.get(conv, NO_HEAD))
        for conv, head in user.noted.items():
            self._follow(user, conv, head)
        user.noted = {}
        user.arrival = None

    def _follow(self, user: User, conv: ConvID, head: Head) -> HeldLog:
        held = self.logs.get(conv)
        if held is None:
            held = self.logs[conv] = HeldLog(conv, head)
        elif not held.users and head.last > held.last:
            held.last, held.n, held.at = head.last, head.n, head.at
        if conv not in user.logs:
            user.logs[conv] = held
            held.users.append(user)
        return held

    def add(self, user: User, device: Device) -> None:
        """A device of an arrived user is live from now on."""
        user.devices.append(device)

    def leave(self, user: User, device: Device) -> None:
        """A device is gone."""
        if device in user.devices:
            user.devices.remove(device)
        self.release(user)

    def release(self, user: User) -> None:
        """Let go of a user without a device."""
        if not user.devices and user.arrival is None:
            self._forget(user)

    def _forget(self, user: User) -> None:
        if self.users.get(user.uid) is not user:
            return
        del self.users[user.uid]
        for held in user.logs.values():
            held.users.remove(user)
            if not held.users:
                del self.logs[held.conv]
        user.logs = {}
        self._bus.unsubscribe(user_log(user.uid))

    def devices_of(self, uid: Uid) -> Iterable[Device]:
        """The live devices of a user here."""
        user = self.users.get(uid)
        return user.devices if user is not None else ()

    # Entries

    def publish(self, entry: Entry) -> None:
        """Tell the other nodes of an entry."""
        payload = ENTRY + entry.envelope
        for topic in topics_of(entry.conv):
            self._bus.publish(topic, payload)

    def pass_on(self, entry: Entry, origin: Device | None = None, ack_id: int = -1) -> None:
        """Bring an entry to every device here that follows its log, once and in order.

        `origin` asked for an ack, which takes the entry's place for that device.
        """
        held = self.logs.get(entry.conv) or self._begin_to_follow(entry)
        if held is None or entry.seq <= held.last:
            if origin is not None:
                origin.place_ack(held, entry, ack_id)
        elif entry.seq == held.last + 1:
            self._fan_out(held, entry, origin, ack_id)
        else:
            if origin is not None:
                self._origins[entry.conv, entry.seq] = (origin, ack_id)
            self._close_gap(held, entry.seq)

    def _fan_out(self, held: HeldLog, entry: Entry, origin: Device | None, ack_id: int) -> None:
        held.last = entry.seq
        held.n = entry.n
        held.at = entry.at
        if held.seen < entry.seq:
            held.seen = entry.seq
        packet = entry_packet(entry)
        for user in held.users:
            for device in user.devices:
                if device is origin:
                    device.place_ack(held, entry, ack_id)
                else:
                    device.receive(held, entry, packet)

    def _begin_to_follow(self, entry: Entry) -> HeldLog | None:
        """An entry of a log nobody here followed: new to its people, if any of them are here."""
        before = Head(entry.seq - 1, entry.n - (entry.kind == "message"), entry.at, 0)
        held: HeldLog | None = None
        for uid in _people_of(entry.conv):
            user = self.users.get(uid)
            if user is None:
                continue
            if user.arrival is not None:
                user.noted[entry.conv] = Head(entry.seq, entry.n, entry.at, 0)
            else:
                held = self._follow(user, entry.conv, before)
        return held

    def _close_gap(self, held: HeldLog, seq: Seq) -> None:
        idle = held.seen <= held.last
        held.seen = max(held.seen, seq)
        if idle:
            self._spawn(self._read_gap(held))

    async def _read_gap(self, held: HeldLog) -> None:
        while held.last < held.seen and self.logs.get(held.conv) is held:
            try:
                entries = await self._log.read(held.conv, held.last, _REPAIR_PAGE)
            except WebchatError:
                _log.warning("gap not read yet", conv=held.conv, after=held.last)
                await pause(self._clock, RETRY_S)
                continue
            if not entries:
                held.seen = held.last
            for entry in entries:
                if entry.seq == held.last + 1:
                    origin = self._origins.pop((held.conv, entry.seq), (None, -1))
                    self._fan_out(held, entry, *origin)


def _people_of(conv: ConvID) -> tuple[Uid, ...]:
    """Who takes part in a pair, or whose log it is; nobody known from the id of a group."""
    pair = pair_of(conv)
    if pair is not None:
        return pair if pair[0] != pair[1] else pair[:1]
    owner = user_of(conv)
    return (owner,) if owner is not None else ()


async def pause(clock: Clock, delay_s: float) -> None:
    """Wait by the product's own clock."""
    over = asyncio.Event()
    timer = clock.call_later(delay_s, over.set)
    try:
        await over.wait()
    finally:
        timer.cancel()
