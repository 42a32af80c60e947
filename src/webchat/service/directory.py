"""Public groups: found by name, joined by whoever wants to."""

from __future__ import annotations

from dataclasses import dataclass

from webchat.errors import Code, WebchatError
from webchat.model import ConvID, Group, Uid, is_group
from webchat.ports.members import Members
from webchat.service.batches import read_each
from webchat.service.entering import Entered, Entrance
from webchat.service.pages import Page, check_after, clean_limit, clean_prefix, page_of
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
        count = clean_limit(limit)
        check_after(after, is_group)
        found = await self._members.public(clean_prefix(prefix), after, count + 1)
        page = page_of(found, count, lambda group: group.conv)
        sizes = await read_each(self._members.count, [group.conv for group in page.items])
        items = [PublicGroup(group, size) for group, size in zip(page.items, sizes, strict=True)]
        return Page(items, page.next)

    async def join(self, uid: Uid, conv: ConvID) -> Entered:
        """The user comes in by a `join` of its own.

        NOT_FOUND: there is no public group of that id. GROUP_CLOSED.
        """

        async def check(standing: Standing) -> str:
            if standing.group is None or not standing.group.public:
                raise WebchatError(Code.NOT_FOUND, "There is no such public group.")
            return ""

        return await self._entrance.let_in(uid, conv, check, by=uid)
