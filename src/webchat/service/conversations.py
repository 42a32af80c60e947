"""A user's conversations, the newest first (the seed's "call log"), and one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from webchat.model import NO_POSITION, ConvID, Entry, Group, Position, Uid, pair_of
from webchat.ports.following import Following, Seen
from webchat.ports.members import Members
from webchat.ports.positions import Positions
from webchat.service.batches import read_each
from webchat.service.history import History
from webchat.service.pages import Page, activity_of, clean_limit, cursor_of, page_of
from webchat.service.profiles import Profiles


@dataclass(frozen=True, slots=True)
class Listed:
    """A conversation in its member's list. `last`: the newest entry the member may see."""

    conv: ConvID
    name: str
    last: Entry
    position: Position
    left: bool

    @property
    def unread(self) -> int:
        """Messages after the displayed position; none in one that was left."""
        return 0 if self.left else max(0, self.last.n - self.position.n)


@dataclass(frozen=True, slots=True)
class Described:
    """A conversation: its name, how many are in it (None: the asker no longer is), own role.

    `group`: what else is true of it, None for a pair and for who no longer is in it.
    """

    conv: ConvID
    name: str
    members: int | None
    role: str
    group: Group | None


class Conversations:
    """Reads only. Each method raises WebchatError(UNAVAILABLE) when the store is down."""

    def __init__(
        self,
        following: Following,
        members: Members,
        positions: Positions,
        profiles: Profiles,
        history: History,
    ) -> None:
        self._following = following
        self._members = members
        self._positions = positions
        self._profiles = profiles
        self._history = history

    async def page(self, uid: Uid, before: str | None, limit: int) -> Page[Listed, str]:
        """The user's conversations by last activity, those that were left too. BAD_REQUEST."""
        count = clean_limit(limit)
        end = None if before is None else activity_of(before)
        found = await self._following.newest(uid, end, count + 1)
        page = page_of(found, count, lambda seen: cursor_of(seen.activity))
        return Page(await self._listed(uid, page.items), page.next)

    async def one(self, uid: Uid, conv: ConvID) -> Described:
        """One conversation; of one that was left the name alone. NOT_A_MEMBER."""
        newest = (await self._history.spans(uid, conv))[-1]
        (name,) = await self._names(uid, [conv])
        if newest.until is not None:
            return Described(conv, name, None, "", None)
        group = await self._members.group(conv)
        return Described(conv, name, await self._members.count(conv), newest.role, group)

    async def _listed(self, uid: Uid, found: Sequence[Seen]) -> list[Listed]:
        convs = [seen.span.conv for seen in found]
        positions = await self._positions.of_user(uid, convs)
        return [
            Listed(
                conv,
                name,
                seen.last,
                positions.get(conv, NO_POSITION),
                left=seen.span.until is not None,
            )
            for conv, name, seen in zip(convs, await self._names(uid, convs), found, strict=True)
        ]

    async def _names(self, uid: Uid, convs: Sequence[ConvID]) -> list[str]:
        """Of each the other person's name, or the group's; without one its id."""
        others = {conv: _other(pair, uid) for conv in convs if (pair := pair_of(conv)) is not None}
        groups = [conv for conv in convs if conv not in others]
        people = await self._profiles.many(list(others.values()))
        names = {conv: people[uid].name if uid in people else uid for conv, uid in others.items()}
        for conv, group in zip(groups, await read_each(self._members.group, groups), strict=True):
            names[conv] = group.name if group is not None and group.name else conv
        return [names[conv] for conv in convs]


def _other(pair: tuple[Uid, Uid], uid: Uid) -> Uid:
    return pair[0] if pair[1] == uid else pair[1]
