"""What a user changes of its own account, said to its devices in the user's log."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Final
from uuid import uuid4

import msgspec

from webchat.model import NO_HEAD, Profile, Seq, Uid, user_log
from webchat.ports.accounts import Changed
from webchat.ports.clock import Clock
from webchat.ports.log import Append, Log, setting_entry
from webchat.service.accounts import AccountService, ProfileChange
from webchat.service.appending import Appends
from webchat.service.newest import put_newest

_TOLD: Final = 10_000
"""Of so many people this node remembers what it told of their settings last."""


class OwnAccount:
    """Source: docs/protocol.md, section 2, `setting`.

    The last that is told of a setting is what it is, on whichever nodes it was changed at once: a
    telling counts as a membership entry of the user's log, and is refused if another has come since
    before the change; then it tells what holds by now.
    """

    def __init__(self, accounts: AccountService, log: Log, appends: Appends, clock: Clock) -> None:
        self._accounts = accounts
        self._log = log
        self._appends = appends
        self._clock = clock
        self._told: OrderedDict[Uid, dict[str, object]] = OrderedDict()

    async def change(self, uid: Uid, change: ProfileChange) -> Profile:
        """The own profile with `change` done, durable, and told if it changes anything. Raises as
        AccountService.change; UNAVAILABLE also where it was done and could not be told: the same
        again tells it."""
        before = await self._end(uid)
        changed = await self._accounts.change(uid, change)
        fields = msgspec.structs.asdict(change).items()
        said = {name: getattr(changed.after, name) for name, value in fields if value is not None}
        if self._is_news(uid, said, changed):
            told = await self._tell(uid, said, before)
            put_newest(self._told, uid, {**self._told.get(uid, {}), **told}, _TOLD)
        return changed.after

    async def _tell(
        self, uid: Uid, said: Mapping[str, object], before: Seq
    ) -> Mapping[str, object]:
        """Tell of these fields, which were read when the user's log ended at `before` or later;
        returns what was told."""
        key, place, holds, is_first = uuid4().hex, before, said, True

        async def decide() -> Append:
            nonlocal place, holds, is_first
            if not is_first:
                place = await self._end(uid)
                profile = (await self._accounts.change(uid, ProfileChange())).after
                holds = {name: getattr(profile, name) for name in said}
            is_first = False
            entry = setting_entry(uid, holds, key, self._clock.now_ms())
            return Append(user_log(uid), (entry,), members_as_of=place, is_membership=True)

        await self._appends.decided(user_log(uid), decide)
        return holds

    async def _end(self, uid: Uid) -> Seq:
        """Where the user's log ends."""
        log = user_log(uid)
        return (await self._log.heads([log])).get(log, NO_HEAD).last

    def _is_news(self, uid: Uid, said: Mapping[str, object], changed: Changed) -> bool:
        """Also what is so already, unless this node has told it: who changed it may have died
        before it was told."""
        told = self._told.get(uid, {})
        return changed.before != changed.after or not said.items() <= told.items()
