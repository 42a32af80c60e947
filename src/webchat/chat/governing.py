"""What owners and admins do in their groups: roles, removing people, settings, closing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from webchat.chat.client import Act
from webchat.chat.sending import Sender
from webchat.errors import Code, WebchatError
from webchat.model import ConvID, Membership, Uid, is_uid
from webchat.ports.invitations import Invitations
from webchat.ports.log import Append
from webchat.ports.members import Members
from webchat.service.batches import read_each
from webchat.service.membership import check_group_act, uids_in
from webchat.service.membership_entries import remove
from webchat.service.ruling_entries import close, group_change, regroup, role, role_change
from webchat.service.standing import Standing, Standings

DecideAt = Callable[[Standing], Awaitable["Append | None"]]
"""As DecideIf, where the sender stands."""


class Governing:
    """Kinds of the own protocol: entries of the group's log by the rules of all others."""

    def __init__(
        self,
        members: Members,
        invitations: Invitations,
        standings: Standings,
        sender: Sender,
        list_uids: int,
    ) -> None:
        self._members = members
        self._invitations = invitations
        self._standings = standings
        self._sender = sender
        self._list_uids = list_uids

    async def role(self, act: Act) -> None:
        """The owner makes somebody admin, member, or owner in its own stead."""

        async def decide(standing: Standing) -> Append | None:
            change = role_change(act.envelope.body)
            span = await self._present(standing.conv, change.uid)
            append = role(standing, span, change, act.envelope)
            return None if span is not None and span.role == change.role else append

        await self._act(act, decide)

    async def _present(self, conv: ConvID, uid: Uid) -> Membership | None:
        """Where somebody is in a group. What can be no uid, no store is asked for."""
        present = await self._members.present_among(conv, [uid]) if is_uid(uid) else {}
        return present.get(uid)

    async def remove(self, act: Act) -> None:
        """An admin puts members out. Who is not in is left out; with nobody left that is all.

        First their invitations go, by which they could come back, and which nobody else can see:
        while they are in they need none.
        """

        async def decide(standing: Standing) -> Append | None:
            uids = uids_in(act.envelope.body, self._list_uids)
            if not uids:
                raise WebchatError(Code.BAD_REQUEST, "remove names whom to put out")
            present = await self._members.present_among(standing.conv, uids)
            spans = [present[uid] for uid in uids if uid in present]
            append = remove(standing, spans, act.envelope)
            await self._drop_invitations(standing.conv, uids)
            return append if spans else None

        await self._act(act, decide)

    async def _drop_invitations(self, conv: ConvID, uids: Sequence[Uid]) -> None:
        async def drop(uid: Uid) -> None:
            await self._invitations.drop(uid, conv)

        await read_each(drop, [*await self._invitations.asked_among(conv, uids)])

    async def group(self, act: Act) -> None:
        """An admin changes the group's name, picture or settings."""

        async def decide(standing: Standing) -> Append | None:
            change = group_change(act.envelope.body)
            append = regroup(standing, change, act.envelope)
            is_so = standing.group is not None and change.applied(standing.group) == standing.group
            return None if is_so else append

        await self._act(act, decide)

    async def close(self, act: Act) -> None:
        """The owner closes the group."""

        async def decide(standing: Standing) -> Append | None:
            return close(standing, act.envelope)

        await self._act(act, decide)

    async def _act(self, act: Act, decide: DecideAt) -> None:
        """Decided where the sender stands; what is so already is ok, without a `Seq`."""
        conv = check_group_act(act.uid, act.envelope)

        async def decide_now() -> Append | None:
            return await decide(await self._standings.of(act.uid, conv))

        await self._sender.act_in_turn(act, conv, decide_now)
