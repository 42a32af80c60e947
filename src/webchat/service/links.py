"""Invite links: made by a group's admins, good for whoever knows the code until they end."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from webchat.errors import Code, WebchatError
from webchat.model import ConvID, InviteLink, Uid, is_id
from webchat.ports.clock import Clock
from webchat.ports.links import InviteLinks
from webchat.ports.log import Log
from webchat.service.entering import Entered, Entrance
from webchat.service.hashes import secret_hash
from webchat.service.standing import Standing, Standings, check_admin

_CODE_BYTES: Final = 18
_ID_BYTES: Final = 8
_DAY_S: Final = 86_400
_MAX_USES: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class LinkSettings:
    """`link_days`: how long a link may live at most; `links_per_group`: at a time."""

    link_days: int = 30
    links_per_group: int = 50


@dataclass(frozen=True, slots=True)
class Made:
    """A new link and its code, which nobody can be told a second time."""

    code: str
    link: InviteLink


class LinkService:
    """Each method raises WebchatError(UNAVAILABLE) when the store is down."""

    def __init__(
        self,
        links: InviteLinks,
        log: Log,
        standings: Standings,
        entrance: Entrance,
        clock: Clock,
        settings: LinkSettings,
    ) -> None:
        self._links = links
        self._log = log
        self._standings = standings
        self._entrance = entrance
        self._clock = clock
        self._settings = settings

    async def make(self, uid: Uid, conv: ConvID, expires_in_s: int, uses: int | None) -> Made:
        """A link to a group of which `uid` is an admin.

        NOT_A_MEMBER, FORBIDDEN, GROUP_CLOSED; BAD_REQUEST for a lifetime or a count out of bounds;
        CONFLICT when the group has as many as it may.
        """
        self._check(expires_in_s, uses)
        await self._check_admin(uid, conv)
        now = self._clock.now_ms()
        code = secrets.token_urlsafe(_CODE_BYTES)
        expires_at = now + expires_in_s * 1_000
        link = InviteLink(secrets.token_hex(_ID_BYTES), conv, uid, expires_at, uses)
        if not await self._links.add(secret_hash(code), link, self._settings.links_per_group, now):
            raise WebchatError(Code.CONFLICT, "This group has too many links; revoke one first.")
        return Made(code, link)

    async def of_group(self, uid: Uid, conv: ConvID) -> Sequence[InviteLink]:
        """The group's links that have not expired, for its admins. NOT_A_MEMBER, FORBIDDEN."""
        await self._check_admin(uid, conv)
        return await self._links.of_group(conv, self._clock.now_ms())

    async def revoke(self, uid: Uid, conv: ConvID, link_id: str) -> None:
        """End a link. NOT_A_MEMBER, FORBIDDEN, NOT_FOUND."""
        await self._check_admin(uid, conv)
        if not is_id(link_id) or not await self._links.revoke(conv, link_id):
            raise _no_such_link()

    async def enter(self, uid: Uid, code: str) -> Entered:
        """The user comes in by a `join` of its own; whoever is in already uses nothing up.

        NOT_FOUND: no such link, or it has ended. GROUP_CLOSED.
        """
        link = await self._links.find(secret_hash(code))
        if link is None or link.expires_at <= self._clock.now_ms():
            raise _no_such_link()
        visit = join_id = ""

        async def check(standing: Standing) -> str:
            """Of one visit, that is until the person leaves, there is one use and one `join`,
            however often and on how many nodes it is asked for."""
            nonlocal visit, join_id
            asked = f"{uid} {standing.last_left}"
            # Decided again it is the same use: the link may have forgotten it behind many others.
            if asked != visit and not await self._links.use(link.id, asked):
                raise _no_such_link()
            visit, join_id = asked, f"{link.id}-{standing.last_left}"
            return join_id

        try:
            entered = await self._entrance.let_in(uid, link.conv, check, by=uid)
        except WebchatError as error:
            if visit and error.code is not Code.UNAVAILABLE:  # else it may be in, or come in later
                await self._links.give_back(link.id, visit)
            raise
        if visit and entered.was_in and not await self._log.find(link.conv, uid, join_id):
            await self._links.give_back(link.id, visit)  # somebody else was faster
        return entered

    def _check(self, expires_in_s: int, uses: int | None) -> None:
        days = self._settings.link_days
        if not 1 <= expires_in_s <= days * _DAY_S:
            raise WebchatError(Code.BAD_REQUEST, f"A link lives 1 s to {days} days.")
        if uses is not None and not 1 <= uses <= _MAX_USES:
            raise WebchatError(Code.BAD_REQUEST, f"A link is for 1 to {_MAX_USES} people.")

    async def _check_admin(self, uid: Uid, conv: ConvID) -> None:
        check_admin((await self._standings.of(uid, conv)).check_open())


def _no_such_link() -> WebchatError:
    return WebchatError(Code.NOT_FOUND, "There is no such link, or it has ended.")
