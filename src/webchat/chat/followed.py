"""The logs that somebody on this node follows, and the users who follow them.

Of messages that are held for a group which the server does not know (`ports/held.py`), a user's
`holds` names the groups.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

import msgspec

from webchat.model import GROUP_PREFIX, ConvID, Head, Position, Seq, Uid, user_log
from webchat.service.standing import Standing

if TYPE_CHECKING:
    from webchat.chat.acks import OwnAck
    from webchat.chat.device import Device

NOTHING: Final = cast("dict[ConvID, Any]", MappingProxyType({}))
"""Of what most users and devices have nothing: whoever adds to it begins a dict of its own."""


def followed_log(conv: ConvID, head: Head) -> FollowedLog:
    """A log that somebody begins to follow, from `head` on."""
    kind = FollowedGroup if conv.startswith(GROUP_PREFIX) else FollowedLog
    return kind(conv, head.last, head.n, head.at)


_EXACT_FOR_MS: Final = 3_600_000
_ABOUT_MS: Final = 600_000
"""How exact a time is kept that is longer ago than that."""


class FollowedLog(msgspec.Struct, eq=False, gc=False):
    """A log that somebody here follows. `last`, `n`, `at`: of the last entry passed on, a time that
    orders backlogs and is less exact when it is long ago; `gap`: what has been heard of beyond
    that, None if nothing.

    Most are of pairs, twenty to a connection: so the collector has none of them to look at (but by
    a gap, while it lasts, nothing leads back to a log), and who follows is named by a tuple of ids,
    one for all the logs that a user alone follows.
    """

    conv: ConvID
    last: Seq
    n: int
    at: int
    gap: Gap | None = None
    users: dict[Uid, None] | tuple[Uid, ...] = ()

    is_group: ClassVar = False
    changed: ClassVar[Seq] = 0

    @property
    def seen(self) -> Seq:
        """The highest `Seq` heard of: beyond `last` while a gap is being read."""
        return self.last if self.gap is None else self.gap.seen

    def lets_write(self, uid: Uid) -> bool:
        """Whether this member is known to be allowed to write; False: ask the store."""
        return False

    def learn(self, standing: Standing) -> None:
        """What was read of a group, if nothing that changed it was passed on since."""

    def change_members(self, seq: Seq) -> None:
        """The entry `seq` says who is in a group from there on."""

    def forget_rules(self, seq: Seq) -> None:
        """The entry `seq` says who may write in a group from there on."""

    def add(self, user: User) -> None:
        """The user follows this log, and did not."""
        self.users = (*self.users, user.uid) if self.users else user.alone

    def forget(self, user: User, users: Mapping[Uid, User]) -> None:
        """The user follows this log no more. `users`: all who are here."""
        others = tuple(uid for uid in self.users if uid != user.uid)
        self.users = users[others[0]].alone if len(others) == 1 else others


def round_times(logs: Iterable[FollowedLog], now_ms: int) -> None:
    """Let those in which nothing was said for long share the time with others of about the same
    one: it would be 32 bytes for each conversation of all who are here."""
    exact_from_ms = now_ms - _EXACT_FOR_MS
    for log in logs:
        if log.at < exact_from_ms:
            log.at = _about(log.at // _ABOUT_MS)


@lru_cache(maxsize=65_536)
def _about(number: int) -> int:
    """The beginning of one of the intervals that times are rounded to, in ms."""
    return number * _ABOUT_MS


class FollowedGroup(FollowedLog):
    """The log of a group. Who may write in it, where it was looked up since the entry `since`
    changed it: everybody who is in it (`is_open`), or `writers`. `changed`: the newest entry passed
    on that says who is in it, or may write."""

    users: dict[Uid, None] = msgspec.field(default_factory=dict)
    since: Seq = 0
    changed: Seq = 0  # type: ignore[misc]
    is_open: bool = False
    writers: set[Uid] = msgspec.field(default_factory=set)

    is_group: ClassVar = True

    def lets_write(self, uid: Uid) -> bool:
        """Whether this member is known to be allowed to write."""
        return self.is_open or uid in self.writers

    def learn(self, standing: Standing) -> None:
        """What was read of the group, if nothing that changed it was passed on since."""
        if standing.head.last >= self.since:
            self.is_open = standing.all_may_write
            if standing.may_write:
                self.writers.add(standing.uid)

    def change_members(self, seq: Seq) -> None:
        """The entry `seq` says who is in it from there on."""
        self.changed = seq

    def forget_rules(self, seq: Seq) -> None:
        """The entry `seq` says who may write from there on."""
        self.changed = self.since = seq
        self.is_open, self.writers = False, set()

    def add(self, user: User) -> None:
        """The user follows this log, and did not."""
        self.users[user.uid] = None

    def forget(self, user: User, users: Mapping[Uid, User]) -> None:
        """The user follows this log no more."""
        del self.users[user.uid]
        self.writers.discard(user.uid)


class Gap:
    """Entries up to `seen` are in a log, and some of them have not come by; `acks`: by `Seq`, those
    of entries that came before the ones between: more than one where it was sent again."""

    __slots__ = ("acks", "seen")

    def __init__(self, seen: Seq) -> None:
        self.seen = seen
        self.acks: dict[Seq, tuple[OwnAck, ...]] = {}


class Arrival:
    """What a user missed while its logs were being read.

    `noted`: the logs it came into, or the `Seq` by which it left that group. `misses_something`:
    logs may have moved after their heads were read, beside those that the roster has noted. The
    user's first device reads; the others wait until that is `over`.
    """

    __slots__ = ("_over", "misses_something", "noted")

    def __init__(self) -> None:
        self.noted: dict[ConvID, Head | Seq] = {}
        self.misses_something = False
        self._over: asyncio.Future[None] | None = None

    async def over(self) -> None:
        """Return when the user has arrived, or the first device was cut off meanwhile. Raises what
        the reading was refused with."""
        if self._over is None:
            self._over = asyncio.get_running_loop().create_future()
        await asyncio.shield(self._over)  # for all who wait

    def end(self, error: BaseException | None) -> None:
        """The reading is over."""
        if self._over is None:
            return
        if isinstance(error, Exception):
            self._over.set_exception(error)
        else:
            self._over.set_result(None)


CameIn = Callable[["User", ConvID], None]
"""Called with a user who has come into a group."""


class User:
    """A user with at least one device here.

    `logs`: what it follows. `left`: groups it was in, with its own last `Seq` in them.
    `unreadable`: logs of its that could not be read when it came, and so are not followed. `told`:
    positions of its own that its devices were told last. `own`: the ConvID of its own log. `alone`:
    its `uid`, for logs that nobody else here follows. `holds`: groups that messages of its own may
    be held for (open mode), and who is to hear that it comes into them.
    """

    __slots__ = (
        "alone", "devices", "holds", "left", "logs", "own", "told", "uid", "unreadable",
    )  # fmt: skip

    def __init__(self, uid: Uid) -> None:
        self.uid = uid
        self.own = user_log(uid)
        self.alone = (uid,)
        self.devices: tuple[Device, ...] = ()
        self.logs: dict[ConvID, FollowedLog] = {}
        self.left: dict[ConvID, Seq] = NOTHING
        self.unreadable: AbstractSet[ConvID] = frozenset()
        self.told: dict[ConvID, Position] = NOTHING
        self.holds: dict[ConvID, CameIn] = NOTHING

    def leave(self, conv: ConvID, seq: Seq) -> None:
        """It has left a group by the entry `seq`."""
        self.left = self.left or {}
        self.left[conv] = seq

    def come_back(self, conv: ConvID) -> None:
        """It is in a log, whether or not it had left it."""
        if conv in self.left:
            del self.left[conv]

    def hold(self, conv: ConvID, came_in: CameIn) -> None:
        """A message of its own may be held for a group."""
        self.holds = self.holds or {}
        self.holds[conv] = came_in

    def let_go(self, conv: ConvID) -> None:
        """None is any more."""
        if conv in self.holds:
            del self.holds[conv]
