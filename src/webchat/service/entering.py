"""Coming into a group by the person's own act: an invitation, a link, or because it is public."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from webchat.errors import Code, WebchatError
from webchat.model import ConvID, Seq, Uid, user_log
from webchat.ports.clock import Clock
from webchat.ports.log import Append
from webchat.service.appending import Appends
from webchat.service.membership_entries import enter
from webchat.service.standing import Standing, Standings

Check = Callable[[Standing], Awaitable[str]]
"""The MsgID of the `join`. Raises WebchatError if whoever stands there may not come in."""


@dataclass(frozen=True, slots=True)
class Entered:
    """`seq`: of the entry that brought the person into `conv`; `was_in`: by another act before."""

    conv: ConvID
    seq: Seq
    was_in: bool


class Entrance:
    """Lets people into groups, by a `join` that everybody gets."""

    def __init__(self, standings: Standings, appends: Appends, clock: Clock) -> None:
        self._standings = standings
        self._appends = appends
        self._clock = clock

    async def let_in(self, uid: Uid, conv: ConvID, check: Check, *, by: Uid) -> Entered:
        """`uid` comes in; `by`: whose doing the entry says it is.

        Whoever is in already stays as it is, also who comes in by another request at the same time,
        on any node. Raises what `check` raises, GROUP_CLOSED, UNAVAILABLE.
        """

        async def decide() -> Append:
            standing = await self._standing_outside(uid, conv)
            try:
                key = await check(standing)
            except WebchatError:
                # By the same means it may just have come in: they are used up by that.
                await self._standing_outside(uid, conv)
                raise
            if standing.group is not None and standing.group.closed:
                raise WebchatError(Code.GROUP_CLOSED, "This group is closed.")
            return enter(standing, by, key, self._clock.now_ms() // 1000)

        try:
            appended = await self._appends.decided(conv, decide)
        except _IsIn as inside:
            self._appends.tell_again([conv, user_log(uid)])
            return Entered(conv, inside.since, was_in=True)
        return Entered(conv, appended.entries[0].seq, was_in=False)

    async def _standing_outside(self, uid: Uid, conv: ConvID) -> Standing:
        """Where somebody stands who is not in. Raises _IsIn."""
        standing = await self._standings.of(uid, conv)
        if standing.present is not None:
            raise _IsIn(standing.present.since)
        return standing


class _IsIn(Exception):  # noqa: N818
    """Nothing is to be done."""

    def __init__(self, since: Seq) -> None:
        super().__init__(since)
        self.since = since
