"""A small world for tests: real services over the memory store, with time in the test's hands."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Mapping, Sequence

import msgspec
import pytest

from tests.memory import ManualClock, MemoryStore
from tests.profiles import save_profile
from webchat.adapters.memory import MemoryLimits, MemoryProfileCache
from webchat.errors import Code, MembersChanged, WebchatError
from webchat.model import (
    ConvID,
    Draft,
    Entry,
    Group,
    Invitation,
    Membership,
    Profile,
    Seq,
    Uid,
    pair_conv,
)  # fmt: skip
from webchat.ports.log import SEQ_OF_ENTRY, Append, Appended, Change, Follow, invite
from webchat.ports.positions import Move, Moved
from webchat.service.accounts import AccountService, AccountSettings
from webchat.service.administration import Administration
from webchat.service.appending import Decide
from webchat.service.conversations import Conversations
from webchat.service.directory import Directory
from webchat.service.entering import Entrance
from webchat.service.history import History
from webchat.service.invitations import InvitationService
from webchat.service.links import LinkService, LinkSettings
from webchat.service.own_account import OwnAccount
from webchat.service.passwords import Passwords, PasswordSettings
from webchat.service.profiles import Profiles, new_profile
from webchat.service.readers import Readers
from webchat.service.standing import Standings
from webchat.service.tokens import Issued, Tokens, TokenSettings

PASSWORD = "correct horse battery"
ADDRESS = "192.0.2.7"
CHEAP = PasswordSettings(argon2_memory_kib=8, threads=1)


class StoreAppends:
    """The chat's appends, with nobody there to hear of them."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def decided(self, conv: ConvID, decide: Decide) -> Appended:
        while True:
            try:
                return await self.append(await decide())
            except MembersChanged:
                continue

    def tell_again(self, convs: Sequence[ConvID]) -> None:
        """Nobody listens."""

    async def append(self, request: Append) -> Appended:
        """One append. Raises why not."""
        appended: asyncio.Future[Appended | Exception] = asyncio.Future()
        self._store.log.append(request, appended.set_result)
        outcome = await appended
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


class World:
    """Services, and shorthand for what the chat would have done to the store."""

    def __init__(
        self,
        *,
        open_mode: bool = False,
        passwords: Passwords | None = None,
        settings: AccountSettings | None = None,
    ) -> None:
        self.clock = ManualClock()
        self.store = MemoryStore(self.clock)
        self.cache = MemoryProfileCache()
        self.profiles = Profiles(self.store.accounts, self.cache, self.clock, open_mode=open_mode)
        self.passwords = passwords or Passwords(CHEAP)
        self.tokens = Tokens(self.store.logins, self.clock, TokenSettings())
        self.accounts = AccountService(
            self.store.accounts,
            self.profiles,
            self.tokens,
            self.passwords,
            MemoryLimits(self.clock),
            self.clock,
            settings or AccountSettings(),
        )
        self.administration = Administration(
            self.store.accounts, self.store.logins, self.passwords, self.clock
        )
        self.history = History(self.store.log, self.store.members)
        self.conversations = Conversations(
            self.store.following,
            self.store.members,
            self.store.positions,
            self.profiles,
            self.history,
        )
        self.readers = Readers(
            self.store.members, self.store.positions, self.profiles, self.history
        )
        self.standings = Standings(self.store.log, self.store.members)
        self.appends = StoreAppends(self.store)
        self.own_account = OwnAccount(self.accounts, self.store.log, self.appends, self.clock)
        self.entrance = Entrance(self.standings, self.appends, self.clock)
        self.invitations = InvitationService(
            self.store.invitations, self.store.members, self.entrance
        )
        self.directory = Directory(self.store.members, self.entrance)
        self.links = self.another_node()

    def close(self) -> None:
        """Let the threads go."""
        self.passwords.close()

    async def user(self, uid: Uid, name: str = "") -> str:
        """An account that is logged in: its token."""
        issued = await self.accounts.register(uid, name or uid.title(), PASSWORD, ADDRESS)
        return issued.token

    async def profile_of(self, uid: Uid, *, display_receipts: bool = True) -> None:
        """An account without a password."""
        profile = msgspec.structs.replace(
            new_profile(uid, uid.title()), display_receipts=display_receipts
        )
        await self.save(profile)

    async def save(self, profile: Profile) -> None:
        """The whole profile, in the store and at hand; without an account one is made."""
        await save_profile(self.store.accounts, profile)
        await self.profiles.change(profile.uid, {})

    async def say(self, sender: Uid, other: Uid, text: str = "hello") -> Entry:
        """A message between two people."""
        people = {sender, other}
        first = Follow(
            memberships=tuple(
                Membership(pair_conv(sender, other), uid, SEQ_OF_ENTRY, None, "") for uid in people
            )
        )
        return await self._append(pair_conv(sender, other), "message", sender, text, on_first=first)

    async def group(self, conv: ConvID, creator: Uid, *others: Uid, name: str = "") -> Entry:
        """A new group."""
        spans = [Membership(conv, uid, SEQ_OF_ENTRY, None, "member") for uid in others]
        spans.append(Membership(conv, creator, SEQ_OF_ENTRY, None, "admin"))
        return await self._append(
            conv, "create", creator, json.dumps(others), spans, group=Group(conv, name)
        )

    async def regroup(self, group: Group) -> Entry:
        """Something else is true of a group."""
        return await self._append(group.conv, "group", "", "", group=group)

    async def join(self, conv: ConvID, uid: Uid) -> Entry:
        """Somebody comes into a group."""
        span = Membership(conv, uid, SEQ_OF_ENTRY, None, "member")
        return await self._append(conv, "join", uid, json.dumps([uid]), [span])

    async def depart(self, conv: ConvID, uid: Uid) -> Entry:
        """Somebody leaves a group."""
        since = (await self.store.members.spans(conv, uid))[-1].since
        span = Membership(conv, uid, since, SEQ_OF_ENTRY, "member")
        return await self._append(conv, "depart", uid, "", [span])

    def another_node(self) -> LinkService:
        """The links as another node on the store has them."""
        return LinkService(
            self.store.links,
            self.store.log,
            self.standings,
            Entrance(self.standings, self.appends, self.clock),
            self.clock,
            LinkSettings(),
        )

    async def invite(self, invitation: Invitation) -> None:
        """Somebody is invited to a group."""
        await self.appends.append(invite(invitation, self.clock.now_ms(), None))

    async def write(self, conv: ConvID, sender: Uid, text: str = "hello") -> Entry:
        """A message to a group."""
        return await self._append(conv, "message", sender, text)

    async def edit(self, conv: ConvID, sender: Uid, refers: Seq, text: str) -> Entry:
        """A message to a group says something else."""
        change = Change("edit", refers, sender, text)
        return await self._append(conv, "edit", sender, text, changes=(change,))

    async def react(self, conv: ConvID, refers: Seq, reactions: Mapping[Uid, str]) -> Entry:
        """Somebody, or many at once, react to a message."""
        changes = tuple(Change("react", refers, uid, body) for uid, body in reactions.items())
        return await self._append(conv, "react", changes[0].sender, "", changes=changes)

    async def read(self, conv: ConvID, uid: Uid, delivered: Seq, displayed: Seq = 0) -> None:
        """A member's positions move."""
        moved: asyncio.Future[Sequence[Moved] | Exception] = asyncio.Future()
        self.store.positions.move([Move(conv, uid, delivered, displayed)], moved.set_result)
        assert not isinstance(await moved, Exception)

    async def _append(
        self,
        conv: ConvID,
        kind: str,
        sender: Uid,
        body: str,
        spans: Sequence[Membership] = (),
        *,
        on_first: Follow | None = None,
        group: Group | None = None,
        changes: tuple[Change, ...] = (),
    ) -> Entry:
        self.clock.advance(1)
        envelope = msgspec.json.encode({"EvtType": kind, "Body": body})
        request = Append(
            conv,
            (Draft(kind, sender, "", envelope),),
            is_membership=bool(spans),
            follow=_follow(spans, group, changes),
            on_first=on_first,
        )
        return (await self.appends.append(request)).entries[0]


def _follow(
    spans: Sequence[Membership], group: Group | None, changes: tuple[Change, ...]
) -> Follow:
    announce = tuple((span.uid, "added" if span.until is None else "left") for span in spans)
    return Follow(memberships=tuple(spans), announce=announce, group=group, changes=changes)


async def login(world: World, uid: Uid = "ann", password: str = PASSWORD) -> Issued:
    """Somebody logs in."""
    return await world.accounts.login(uid, password, ADDRESS)


async def noted(world: World) -> None:
    """Uses of tokens until now are written."""
    world.clock.advance(1)
    await asyncio.sleep(0)


async def refused(call: Awaitable[object]) -> WebchatError:
    """The refusal that `call` ends with."""
    with pytest.raises(WebchatError) as caught:
        await call
    return caught.value


async def code_of(call: Awaitable[object]) -> Code:
    """The code that `call` is refused with."""
    return (await refused(call)).code
