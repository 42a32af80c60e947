"""Who is here, and which logs they follow on this node."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from webchat.chat.followed import Arrival, FollowedLog, User, followed_log
from webchat.chat.tools import Tools
from webchat.errors import Code, WebchatError
from webchat.model import NO_HEAD, ConvID, Head, Uid

if TYPE_CHECKING:
    from webchat.chat.device import Device

_MOVED: Final = 50_000
"""So many logs are noted for those who are arriving: somebody may be at any time."""


class Roster:
    """Users and followed logs. A group's channel is held while a member of it is here.

    `arrivals`: of users whose logs are being read (`arriving.py`), what they miss meanwhile.
    `moved`: logs that nobody here followed and that moved while somebody was arriving, which may
    have read their heads before.
    `snapshots`: those that are being read (`snapshots.py`), by conversation and whom they are for,
    and whether they are overtaken.
    """

    def __init__(self, tools: Tools) -> None:
        self._bus = tools.bus
        self._topics: Counter[str] = Counter()
        self.users: dict[Uid, User] = {}
        self.arrivals: dict[Uid, Arrival] = {}
        self.moved: dict[ConvID, Head] = {}
        self.snapshots: dict[tuple[ConvID, Uid], bool] = {}
        self.logs: dict[ConvID, FollowedLog] = {}

    def note(self, conv: ConvID, head: Head) -> None:
        """A log that nobody here follows has moved: those who are just arriving may."""
        if not self.arrivals:
            return
        if len(self.moved) >= _MOVED:
            self.moved.clear()
            self.arrivals_miss_something()
        self.moved[conv] = max(head, self.moved.get(conv, NO_HEAD))

    def arrivals_miss_something(self) -> None:
        """Whoever is arriving may have read its heads too early for what has been heard of now."""
        for arrival in self.arrivals.values():
            arrival.misses_something = True

    def overtake_snapshot(self, conv: ConvID, uid: Uid) -> None:
        """The user is told of receipts there, which a snapshot that is being read may lack."""
        if (conv, uid) in self.snapshots:
            self.snapshots[conv, uid] = True

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
                self.want(conv)
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
            if self.arrivals:
                self._note_end_of(log)
        if log.is_group:
            self.drop(conv)

    def _note_end_of(self, log: FollowedLog) -> None:
        """What came while it was followed was not noted for those who are arriving."""
        self.note(log.conv, Head(log.last, log.n, log.at, 0))
        if log.gap is not None:
            self.arrivals_miss_something()

    async def hold_topic(self, topic: str) -> bool:
        """Hear what others publish on `topic`, from the return on if the bus is up; False: it is
        not wanted any more."""
        await self.subscribe(topic)
        if self.wants(topic):
            return True
        self._bus.unsubscribe(topic)
        return False

    async def subscribe(self, topic: str) -> None:
        """Hear what others publish on `topic`. With the bus down it is held all the same, and
        comparing heads stands in."""
        try:
            await self._bus.subscribe(topic)
        except WebchatError as error:
            if error.code is not Code.UNAVAILABLE:
                raise

    def want(self, topic: str) -> None:
        """Somebody here follows what is published on `topic`, once more than before."""
        self._topics[topic] += 1

    def wants(self, topic: str) -> bool:
        """Whether anybody here follows what is published on `topic`."""
        return topic in self._topics

    def drop(self, topic: str) -> None:
        """Once less: when nobody is left, it is not heard any more."""
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
        for conv, log in list(user.logs.items()):
            if log.users is user.alone and not self.arrivals:
                # As `unfollow`, for what nobody else here follows: most, and without calls.
                log.users = ()
                del self.logs[conv], user.logs[conv]
            else:
                self.unfollow(user, conv)
        self.drop(user.own)

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
