"""Every entry passes here on its way to the devices of those who follow its log.

Per held log the last `Seq` passed on is known: an entry that is next goes out, a lower one is a
copy, a higher one shows a gap, which is read from the log first (docs/architecture.md).
"""

from __future__ import annotations

import json
from collections.abc import Callable

from webchat.chat.acks import OwnAck
from webchat.chat.comparing import Comparing
from webchat.chat.device import Device
from webchat.chat.gaps import Gaps
from webchat.chat.held import Gap, HeldLog, User
from webchat.chat.packets import entry_packet
from webchat.chat.patience import Patience
from webchat.chat.roster import Roster
from webchat.chat.stats import Stats
from webchat.chat.tasks import Spawn
from webchat.model import NO_HEAD, ConvID, Entry, Head, Seq, Uid, is_group, pair_of, user_of
from webchat.ports.log import Log
from webchat.service.membership import COMING, LEAVING, RULING, coming_in, leaving
from webchat.service.send import KIND as MESSAGE

_MEMBERSHIP = COMING | LEAVING


class Hub:
    """The fan-out of one node. All calls on the loop's thread.

    `wake`: called with a device that has fallen behind in a log.
    """

    def __init__(
        self,
        roster: Roster,
        log: Log,
        gaps: Gaps,
        comparing: Comparing,
        patience: Patience,
        spawn: Spawn,
        stats: Stats,
    ) -> None:
        self.roster = roster
        self._log = log
        self._gaps = gaps
        self._comparing = comparing
        self._patience = patience
        self._spawn = spawn
        self._stats = stats
        self.wake: Callable[[Device], None] = lambda _: None
        gaps.pass_on = self._fan_out
        gaps.meet = self.pass_on

    def heard(self, entry: Entry) -> None:
        """Another node published an entry. It may be one that a connection here had appended, and
        that its next connection sent again there."""
        self.pass_on(entry, self._gaps.ack_in_flight(entry))

    def heard_of(self, conv: ConvID, seq: Seq) -> None:
        """A log goes up to `seq`."""
        held = self.roster.logs.get(conv)
        if held is None:
            self.roster.arrivals_miss_something()
            held = self._begin_to_follow_pair(conv)
        if held is not None and seq > held.last:
            self._gaps.close(held, seq)

    def pass_on(self, entry: Entry, ack: OwnAck | None = None) -> None:
        """Bring an entry to every device here that follows its log, once and in order.

        For the device that sent it, its ack takes the entry's place.
        """
        conv = entry.conv
        held = self.roster.logs.get(conv)
        if ack is not None and conv not in ack.device.user.logs:
            held = self._take_in(ack.device.user, held, entry)
        if held is None:
            self.roster.note(conv, Head(entry.seq, entry.n, entry.at, 0))
            held = self._begin_to_follow(entry)
        if held is not None and entry.seq == held.last + 1:
            self._fan_out(held, entry, ack)
        elif held is None or entry.seq <= held.last:
            if held is not None and entry.seq == 1:
                self._take_in_the_other(held)
            if ack is not None and ack.ack_id is not None:
                ack.device.place_ack(entry, ack)
        else:
            self._gaps.close(held, entry.seq, ack)

    def _fan_out(self, held: HeldLog, entry: Entry, ack: OwnAck | None) -> None:
        is_news = entry.kind != MESSAGE  # about the log itself, perhaps
        if is_news:
            self._come_in_by(held, entry)
        earlier: tuple[OwnAck, ...] = ()
        if held.gap is not None:
            ack, earlier = self._out_of_gap(held, held.gap, entry, ack)
        held.last = entry.seq
        held.n = entry.n
        held.at = entry.at
        packet = entry_packet(entry)
        sender = None if ack is None else ack.device
        users, copies = self.roster.users, 0
        for uid in held.users:
            devices = users[uid].devices
            copies += len(devices)
            for device in devices:
                if device is sender and ack is not None:
                    device.sent_it(held, entry, packet, ack)
                else:
                    device.receive(held, entry, packet)
        if ack is not None and ack.device.user.uid not in held.users:
            ack.device.place_ack(entry, ack)  # of a `depart` sent again, say
        for other in earlier:
            if other.ack_id is not None:
                other.device.place_ack(entry, other)
        stats = self._stats
        stats.passed_on += 1
        stats.copies += copies
        if is_news:
            self._leave_by(held, entry)

    def _out_of_gap(
        self, held: HeldLog, gap: Gap, entry: Entry, ack: OwnAck | None
    ) -> tuple[OwnAck | None, tuple[OwnAck, ...]]:
        """The next entry of a gap. Returns its ack, if a connection here had it appended, and those
        of connections before that one, which sent the same."""
        acks = gap.acks.pop(entry.seq, ())
        if ack is None and acks:
            ack, acks = acks[-1], acks[:-1]
        if gap.seen <= entry.seq and not gap.acks:
            held.gap = None
        if ack is not None and held.conv not in ack.device.user.logs:
            self._take_in(ack.device.user, held, entry)
        return ack, acks

    # Coming and going

    def _come_in_by(self, held: HeldLog, entry: Entry) -> None:
        if entry.kind in _MEMBERSHIP:
            for uid in coming_in(entry):
                self._come_in(uid, entry)
        elif entry.kind in RULING:
            held.forget_rules(entry.seq)

    def _leave_by(self, held: HeldLog, entry: Entry) -> None:
        if entry.kind in _MEMBERSHIP:
            self._let_out(held, entry)
        elif entry.kind == "conversation":
            self._follow_user_log(entry)

    def _begin_to_follow(self, entry: Entry) -> HeldLog | None:
        """An entry of a log nobody here followed: new to its people, if any of them are here."""
        held: HeldLog | None = None
        for uid in _people_of(entry):
            held = self._come_in(uid, entry) or held
        return held

    def _take_in(self, user: User, held: HeldLog | None, entry: Entry) -> HeldLog | None:
        """Somebody here has appended to a log that it was not known here to be in."""
        left = user.left.get(entry.conv, 0)
        if entry.seq <= left or not user.devices or self._comes_by_itself(user, held, entry):
            return held
        held = self.roster.follow(user, entry.conv, _before(entry))
        self._brought_in(user, held, left + 1)
        return held

    def _comes_by_itself(self, user: User, held: HeldLog | None, entry: Entry) -> bool:
        """Whether passing on what there is of a log brings this user in, or has put it out since.

        Where its entry is the newest that was counted here, because another arrived after it,
        neither is so; nobody leaves a pair.
        """
        if held is None:
            return user.uid in _people_of(entry)
        if not is_group(entry.conv):
            return False
        if entry.seq == held.last:
            return user.uid in leaving(entry)
        return entry.seq != held.last + 1 or user.uid in coming_in(entry)

    def _take_in_the_other(self, held: HeldLog) -> None:
        """The first entry of a log is met again: of two people both may be here, and only one may
        have been told of it."""
        for uid in pair_of(held.conv) or ():
            user = self.roster.users.get(uid)
            if user is not None and user.arrival is None and held.conv not in user.logs:
                self._brought_in(user, self.roster.follow(user, held.conv, NO_HEAD), 1)

    def _brought_in(self, user: User, held: HeldLog, since: Seq) -> None:
        """A user follows a log since an entry that did not come by."""
        for device in user.devices:
            device.come_in_late(held, since)
            self.wake(device)
        if is_group(held.conv):
            self._spawn(self._watch(held))

    def _begin_to_follow_pair(self, conv: ConvID) -> HeldLog | None:
        """A pair nobody here followed has news: it is new to whom of the two is here."""
        held: HeldLog | None = None
        for uid in pair_of(conv) or ():
            user = self.roster.users.get(uid)
            if user is not None and user.arrival is None:
                held = self.roster.follow(user, conv, NO_HEAD)
        return held

    def _come_in(self, uid: Uid, entry: Entry) -> HeldLog | None:
        """`entry` is the first that this user may see, or sees again."""
        user = self.roster.users.get(uid)
        if user is None:
            return None
        if user.arrival is not None:
            user.arrival.noted[entry.conv] = Head(entry.seq, entry.n, entry.at, 0)
            return None
        if entry.conv in user.logs:
            return user.logs[entry.conv]
        if entry.seq <= user.left.get(entry.conv, 0):
            return None  # met again, and it has left since
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
                user.arrival.noted[entry.conv] = entry.seq
            elif entry.conv in user.logs:
                self._leave(user, held, entry)

    def _leave(self, user: User, held: HeldLog, entry: Entry) -> None:
        end = Head(entry.seq, entry.n, entry.at, 0)
        for device in user.devices:
            device.end(held.conv, end)
        self.roster.unfollow(user, held.conv)
        user.leave(held.conv, entry.seq)

    async def _watch(self, held: HeldLog) -> None:
        """A group newly followed: once its channel is held, what came before that is read."""
        if await self.roster.hold_topic(held.conv):
            await self._comparing.compare_some([held])

    def _follow_user_log(self, entry: Entry) -> None:
        """A user's log says it is in a log that no entry here has brought it into."""
        said = json.loads(json.loads(entry.envelope)["Body"])
        conv, user = said["Conv"], self.roster.users.get(user_of(entry.conv) or "")
        if user is None or user.arrival is not None:
            return
        if said["state"] == "left":
            if conv in user.logs:
                self._let_out_late(user, user.logs[conv], said["Seq"])
        elif conv not in user.logs and said["Seq"] > user.left.get(conv, 0):
            self._spawn(self._come_in_at_last(user, conv, said["Seq"]))

    def _let_out_late(self, user: User, held: HeldLog, seq: Seq) -> None:
        """A user has left by the entry `seq`: it is still to come by, or came by before this user
        was known here to be in the log."""
        if seq > held.last:
            self._gaps.close(held, seq)
        else:
            self._spawn(self._let_out_at_last(user, held))

    async def _let_out_at_last(self, user: User, held: HeldLog) -> None:
        end = await self._patience.insist(
            lambda: self._newest_end(held.conv, user.uid), "reading a span", conv=held.conv
        )
        if end is not None and end.seq <= held.last and user.logs.get(held.conv) is held:
            self._leave(user, held, end)

    async def _newest_end(self, conv: ConvID, uid: Uid) -> Entry | None:
        """The entry by which somebody has left a log; None: it has not, or is in it again."""
        span = await self.roster.newest_span(conv, uid)
        end = await self._log.read(conv, span.until - 1, 1) if span and span.until else []
        return end[0] if end else None

    async def _come_in_at_last(self, user: User, conv: ConvID, seq: Seq) -> None:
        await self._patience.insist(
            lambda: self.come_in_late(user, conv, seq), "reading a head", conv=conv
        )

    async def come_in_late(self, user: User, conv: ConvID, seq: Seq) -> None:
        """A user came into a log by its entry `seq`, which did not come by: follow it, unless the
        user has left again.

        Raises WebchatError(UNAVAILABLE).
        """
        head = (await self._log.heads([conv])).get(conv, NO_HEAD)
        await self.roster.come_up_to({conv: head})
        end = await self._newest_end(conv, user.uid)
        if conv in user.logs or self.roster.users.get(user.uid) is not user:
            return
        if end is not None:
            self._came_and_went(user, seq, end)
        else:
            self._brought_in(user, self.roster.follow(user, conv, head), seq)

    def _came_and_went(self, user: User, since: Seq, end: Entry) -> None:
        """A user's time in a log, neither end of which came by."""
        if end.seq > user.left.get(end.conv, 0):
            user.leave(end.conv, end.seq)
            for device in user.devices:
                device.come_and_go(end.conv, Head(end.seq, end.n, end.at, 0), since)
                self.wake(device)


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
