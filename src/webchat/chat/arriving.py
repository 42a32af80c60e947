"""A user's first device comes: what the user is in is read, and followed from then on.

Source: docs/architecture.md, "One connection".
"""

from __future__ import annotations

import asyncio

from webchat.chat.attendance import Attendance
from webchat.chat.comparing import Comparing
from webchat.chat.followed import Arrival, FollowedLog, User, round_times
from webchat.chat.gaps import Gaps
from webchat.chat.roster import Roster
from webchat.chat.tools import Tools
from webchat.model import GROUP_PREFIX, NO_HEAD, ConvID, Head, Seq, Uid
from webchat.ports.following import Followed


class Arriving:
    """Brings users into the roster. Of devices that come together the first one reads."""

    def __init__(
        self,
        roster: Roster,
        gaps: Gaps,
        comparing: Comparing,
        attendance: Attendance,
        tools: Tools,
    ) -> None:
        self._roster = roster
        self._gaps = gaps
        self._comparing = comparing
        self._attendance = attendance
        self._log = tools.store.log
        self._following = tools.store.following
        self._clock = tools.clock
        self._spawn = tools.spawn

    async def arrive(self, uid: Uid) -> User:
        """The user, following all its logs. Raises WebchatError(UNAVAILABLE)."""
        roster = self._roster
        while (user := roster.users.get(uid)) is not None:
            arrival = roster.arrivals.get(uid)
            if arrival is not None:
                await arrival.over()
            if roster.users.get(uid) is user:
                return user
        user = roster.users[uid] = User(uid)
        arrival = roster.arrivals[uid] = Arrival()
        try:
            await self._follow_all(user, arrival)
        except BaseException as error:
            del roster.arrivals[uid]
            del roster.users[uid]
            roster.drop(user.own)
            arrival.end(error)
            raise
        finally:
            if not roster.arrivals:
                roster.moved = {}
        arrival.end(None)
        return user

    async def _follow_all(self, user: User, arrival: Arrival) -> None:
        self._roster.want(user.own)
        await self._roster.subscribe(user.own)
        followed = await self._following.of(user.uid)
        await self._follow_what_was_read(user, arrival, followed)

    async def _follow_what_was_read(self, user: User, arrival: Arrival, followed: Followed) -> None:
        """A pair is heard of on its people's own channels; of a group whose channel is only held
        from now on, what was read of its head may be too old."""
        present = [row.conv for row in followed.memberships if row.until is None]
        heads = dict(followed.heads)
        groups = [conv for conv in present if conv.startswith(GROUP_PREFIX)]
        for group in groups:
            self._roster.want(group)
        try:
            if groups:
                await asyncio.gather(*map(self._roster.subscribe, groups))
                own = () if user.own in followed.unreadable else (user.own,)
                heads.update(await self._log.heads([*groups, *own]))
            if known := self._roster.logs.keys() & present:
                await self._gaps.come_up_to({conv: heads.get(conv, NO_HEAD) for conv in known})
            self._begin(user, arrival, followed, heads)
        finally:
            for group in groups:
                self._roster.drop(group)

    def _begin(
        self, user: User, arrival: Arrival, followed: Followed, heads: dict[ConvID, Head]
    ) -> None:
        """Follow what was read, corrected by what was noted meanwhile; all in one turn.

        Its own log begins where it was before the memberships were read: what came after that may
        be news of a log that is not among them.
        """
        roster = self._roster
        if moved := roster.moved:
            for conv in (user.own, *arrival.noted, *(row.conv for row in followed.memberships)):
                if conv in moved:
                    heads[conv] = max(moved[conv], heads.get(conv, NO_HEAD))
        left = {row.conv: row.until for row in followed.memberships if row.until is not None}
        user.left = left or user.left
        user.unreadable = followed.unreadable
        for row in followed.memberships:
            conv = row.conv
            if row.until is None and (conv in roster.logs or conv.startswith(GROUP_PREFIX)):
                roster.follow(user, conv, heads.get(conv, NO_HEAD))
            elif row.until is None:
                # As `Roster.follow`, for what nobody else here follows: most of what there is, by
                # the thousand perhaps, so without calls.
                head = heads.get(conv, NO_HEAD)
                log = FollowedLog(conv, head.last, head.n, head.at, None, user.alone)
                roster.logs[conv] = user.logs[conv] = log
        round_times(user.logs.values(), self._clock.now_ms())
        if user.own not in followed.unreadable:
            roster.follow(user, user.own, followed.own)
        for conv, noted in arrival.noted.items():
            if isinstance(noted, Seq):
                roster.unfollow(user, conv)
                user.leave(conv, noted)
            else:
                log = roster.follow(user, conv, max(noted, heads.get(conv, NO_HEAD)))
                self._attendance.watch(log)
        del roster.arrivals[user.uid]
        if arrival.misses_something or heads.get(user.own, NO_HEAD) > followed.own:
            self._spawn(self._comparing.compare_some(list(user.logs)))
