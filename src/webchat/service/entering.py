"""Coming into a group by the person's own act: an invitation, a link, or because it is public."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from webchat.errors import Code, WebchatError
from webchat.model import ConvID, Seq, Uid
from webchat.ports.clock import Clock
from webchat.ports.log import Append
from webchat.service.appending import Appends
from webchat.service.membership_entries import enter
from webchat.service.standing import Standing, Standings
from webchat.service.turns import Turns

Check = Callable[[Standing], Awaitable[None]]
"""Raises WebchatError if whoever stands there may not come in."""


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
        self._turns = Turns()

    async def let_in(
        self, uid: Uid, conv: ConvID, check: Check, *, by: Uid, key: str = ""
    ) -> Entered:
        """`uid` comes in; `by`: whose doing the entry says it is. `key`: its MsgID.

        Whoever is in already stays as it is, also who comes in by another request at the same time.
        Raises what `check` raises, GROUP_CLOSED, UNAVAILABLE.
        """

        async def decide() -> Append:
            standing = await self._standings.of(uid, conv)
            if standing.present is not None:
                raise _IsIn(standing.present.since)
            await check(standing)
            if standing.group is not None and standing.group.closed:
                raise WebchatError(Code.GROUP_CLOSED, "This group is closed.")
            return enter(standing, by, key, self._clock.now_ms() // 1000)

        try:
            async with self._turns.of((uid, conv)):
                appended = await self._appends.decided(decide)
        except _IsIn as inside:
            return Entered(conv, inside.since, was_in=True)
        return Entered(conv, appended.entries[0].seq, was_in=False)


class _IsIn(Exception):  # noqa: N818
    """Nothing is to be done."""

    def __init__(self, since: Seq) -> None:
        super().__init__(since)
        self.since = since
