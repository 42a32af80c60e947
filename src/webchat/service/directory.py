"""Public groups: found by name, joined by whoever wants to."""

from __future__ import annotations

from dataclasses import dataclass

from webchat.errors import Code, WebchatError
from webchat.model import ConvID, Group, Uid, is_group
from webchat.ports.members import Members
from webchat.service.accounts import MAX_SEARCH_CHARS
from webchat.service.batches import read_each
from webchat.service.entering import Entered, Entrance
from webchat.service.pages import Page, check_after, clean_limit
from webchat.service.standing import Standing


@dataclass(frozen=True, slots=True)
class PublicGroup:
    """A group that anybody may join; `members`: how many are in it."""

    group: Group
    members: int


class Directory:
    """Each method raises WebchatError(UNAVAILABLE) when the store is down."""

    def __init__(self, members: Members, entrance: Entrance) -> None:
        self._members = members
        self._entrance = entrance

    async def search(self, prefix: str, after: ConvID, limit: int) -> Page[PublicGroup, ConvID]:
        """Public groups whose name begins with `prefix`, by id. BAD_REQUEST."""
        count, text = clean_limit(limit), prefix.strip()
        check_after(after, is_group)
        if len(text) > MAX_SEARCH_CHARS:
            raise WebchatError(Code.BAD_REQUEST, f"q has up to {MAX_SEARCH_CHARS} characters.")
        found = await self._members.public(text, after, count + 1)
        groups = found[:count]
        sizes = await read_each(self._members.count, [group.conv for group in groups])
        items = [PublicGroup(group, size) for group, size in zip(groups, sizes, strict=True)]
        return Page(items, groups[-1].conv if len(found) > count else None)

    async def join(self, uid: Uid, conv: ConvID) -> Entered:
        """The user comes in by a `join` of its own.

        NOT_FOUND: there is no public group of that id. GROUP_CLOSED.
        """

        async def check(standing: Standing) -> str:
            if standing.group is None or not standing.group.public:
                raise WebchatError(Code.NOT_FOUND, "There is no such public group.")
            return ""

        return await self._entrance.let_in(uid, conv, check, by=uid)
