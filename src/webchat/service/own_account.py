"""What a user changes of its own account, said to its devices in the user's log."""

from __future__ import annotations

from uuid import uuid4

import msgspec

from webchat.model import Profile, Uid, user_log
from webchat.ports.clock import Clock
from webchat.ports.log import Append, setting_entry
from webchat.service.accounts import AccountService, ProfileChange
from webchat.service.appending import Appends


class OwnAccount:
    """Source: docs/protocol.md, section 2, `setting`."""

    def __init__(self, accounts: AccountService, appends: Appends, clock: Clock) -> None:
        self._accounts = accounts
        self._appends = appends
        self._clock = clock

    async def change(self, uid: Uid, change: ProfileChange) -> Profile:
        """The own profile with `change` done, durable, and told. Raises as AccountService.change;
        UNAVAILABLE also where it was done and could not be told: the same again tells it."""
        # Nothing is waited for between this and the append: changes are told in their order.
        profile = await self._accounts.change(uid, change)
        said = {
            name: value
            for name, value in msgspec.structs.asdict(change).items()
            if value is not None
        }
        entry = setting_entry(uid, said, uuid4().hex, self._clock.now_ms())

        async def decide() -> Append:
            return Append(user_log(uid), (entry,))

        if said:
            await self._appends.decided(decide)
        return profile
