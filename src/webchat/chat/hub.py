"""Every entry passes here on its way to the devices of those who follow its log.

Per held log the last `Seq` passed on is known: an entry that is next goes out, a lower one is a
copy, a higher one shows a gap, which is read from the log first (docs/architecture.md).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from webchat.chat.device import Device
from webchat.chat.packets import entry_packet
from webchat.chat.patience import insist
from webchat.chat.roster import HeldLog, Roster, User
from webchat.chat.stats import Stats
from webchat.chat.topics import ENTRY, topics_of
from webchat.model import NO_HEAD, ConvID, Entry, Head, Seq, Uid, is_group, pair_of, user_of
from webchat.ports.bus import Bus
from webchat.ports.clock import Clock
from webchat.ports.log import Log
from webchat.service.membership import COMING, LEAVING, RULING, coming_in, leaving

Spawn = Callable[[Coroutine[Any, Any, None]], object]
_REPAIR_PAGE = 200
_HEADS_PAGE = 1_000
_MEMBERSHIP = COMING | LEAVING


class Hub:
    """The fan-out of one node. All calls on the loop's thread.

    `wake`: called with a device that has fallen behind in a log.
    """

    def __init__(
        self, roster: Roster, log: Log, bus: Bus, clock: Clock, spawn: Spawn, stats: Stats
    ) -> None:
        self.roster = roster
        self._stats = stats
        self._log = log
        self._bus = bus
        self._clock = clock
        self._spawn = spawn
        self.wake: Callable[[Device], None] = lambda _: None
        self._origins: dict[tuple[ConvID, Seq], tuple[Device, int | None]] = {}
        """Who sent an entry that came before a gap was closed."""

    def publish(self, entry: Entry) -> None:
        """Tell the other nodes of an entry."""
        self._bus.publish(topics_of(entry.conv), ENTRY + entry.envelope)

    def pass_on(
        self, entry: Entry, origin: Device | None = None, ack_id: int | None = None
    ) -> None:
        """Bring an entry to every device here that follows its log, once and in order.

        For `origin`, which sent it, its ack takes the entry's place.
        """
        held = self.roster.logs.get(entry.conv)
        if held is None:
            self.roster.note(entry.conv, Head(entry.seq, entry.n, entry.at, 0))
            held = self._begin_to_follow(entry)
        if held is None or entry.seq <= held.last:
            if origin is not None and ack_id is not None:
                origin.place_ack(held, entry, ack_id)
        elif entry.seq == held.last + 1:
            self._fan_out(held, entry, origin, ack_id)
        else:
            if origin is not None:
                self._origins[entry.conv, entry.seq] = (origin, ack_id)
            self.close_gap(held, entry.seq)

    def _fan_out(
        self, held: HeldLog, entry: Entry, origin: Device | None, ack_id: int | None
    ) -> None:
        if entry.kind in _MEMBERSHIP:
            self._let_in(entry)
        elif entry.kind in RULING:
            held.forget_rules(entry.seq)
        held.last = entry.seq
        held.n = entry.n
        held.at = entry.at
        if held.seen < entry.seq:
            held.seen = entry.seq
        packet = entry_packet(entry)
        copies = 0
        for user in held.users:
            for device in user.devices:
                copies += 1
                if device is origin:
                    device.sent_it(held, entry, packet, ack_id)
                else:
                    device.receive(held, entry, packet)
        self._stats.passed_on += 1
        self._stats.copies += copies
        if entry.kind in _MEMBERSHIP:
            self._let_out(held, entry)
        elif entry.kind == "conversation":
            self._follow_user_log(entry)

    # Coming and going

    def _begin_to_follow(self, entry: Entry) -> HeldLog | None:
        """An entry of a log nobody here followed: new to its people, if any of them are here."""
        held: HeldLog | None = None
        for uid in _people_of(entry):
            held = self._come_in(uid, entry) or held
        return held

    def _let_in(self, entry: Entry) -> None:
        for uid in coming_in(entry):
            self._come_in(uid, entry)

    def _come_in(self, uid: Uid, entry: Entry) -> HeldLog | None:
        """`entry` is the first that this user may see, or sees again."""
        user = self.roster.users.get(uid)
        if user is None:
            return None
        if user.arrival is not None:
            user.noted[entry.conv] = Head(entry.seq, entry.n, entry.at, 0)
            return None
        if entry.conv in user.logs:
            return user.logs[entry.conv]
        held = self.roster.follow(user, entry.conv, _before(entry))
        for device in user.devices:
            device.come_in(held)
            self.wake(device)
        if is_group(entry.conv):
            self._spawn(self._watch(held))
        return held

    def _let_out(self, held: HeldLog, entry: Entry) -> None:
        """Whoever leaves by `entry` has got it; nothing after it is for them."""
        for uid in leaving(entry):
            user = self.roster.users.get(uid)
            if user is None:
                continue
            if user.arrival is not None:
                user.noted[entry.conv] = None
            elif entry.conv in user.logs:
                self._leave(user, held, entry)

    def _leave(self, user: User, held: HeldLog, entry: Entry) -> None:
        end = Head(entry.seq, entry.n, entry.at, 0)
        for device in user.devices:
            device.end(held.conv, end)
        self.roster.unfollow(user, held.conv)
        user.left[held.conv] = entry.seq

    async def _watch(self, held: HeldLog) -> None:
        """A group newly followed: once its channel is held, what came before that is read."""
        conv = held.conv
        await insist(self._clock, lambda: self._bus.subscribe(conv), "subscribing", conv=conv)
        if self.roster.wants(conv):
            await insist(self._clock, lambda: self.compare(held), "comparing", conv=conv)
        else:
            self._bus.unsubscribe(conv)

    def recover(self) -> None:
        """The bus is back: what other nodes appended meanwhile is read from the logs."""
        self._spawn(self._recover())

    async def _recover(self) -> None:
        held = list(self.roster.logs.values())
        for start in range(0, len(held), _HEADS_PAGE):
            page = {log.conv: log for log in held[start : start + _HEADS_PAGE]}
            heads = await insist(self._clock, partial(self._log.heads, list(page)), "recovering")
            for conv, head in heads.items():
                if self.roster.logs.get(conv) is page[conv]:
                    self.close_gap(page[conv], head.last)

    async def compare(self, held: HeldLog) -> None:
        """Read what the log has and this node has not passed on."""
        heads = await self._log.heads([held.conv])
        head = heads.get(held.conv, NO_HEAD)
        if head.last > held.last and self.roster.logs.get(held.conv) is held:
            self.close_gap(held, head.last)

    def _follow_user_log(self, entry: Entry) -> None:
        """A user's log says it is in a log that no entry here has brought it into."""
        said = json.loads(json.loads(entry.envelope)["Body"])
        conv, user = said["Conv"], self.roster.users.get(user_of(entry.conv) or "")
        if user is None or user.arrival is not None:
            return
        if said["state"] == "left":
            if conv in user.logs:
                self.close_gap(user.logs[conv], said["Seq"])
        elif conv not in user.logs and said["Seq"] > user.left.get(conv, 0):
            self._spawn(self._come_in_late(user, conv, said["Seq"]))

    async def _come_in_late(self, user: User, conv: ConvID, seq: Seq) -> None:
        heads = await insist(
            self._clock, lambda: self._log.heads([conv]), "reading a head", conv=conv
        )
        if conv in user.logs or self.roster.users.get(user.uid) is not user:
            return
        held = self.roster.follow(user, conv, heads.get(conv, NO_HEAD))
        for device in user.devices:
            device.come_in_late(held, seq)
            self.wake(device)
        if is_group(conv):
            await self._watch(held)

    # Gaps

    def close_gap(self, held: HeldLog, seq: Seq) -> None:
        """Entries up to `seq` are in the log and have not come by."""
        idle = held.seen <= held.last
        held.seen = max(held.seen, seq)
        if idle and held.seen > held.last:
            self._spawn(self._read_gap(held))

    async def _read_gap(self, held: HeldLog) -> None:
        self._stats.repairs += 1
        while held.last < held.seen and self.roster.logs.get(held.conv) is held:
            entries = await insist(
                self._clock,
                lambda: self._log.read(held.conv, held.last, _REPAIR_PAGE),
                "reading a gap",
                conv=held.conv,
            )
            if not entries:
                held.seen = held.last
            for entry in entries:
                if entry.seq == held.last + 1:
                    origin = self._origins.pop((held.conv, entry.seq), (None, None))
                    self._fan_out(held, entry, *origin)


def _before(entry: Entry) -> Head:
    """Where a log is for who comes into it by `entry`; a pair is in its own from the start."""
    if not is_group(entry.conv):
        return NO_HEAD
    return Head(entry.seq - 1, entry.n - (entry.kind == "message"), entry.at, 0)


def _people_of(entry: Entry) -> tuple[Uid, ...]:
    """Who takes part in a pair, whose log it is, or who comes into a group by this entry."""
    pair = pair_of(entry.conv)
    if pair is not None:
        return pair if pair[0] != pair[1] else pair[:1]
    owner = user_of(entry.conv)
    return (owner,) if owner is not None else tuple(coming_in(entry))
