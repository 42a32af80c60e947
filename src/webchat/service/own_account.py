"""What a user changes of its own account, said to its devices in the user's log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from uuid import uuid4

import msgspec

from webchat.model import Profile, Uid, user_log
from webchat.ports.accounts import Changed
from webchat.ports.clock import Clock
from webchat.ports.log import Append, setting_entry
from webchat.service.accounts import AccountService, ProfileChange
from webchat.service.appending import Appends
from webchat.service.newest import put_newest

_TOLD: Final = 10_000
"""Of so many people this node remembers what it told of their settings last."""


class OwnAccount:
    """Source: docs/protocol.md, section 2, `setting`."""

    def __init__(self, accounts: AccountService, appends: Appends, clock: Clock) -> None:
        self._accounts = accounts
        self._appends = appends
        self._clock = clock
        self._told: dict[Uid, dict[str, object]] = {}

    async def change(self, uid: Uid, change: ProfileChange) -> Profile:
        """The own profile with `change` done, durable, and told if it changes anything. Raises as
        AccountService.change; UNAVAILABLE also where it was done and could not be told: the same
        again tells it."""
        # Nothing is waited for between this and the append: changes are told in their order.
        changed = await self._accounts.change(uid, change)
        said = {
            name: getattr(changed.after, name)
            for name, value in msgspec.structs.asdict(change).items()
            if value is not None
        }
        entry = setting_entry(uid, said, uuid4().hex, self._clock.now_ms())

        async def decide() -> Append:
            return Append(user_log(uid), (entry,))

        if self._is_news(uid, said, changed):
            await self._appends.decided(decide)
            put_newest(self._told, uid, {**self._told.get(uid, {}), **said}, _TOLD)
        return changed.after

    def _is_news(self, uid: Uid, said: Mapping[str, object], changed: Changed) -> bool:
        """Also what is so already, unless this node has told it: who changed it may have died
        before it was told."""
        told = self._told.get(uid, {})
        return changed.before != changed.after or not said.items() <= told.items()
