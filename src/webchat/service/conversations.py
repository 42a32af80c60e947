"""A user's conversations, the newest first (the seed's "call log"), and one of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from heapq import nlargest

from webchat.model import (
    NO_POSITION,
    ConvID,
    Entry,
    Group,
    Membership,
    Position,
    Uid,
    pair_of,
)
from webchat.ports.log import Log
from webchat.ports.members import Members
from webchat.ports.positions import Positions
from webchat.service.batches import read_each
from webchat.service.history import History
from webchat.service.pages import Activity, Page, activity_of, clean_limit
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

    `group`: what else is true of it, None for a pair.
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
        log: Log,
        members: Members,
        positions: Positions,
        profiles: Profiles,
        history: History,
    ) -> None:
        self._log = log
        self._members = members
        self._positions = positions
        self._profiles = profiles
        self._history = history

    async def page(self, uid: Uid, before: str | None, limit: int) -> Page[Listed, str]:
        """The user's conversations by last activity, those that were left too. BAD_REQUEST."""
        count = clean_limit(limit)
        end = None if before is None else activity_of(before)
        spans = {span.conv: span for span in await self._members.of_user(uid)}
        places = await self._places(spans.values())
        wanted = nlargest(count + 1, [place for place in places if end is None or place < end])
        shown = [spans[place.conv] for place in wanted[:count]]
        more = len(wanted) > count
        return Page(await self._listed(uid, shown), wanted[count - 1].as_cursor() if more else None)

    async def one(self, uid: Uid, conv: ConvID) -> Described:
        """One conversation, also one that was left. NOT_A_MEMBER."""
        newest = (await self._history.spans(uid, conv))[-1]
        name, group = await self._name(uid, conv), await self._members.group(conv)
        if newest.until is not None:
            return Described(conv, name, None, "", group)
        return Described(conv, name, await self._members.count(conv), newest.role, group)

    async def _places(self, spans: Iterable[Membership]) -> list[Activity]:
        """When something last happened that the member saw: the log's end, or the own `depart`."""
        by_conv = {span.conv: span for span in spans}
        heads = await self._log.heads(list(by_conv))
        ended = [
            by_conv[conv]
            for conv, head in heads.items()
            if by_conv[conv].until not in (None, head.last)
        ]
        at = {conv: head.at for conv, head in heads.items()}
        at |= {entry.conv: entry.at for entry in await self._last_seen(ended)}
        return [Activity(at[conv], conv) for conv in heads]

    async def _listed(self, uid: Uid, spans: Sequence[Membership]) -> list[Listed]:
        convs = [span.conv for span in spans]
        positions = await self._positions.of_user(uid, convs)
        names = await read_each(partial(self._name, uid), convs)
        return [
            Listed(
                span.conv,
                name,
                last,
                positions.get(span.conv, NO_POSITION),
                left=span.until is not None,
            )
            for span, name, last in zip(spans, names, await self._last_seen(spans), strict=True)
        ]

    async def _last_seen(self, spans: Sequence[Membership]) -> list[Entry]:
        """The newest entry within each span, in their order."""
        return [entry for (entry,) in await read_each(self._newest_in, spans)]

    async def _newest_in(self, span: Membership) -> list[Entry]:
        before = None if span.until is None else span.until + 1
        return await self._log.read_before(span.conv, before, 1)

    async def _name(self, uid: Uid, conv: ConvID) -> str:
        """The other person's name, or the group's; without one its id."""
        pair = pair_of(conv)
        if pair is None:
            group = await self._members.group(conv)
            return conv if group is None or not group.name else group.name
        other = pair[0] if pair[1] == uid else pair[1]
        profile = await self._profiles.get(other)
        return other if profile is None else profile.name
