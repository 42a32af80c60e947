"""Who is here, and which logs they follow on this node."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from webchat.chat.followed import Arrival, FollowedLog, User, followed_log, round_times
from webchat.chat.tools import Tools
from webchat.chat.topics import NODES
from webchat.errors import Code, WebchatError
from webchat.model import GROUP_PREFIX, NO_HEAD, ConvID, Head, Membership, Seq, Uid
from webchat.ports.following import Followed

if TYPE_CHECKING:
    from webchat.chat.device import Device


class Roster:
    """Users and followed logs. A group's channel is held while a member of it is here.

    `arrivals`: of users whose logs are being read, what they miss meanwhile.
    `came_late`: called with a user who has arrived with heads that may have been too old.
    `came_in`: called with a log that its user came into while arriving.
    `catch_up`: reads logs that are followed here up to their ends.
    """

    def __init__(self, tools: Tools) -> None:
        self._log = tools.store.log
        self._members = tools.store.members
        self._following = tools.store.following
        self._bus = tools.bus
        self._clock = tools.clock
        self._topics: Counter[str] = Counter()
        self.users: dict[Uid, User] = {}
        self.arrivals: dict[Uid, Arrival] = {}
        self.logs: dict[ConvID, FollowedLog] = {}
        self.came_late: Callable[[User], object] = lambda _: None
        self.came_in: Callable[[FollowedLog], object] = lambda _: None
        self.catch_up: Callable[[Sequence[FollowedLog]], Awaitable[None]] = _nothing_is_behind

    async def arrive(self, uid: Uid) -> User:
        """The user, following all its logs. Raises WebchatError(UNAVAILABLE)."""
        while (user := self.users.get(uid)) is not None:
            arrival = self.arrivals.get(uid)
            if arrival is not None:
                await arrival.over()
            if self.users.get(uid) is user:
                return user
        user = self.users[uid] = User(uid)
        arrival = self.arrivals[uid] = Arrival()
        try:
            await self._follow_all(user, arrival)
        except BaseException as error:
            del self.arrivals[uid]
            del self.users[uid]
            self._drop(user.own)
            arrival.end(error)
            raise
        arrival.end(None)
        return user

    async def _follow_all(self, user: User, arrival: Arrival) -> None:
        self._want(user.own)
        await self._subscribe(user.own)
        followed = await self._following.of(user.uid)
        await self._follow_what_was_read(user, arrival, followed)

    async def _follow_what_was_read(self, user: User, arrival: Arrival, followed: Followed) -> None:
        """A pair is heard of on its people's own channels; of a group whose channel is only held
        from now on, what was read of its head may be too old."""
        present = [row.conv for row in followed.memberships if row.until is None]
        heads = dict(followed.heads)
        groups = [conv for conv in present if conv.startswith(GROUP_PREFIX)]
        for group in groups:
            self._want(group)
        try:
            if groups:
                await asyncio.gather(*map(self._subscribe, groups))
                heads.update(await self._log.heads([*groups, user.own]))
            await self.come_up_to({conv: heads.get(conv, NO_HEAD) for conv in present})
            self._begin(user, arrival, followed, heads)
        finally:
            for group in groups:
                self._drop(group)

    async def come_up_to(self, heads: Mapping[ConvID, Head]) -> None:
        """Before somebody follows logs that others here follow: what these have not been passed on
        yet may come before that user's time in them. Raises WebchatError(UNAVAILABLE)."""
        logs = [self.logs[conv] for conv in heads if conv in self.logs]
        behind = [log for log in logs if log.last < heads[log.conv].last]
        if behind:
            await self.catch_up(behind)

    def _begin(
        self, user: User, arrival: Arrival, followed: Followed, heads: dict[ConvID, Head]
    ) -> None:
        """Follow what was read, corrected by what was noted meanwhile; all in one turn.

        Its own log begins where it was before the memberships were read: what came after that may
        be news of a log that is not among them.
        """
        for conv, head in arrival.moved.items():
            heads[conv] = max(head, heads.get(conv, NO_HEAD))
        left = {row.conv: row.until for row in followed.memberships if row.until is not None}
        user.left = left or user.left
        for row in followed.memberships:
            conv = row.conv
            if row.until is None and (conv in self.logs or conv.startswith(GROUP_PREFIX)):
                self.follow(user, conv, heads.get(conv, NO_HEAD))
            elif row.until is None:
                # As `follow`, for what nobody else here follows: most of what there is, by the
                # thousand perhaps, so without calls.
                head = heads.get(conv, NO_HEAD)
                log = FollowedLog(conv, head.last, head.n, head.at, None, user.alone)
                self.logs[conv] = user.logs[conv] = log
        round_times(user.logs.values(), self._clock.now_ms())
        self.follow(user, user.own, followed.own)
        for conv, noted in arrival.noted.items():
            if isinstance(noted, Seq):
                self.unfollow(user, conv)
                user.leave(conv, noted)
            else:
                self.came_in(self.follow(user, conv, max(noted, heads.get(conv, NO_HEAD))))
        del self.arrivals[user.uid]
        if arrival.misses_something or heads.get(user.own, NO_HEAD) > followed.own:
            self.came_late(user)

    def note(self, conv: ConvID, head: Head) -> None:
        """A log that nobody here follows has moved: those who are just arriving may."""
        for arrival in self.arrivals.values():
            arrival.moved[conv] = head

    def arrivals_miss_something(self) -> None:
        """Whoever is arriving may have read its heads too early for what has been heard of now."""
        for arrival in self.arrivals.values():
            arrival.misses_something = True

    async def newest_span(self, conv: ConvID, uid: Uid) -> Membership | None:
        """The newest time of a user in a log; None: it is not known to have been in it."""
        spans = await self._members.spans(conv, uid)
        return spans[-1] if spans else None

    def follow(self, user: User, conv: ConvID, head: Head) -> FollowedLog:
        """The log, which the user follows from now on; `head`: where it is if it is new."""
        log = self.logs.get(conv)
        if log is None:
            log = self.logs[conv] = followed_log(conv, head)
        if conv not in user.logs:
            user.logs[log.conv] = log  # one text as the key for all who follow it
            log.add(user)
            if user.left:
                user.come_back(conv)
            if log.is_group:
                self._want(conv)
        return log

    def unfollow(self, user: User, conv: ConvID) -> None:
        """The user follows a log no more; harmless if it did not."""
        log = user.logs.pop(conv, None)
        if conv in user.told:
            del user.told[conv]
        if log is None:
            return
        log.forget(user, self.users)
        if not log.users:
            del self.logs[conv]
        if log.is_group:
            self._drop(conv)

    async def hold_topic(self, topic: str) -> bool:
        """Hear what others publish on `topic`, from the return on if the bus is up; False: it is
        not wanted any more."""
        await self._subscribe(topic)
        if self.wants(topic):
            return True
        self._bus.unsubscribe(topic)
        return False

    async def hear_all(self) -> None:
        """From now on, hear what others tell every node."""
        await self._subscribe(NODES)

    async def _subscribe(self, topic: str) -> None:
        """With the bus down the topic is held all the same, and comparing heads stands in."""
        try:
            await self._bus.subscribe(topic)
        except WebchatError as error:
            if error.code is not Code.UNAVAILABLE:
                raise

    def _want(self, topic: str) -> None:
        self._topics[topic] += 1

    def wants(self, topic: str) -> bool:
        """Whether anybody here follows what is published on `topic`."""
        return topic in self._topics

    def _drop(self, topic: str) -> None:
        self._topics[topic] -= 1
        if self._topics[topic] <= 0:
            del self._topics[topic]
            self._bus.unsubscribe(topic)

    def add(self, user: User, device: Device) -> None:
        """A device of an arrived user is live from now on."""
        user.devices += (device,)

    def leave(self, user: User, device: Device) -> None:
        """A device is gone."""
        user.devices = tuple(other for other in user.devices if other is not device)
        self.release(user)

    def release(self, user: User) -> None:
        """Let go of a user without a device."""
        if user.devices or user.uid in self.arrivals or self.users.get(user.uid) is not user:
            return
        del self.users[user.uid]
        for conv in list(user.logs):
            self.unfollow(user, conv)
        self._drop(user.own)

    def arrived(self, uid: Uid) -> User | None:
        """The user, if it is here and follows its logs already."""
        return self.users.get(uid) if uid not in self.arrivals else None

    def is_here(self, user: User) -> bool:
        """Whether it has not been let go of since it arrived."""
        return self.users.get(user.uid) is user

    def devices_of(self, uid: Uid) -> Iterable[Device]:
        """The live devices of a user here."""
        user = self.users.get(uid)
        return user.devices if user is not None else ()


async def _nothing_is_behind(_: Sequence[FollowedLog]) -> None:
    """Until somebody says how to catch up."""
