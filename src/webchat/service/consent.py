"""Who may be added to a group by whom, and who is asked first (docs/protocol.md, section 8)."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from webchat.model import NO_HEAD, ConvID, Invitation, Uid, user_log
from webchat.ports.accounts import Accounts
from webchat.ports.invitations import Invitations
from webchat.ports.log import Append, Log, invite
from webchat.ports.members import Members

_ID_BYTES: Final = 12


@dataclass(frozen=True, slots=True)
class Consented:
    """`added`: come in at once. `invitations`: for the rest, who have none to that group yet.
    `waiting`: who have one."""

    added: Sequence[Uid]
    invitations: tuple[Invitation, ...] = ()
    waiting: Sequence[Uid] = ()


class Consent:
    """Reads only. Raises WebchatError(UNAVAILABLE)."""

    def __init__(
        self, log: Log, accounts: Accounts, members: Members, invitations: Invitations
    ) -> None:
        self._log = log
        self._accounts = accounts
        self._members = members
        self._invitations = invitations

    async def to_add(self, by: Uid, conv: ConvID, uids: Sequence[Uid]) -> Consented:
        """What becomes of `by`'s wish to bring `uids`, each once and none of them in, into `conv`.

        Whoever chose "shared" and is in no conversation with `by` is asked, former members too.
        """
        careful = list(await self._accounts.careful_among(uids))
        if not careful:
            return Consented(uids)
        strangers = set(careful) - await self._members.sharing(by, careful) - {by}
        waiting = await self._invitations.asked_among(conv, list(strangers))
        invitations = tuple(
            Invitation(secrets.token_urlsafe(_ID_BYTES), conv, uid, by)
            for uid in uids
            if uid in strangers and uid not in waiting
        )
        added = [uid for uid in uids if uid not in strangers]
        return Consented(added, invitations, tuple(waiting))

    async def to_ask(self, invitation: Invitation, at: int) -> Append | None:
        """The append of an invitation at `at` (ms), to be decided again if another comes first;
        None: one to that group waits for its user."""
        log = user_log(invitation.uid)
        head = (await self._log.heads([log])).get(log, NO_HEAD)
        if await self._invitations.asked_among(invitation.conv, [invitation.uid]):
            return None
        return invite(invitation, at, head.last)
