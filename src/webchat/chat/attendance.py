"""Lets users of this node into the logs that they are in, and out of those that they have left.

Entries that come by say so; where they do not, a user's own log does, or the store when asked.
"""

from __future__ import annotations

import json

from webchat.chat.acks import OwnAck
from webchat.chat.backlog import Backlog
from webchat.chat.comparing import Comparing
from webchat.chat.followed import FollowedLog, User
from webchat.chat.gaps import Gaps
from webchat.chat.roster import Roster
from webchat.chat.tools import Tools
from webchat.model import (
    MESSAGE,
    NO_HEAD,
    ConvID,
    Entry,
    Head,
    Seq,
    Uid,
    head_at,
    is_group,
    pair_of,
    user_of,
)
from webchat.service.membership import COMING, LEAVING, RULING, coming_in, leaving

_MEMBERSHIP = COMING | LEAVING


class Attendance:
    """All calls on the loop's thread."""

    def __init__(
        self, roster: Roster, gaps: Gaps, comparing: Comparing, backlog: Backlog, tools: Tools
    ) -> None:
        self._roster = roster
        self._log = tools.store.log
        self._members = tools.store.members
        self._gaps = gaps
        self._comparing = comparing
        self._backlog = backlog
        self._patience = tools.patience
        self._spawn = tools.spawn

    def come_in_by(self, log: FollowedLog, entry: Entry) -> None:
        """Before the next entry of a log goes out: who comes in by it is to get it, too."""
        if entry.kind in _MEMBERSHIP:
            log.change_members(entry.seq)
            for uid in coming_in(entry):
                self._come_in(uid, entry)
        elif entry.kind in RULING:
            log.forget_rules(entry.seq)

    def leave_by(self, log: FollowedLog, entry: Entry) -> None:
        """After an entry of a log went out: who leaves by it gets nothing more."""
        if entry.kind in _MEMBERSHIP:
            self._let_out(log, entry)
        elif entry.kind == "conversation":
            self._follow_user_log(entry)

    def leave_again(self, log: FollowedLog, entry: Entry) -> None:
        """An entry that was counted here comes once more: who left by it may have been taken in
        since then, from memberships that did not say so yet."""
        for uid in leaving(entry):
            user = self._roster.arrived(uid)
            if user is not None and log.conv in user.logs:
                self._let_out_late(user, log, entry.seq)

    def begin_to_follow(self, entry: Entry) -> FollowedLog | None:
        """An entry of a log nobody here followed: new to its people, if any of them are here."""
        log: FollowedLog | None = None
        for uid in _people_of(entry):
            log = self._come_in(uid, entry) or log
        return log

    def begin_to_follow_pair(self, conv: ConvID) -> FollowedLog | None:
        """A pair nobody here followed has news: it is new to whom of the two is here."""
        log: FollowedLog | None = None
        for uid in pair_of(conv) or ():
            user = self._roster.arrived(uid)
            if user is not None:
                log = self._roster.follow(user, conv, NO_HEAD)
                self._brought_in(user, log, 1)
        return log

    def take_in(self, user: User, log: FollowedLog | None, entry: Entry) -> FollowedLog | None:
        """A user here has appended to a log that this node did not know the user to be in."""
        left = user.left.get(entry.conv, 0)
        if entry.seq <= left or not user.devices or self._comes_by_itself(user, log, entry):
            return log
        log = self._roster.follow(user, entry.conv, _before(entry))
        self._brought_in(user, log, left + 1)
        return log

    def asks_first(self, log: FollowedLog, entry: Entry, ack: OwnAck) -> bool:
        """Whether the store has to be asked first, after which the ack gets its place.

        It has to if a user here appended to a group that this node did not know the user to be in,
        and that is further on by now: the user may have left it again.
        """
        user = ack.device.user
        if not is_group(entry.conv) or not user.devices:
            return False
        if not user.left.get(entry.conv, 0) < entry.seq < log.last:
            return False
        self._spawn(self._take_in_late(user, entry, ack))
        return True

    async def _take_in_late(self, user: User, entry: Entry, ack: OwnAck) -> None:
        await self._come_in_at_last(user, entry.conv, entry.seq)
        ack.device.place_ack(entry, ack)

    def take_in_the_other(self, log: FollowedLog) -> None:
        """The first entry of a log comes by again. If it is a pair's and both people are here,
        perhaps only one of them was let in the first time."""
        for uid in pair_of(log.conv) or ():
            user = self._roster.arrived(uid)
            if user is not None and log.conv not in user.logs:
                self._brought_in(user, self._roster.follow(user, log.conv, NO_HEAD), 1)

    async def come_in_late(self, user: User, conv: ConvID, seq: Seq) -> None:
        """A user came into a log by its entry `seq`, which did not come by: follow it, unless the
        user has left again.

        Raises WebchatError(UNAVAILABLE).
        """
        head = (await self._log.heads([conv])).get(conv, NO_HEAD)
        await self._gaps.come_up_to({conv: head})
        end = await self._newest_end(conv, user.uid)
        if conv in user.logs or self._roster.users.get(user.uid) is not user:
            return
        if end is not None:
            self._came_and_went(user, seq, end)
        else:
            self._brought_in(user, self._roster.follow(user, conv, head), seq)

    def _comes_by_itself(self, user: User, log: FollowedLog | None, entry: Entry) -> bool:
        """Whether passing on what there is of a log brings this user in, or has put it out since.

        Where its entry is the newest that was counted here, because another arrived after it,
        neither is so; nobody leaves a pair.
        """
        if log is None:
            return user.uid in _people_of(entry)
        if not is_group(entry.conv):
            return False
        if entry.seq == log.last:
            return user.uid in leaving(entry)
        return entry.seq != log.last + 1 or user.uid in coming_in(entry)

    def _brought_in(self, user: User, log: FollowedLog, since: Seq) -> None:
        """A user follows a log since the entry `since`: the next one, or one that did not come
        by."""
        for device in user.devices:
            device.come_in(log, since)
            self._backlog.wake(device)
        self.watch(log)
        came_in = user.holds.get(log.conv)
        if came_in is not None:
            came_in(user, log.conv)

    def _come_in(self, uid: Uid, entry: Entry) -> FollowedLog | None:
        """`entry` is the first that this user may see, or sees again."""
        user = self._roster.users.get(uid)
        if user is None:
            return None
        arrival = self._roster.arrivals.get(uid)
        if arrival is not None:
            arrival.noted[entry.conv] = head_at(entry)
            return None
        if entry.conv in user.logs:
            return user.logs[entry.conv]
        if entry.seq <= user.left.get(entry.conv, 0):
            return None  # met again, and it has left since
        log = self._roster.follow(user, entry.conv, _before(entry))
        self._brought_in(user, log, log.last + 1)
        return log

    def _let_out(self, log: FollowedLog, entry: Entry) -> None:
        """Whoever leaves by `entry` has got it; nothing after it is for them."""
        for uid in leaving(entry):
            user = self._roster.users.get(uid)
            if user is None:
                continue
            arrival = self._roster.arrivals.get(uid)
            if arrival is not None:
                arrival.noted[entry.conv] = entry.seq
            elif entry.conv in user.logs:
                self._leave(user, log, head_at(entry))

    def _leave(self, user: User, log: FollowedLog, end: Head) -> None:
        for device in user.devices:
            device.end(log.conv, end)
        self._roster.unfollow(user, log.conv)
        user.leave(log.conv, end.last)

    def watch(self, log: FollowedLog) -> None:
        """A log is newly followed: a group's channel has to be held, and may not be yet."""
        if log.is_group:
            self._spawn(self._watch(log))

    async def _watch(self, log: FollowedLog) -> None:
        """Once the group's channel is held, what came before that is read."""
        if await self._roster.hold_topic(log.conv):
            await self._comparing.compare_some([log.conv])

    def _follow_user_log(self, entry: Entry) -> None:
        """A user's log says it is in a log that no entry here has brought it into."""
        said = json.loads(json.loads(entry.envelope)["Body"])
        conv, user = said["Conv"], self._roster.arrived(user_of(entry.conv) or "")
        if user is None:
            return
        log = user.logs.get(conv)
        if said["state"] == "left":
            if log is not None:
                self._let_out_late(user, log, said["Seq"])
        # In a log that it still follows, an end of its time may have to come by before this.
        elif said["Seq"] > (user.left.get(conv, 0) if log is None else log.last):
            self._spawn(self._come_in_at_last(user, conv, said["Seq"]))

    def _let_out_late(self, user: User, log: FollowedLog, seq: Seq) -> None:
        """A user has left by the entry `seq`: it is still to come by, or came by before this user
        was known here to be in the log, in which it may be again since."""
        if seq > log.last:
            self._gaps.close(log, seq)
        elif seq == log.last:
            self._leave(user, log, Head(log.last, log.n, log.at, 0))
        else:
            self._spawn(self._let_out_at_last(user, log))

    async def _let_out_at_last(self, user: User, log: FollowedLog) -> None:
        await self._patience.insist(
            lambda: self.let_out(user, log), "reading a span", conv=log.conv
        )

    async def let_out(self, user: User, log: FollowedLog) -> None:
        """A user has left by an entry that came by before it was known here to be in the log, in
        which it may be again since. Raises WebchatError(UNAVAILABLE)."""
        end = await self._newest_end(log.conv, user.uid)
        if end is not None and end.seq <= log.last and user.logs.get(log.conv) is log:
            self._leave(user, log, head_at(end))

    async def _newest_end(self, conv: ConvID, uid: Uid) -> Entry | None:
        """The entry by which somebody has left a log; None: it has not, or is in it again."""
        spans = await self._members.spans(conv, uid)
        until = spans[-1].until if spans else None
        end = await self._log.read(conv, until - 1, 1) if until else []
        return end[0] if end else None

    async def _come_in_at_last(self, user: User, conv: ConvID, seq: Seq) -> None:
        await self._patience.insist(
            lambda: self.come_in_late(user, conv, seq), "reading a head", conv=conv
        )

    def _came_and_went(self, user: User, since: Seq, end: Entry) -> None:
        """A user's time in a log, neither end of which came by."""
        if end.seq > user.left.get(end.conv, 0):
            user.leave(end.conv, end.seq)
            for device in user.devices:
                device.come_and_go(end.conv, head_at(end), since)
                self._backlog.wake(device)


def _before(entry: Entry) -> Head:
    """Where a log is for whoever comes into it by `entry`; a pair is in its own from the start."""
    if not is_group(entry.conv):
        return NO_HEAD
    return Head(entry.seq - 1, entry.n - (entry.kind == MESSAGE), entry.at, 0)


def _people_of(entry: Entry) -> tuple[Uid, ...]:
    """Who takes part in a pair, whose log it is, or who comes into a group by this entry."""
    pair = pair_of(entry.conv)
    if pair is not None:
        return pair if pair[0] != pair[1] else pair[:1]
    owner = user_of(entry.conv)
    return (owner,) if owner is not None else tuple(coming_in(entry))
