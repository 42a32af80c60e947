"""What is held on this node: the logs that somebody here follows, and the users who follow them."""

from __future__ import annotations

import asyncio
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, cast

from webchat.model import ConvID, Head, Position, Seq, Uid, is_group, user_log
from webchat.service.standing import Standing

if TYPE_CHECKING:
    from webchat.chat.acks import OwnAck
    from webchat.chat.device import Device

NOTHING: Final = cast("dict[ConvID, Any]", MappingProxyType({}))
"""Of what most users and devices have nothing: who adds to it begins a dict of its own."""


def held_log(conv: ConvID, head: Head) -> HeldLog:
    """A log that somebody begins to follow, from `head` on."""
    return HeldGroup(conv, head) if is_group(conv) else HeldLog(conv, head)


class HeldLog:
    """A log that somebody here follows. `last`, `n`, `at`: of the last entry passed on; `gap`:
    what has been heard of beyond that, None if nothing.

    Most are of pairs, twenty to a connection: two users are a tuple, one is the tuple that all its
    logs share.
    """

    __slots__ = ("at", "conv", "gap", "last", "n", "users")

    is_group = False

    def __init__(self, conv: ConvID, head: Head) -> None:
        self.conv = conv
        self.last: Seq = head.last
        self.n = head.n
        self.at = head.at
        self.gap: Gap | None = None
        self.users: dict[User, None] | tuple[User, ...] = ()

    @property
    def seen(self) -> Seq:
        """The highest `Seq` heard of: beyond `last` while a gap is being read."""
        return self.last if self.gap is None else self.gap.seen

    def lets_write(self, uid: Uid) -> bool:
        """Whether this member is known to be allowed to write; False: ask the store."""
        return False

    def learn(self, standing: Standing) -> None:
        """What was read of a group, if nothing that changed it was passed on since."""

    def forget_rules(self, seq: Seq) -> None:
        """The entry `seq` says who may write in a group from there on."""

    def add(self, user: User) -> None:
        """The user follows this log, and did not."""
        self.users = (*self.users, user) if self.users else user.alone

    def forget(self, user: User) -> None:
        """The user follows this log no more."""
        others = tuple(other for other in self.users if other is not user)
        self.users = others[0].alone if len(others) == 1 else others


class HeldGroup(HeldLog):
    """The log of a group. Who may write in it, where it was looked up since the entry `_since`
    changed it: everybody who is in it (`_is_open`), or `_writers`."""

    __slots__ = ("_is_open", "_since", "_writers")

    is_group = True
    users: dict[User, None]

    def __init__(self, conv: ConvID, head: Head) -> None:
        super().__init__(conv, head)
        self.users = {}
        self._since = 0
        self._is_open = False
        self._writers: set[Uid] = set()

    def lets_write(self, uid: Uid) -> bool:
        """Whether this member is known to be allowed to write."""
        return self._is_open or uid in self._writers

    def learn(self, standing: Standing) -> None:
        """What was read of the group, if nothing that changed it was passed on since."""
        if standing.head.last >= self._since:
            self._is_open = standing.all_may_write
            if standing.may_write:
                self._writers.add(standing.uid)

    def forget_rules(self, seq: Seq) -> None:
        """The entry `seq` says who may write from there on."""
        self._since, self._is_open, self._writers = seq, False, set()

    def add(self, user: User) -> None:
        """The user follows this log, and did not."""
        self.users[user] = None

    def forget(self, user: User) -> None:
        """The user follows this log no more."""
        del self.users[user]
        self._writers.discard(user.uid)


class Gap:
    """Entries up to `seen` are in a log, and some of them have not come by; `acks`: by `Seq`, those
    of entries that came before the ones between: more than one where it was sent again."""

    __slots__ = ("acks", "seen")

    def __init__(self, seen: Seq) -> None:
        self.seen = seen
        self.acks: dict[Seq, tuple[OwnAck, ...]] = {}


class Arrival:
    """What a user missed while its logs were being read.

    `noted`: the logs it came into, or the `Seq` by which it left that group. `moved`: logs that
    nobody here followed and that moved after their heads may have been read; `misses_something`:
    others may have, too. `task`: the reading.
    """

    __slots__ = ("misses_something", "moved", "noted", "task")

    def __init__(self) -> None:
        self.noted: dict[ConvID, Head | Seq] = {}
        self.moved: dict[ConvID, Head] = {}
        self.misses_something = False
        self.task: asyncio.Task[None] | None = None


class User:
    """A user with at least one device here.

    `logs`: what it follows. `left`: groups it was in, with its own last `Seq` in them. `arrival`:
    while they are being read. `told`: positions of its own that its devices were told last. `own`:
    the ConvID of its own log. `alone`: it, for logs that nobody else here follows.
    """

    __slots__ = ("alone", "arrival", "devices", "left", "logs", "own", "told", "uid")

    def __init__(self, uid: Uid) -> None:
        self.uid = uid
        self.own = user_log(uid)
        self.alone: tuple[User, ...] = (self,)
        self.devices: tuple[Device, ...] = ()
        self.logs: dict[ConvID, HeldLog] = {}
        self.left: dict[ConvID, Seq] = NOTHING
        self.arrival: Arrival | None = None
        self.told: dict[ConvID, Position] = NOTHING

    def leave(self, conv: ConvID, seq: Seq) -> None:
        """It has left a group by the entry `seq`."""
        self.left = self.left or {}
        self.left[conv] = seq

    def come_back(self, conv: ConvID) -> None:
        """It is in a log, whether or not it had left it."""
        if conv in self.left:
            del self.left[conv]
