"""The contract of invitations: who is careful, who shares a conversation, what waits for whom."""

from __future__ import annotations

import asyncio
import json

import msgspec
import pytest

from tests.contract.asking import create, depart, message, send, to_pair
from tests.memory import ManualClock
from tests.profiles import save_profile
from webchat.errors import MembersChanged, WebchatError
from webchat.model import Invitation, user_log
from webchat.ports.log import Append, Follow, invite
from webchat.ports.store import Store
from webchat.service.profiles import new_profile

TO_BOB = Invitation("i-1", "group_x", "bob", "ann")
TO_CID = Invitation("i-c", "group_x", "cid", "ann")


def with_invitations(request: Append, *invitations: Invitation) -> Append:
    follow = msgspec.structs.replace(request.follow or Follow(), invitations=invitations)
    return msgspec.structs.replace(request, follow=follow)


def stored(invitation: Invitation, at: int) -> Invitation:
    return msgspec.structs.replace(invitation, at=at)


async def test_invitations_come_with_an_entry_and_into_their_users_logs(
    store: Store, clock: ManualClock
) -> None:
    now = clock.now_ms()
    appended = await send(store, with_invitations(create("group_x", "ann"), TO_BOB, TO_CID))
    assert await store.invitations.of_user("bob", 9) == [stored(TO_BOB, now)]
    assert await store.invitations.of_user("cid", 9) == [stored(TO_CID, now)]
    told = [entry for entry in appended.followed if entry.kind == "invitation"]
    assert [(entry.conv, entry.seq) for entry in told] == [("user:bob", 1), ("user:cid", 1)]
    assert await store.log.read("user:bob", 0, 9) == told[:1]
    said = json.loads(told[0].envelope)
    assert (said["EvtType"], said["From"], said["To"]) == ("invitation", "bob", "bob")
    assert json.loads(said["Body"]) == {"id": "i-1", "Conv": "group_x", "from": "ann"}


async def test_an_invitation_that_follows_no_other_entry_is_told_once(
    store: Store, clock: ManualClock
) -> None:
    now = clock.now_ms()
    appended = await send(store, invite(TO_BOB, now, None))
    assert [entry.conv for entry in appended.entries] == [user_log("bob")]
    assert appended.followed == ()
    assert len(await store.log.read("user:bob", 0, 9)) == 1
    assert await store.invitations.of_user("bob", 9) == [stored(TO_BOB, now)]


async def test_the_same_append_again_invites_once(store: Store) -> None:
    request = with_invitations(Append("group_x", (message("ann", "1"),)), TO_BOB)
    first = await send(store, request)
    again = await send(store, request)
    assert again.followed == first.followed
    assert len(await store.invitations.of_user("bob", 9)) == 1


async def test_a_refused_append_invites_nobody(store: Store) -> None:
    await send(store, create("group_x", "dan"))
    with pytest.raises(WebchatError):
        await send(store, with_invitations(create("group_x", "ann"), TO_BOB))
    assert await store.invitations.of_user("bob", 9) == []
    assert await store.log.read("user:bob", 0, 9) == []


async def test_the_newest_invitations_come_first(store: Store) -> None:
    for number in range(3):
        await send(
            store, invite(Invitation(f"i-{number}", f"group_{number}", "bob", "ann"), 0, None)
        )
    newest = await store.invitations.of_user("bob", 2)
    assert [invitation.id for invitation in newest] == ["i-2", "i-1"]


async def test_an_invitation_is_found_by_whom_it_asks_alone(store: Store) -> None:
    await send(store, invite(TO_BOB, 0, None))
    found = await store.invitations.find("bob", "i-1")
    assert found is not None
    assert found.conv == "group_x"
    assert await store.invitations.find("cid", "i-1") is None
    assert await store.invitations.find("bob", "i-9") is None


async def test_those_of_many_who_are_asked_already(store: Store) -> None:
    await send(store, invite(TO_BOB, 0, None))
    await send(store, invite(Invitation("i-3", "group_y", "cid", "ann"), 0, None))
    asked = ["cid", "bob", "ann", "bob"]
    assert await store.invitations.asked_among("group_x", asked) == {"bob"}
    assert await store.invitations.asked_among("group_z", asked) == set()
    assert await store.invitations.asked_among("group_x", []) == set()


async def test_dropping_takes_all_of_a_user_to_a_group(store: Store) -> None:
    for number, conv in enumerate(("group_x", "group_x", "group_y")):
        await send(store, invite(Invitation(f"i-{number}", conv, "bob", "ann"), 0, None))
    await send(store, invite(TO_CID, 0, None))
    await store.invitations.drop("bob", "group_x")
    assert [waiting.id for waiting in await store.invitations.of_user("bob", 9)] == ["i-2"]
    assert len(await store.invitations.of_user("cid", 9)) == 1
    await store.invitations.drop("bob", "group_x")


async def test_what_is_declined_waits_no_more(store: Store) -> None:
    for invitation in (TO_BOB, Invitation("i-2", "group_x", "bob", "cid"), TO_CID):
        await send(store, invite(invitation, 0, None))
    assert await store.invitations.decline(TO_BOB)
    assert await store.invitations.of_user("bob", 9) == []
    assert len(await store.invitations.of_user("cid", 9)) == 1
    assert not await store.invitations.decline(TO_BOB)
    assert not await store.invitations.claim(TO_BOB)


async def test_what_was_claimed_is_not_declined_at_first(store: Store) -> None:
    await send(store, invite(TO_BOB, 0, None))
    assert not await store.invitations.claim(Invitation("i-9", "group_x", "bob", "ann"))
    assert [await store.invitations.claim(TO_BOB) for _ in range(2)] == [True, True]
    assert not await store.invitations.decline(TO_BOB)
    assert len(await store.invitations.of_user("bob", 9)) == 1
    assert await store.invitations.claim(TO_BOB)
    assert not await store.invitations.decline(TO_BOB)
    assert await store.invitations.decline(TO_BOB)
    assert await store.invitations.of_user("bob", 9) == []


async def test_declining_what_was_answered_leaves_a_new_one_alone(store: Store) -> None:
    await send(store, invite(TO_BOB, 0, None))
    await store.invitations.drop("bob", "group_x")
    again = Invitation("i-2", "group_x", "bob", "ann")
    await send(store, invite(again, 0, None))
    assert not await store.invitations.decline(TO_BOB)
    assert await store.invitations.claim(again)
    assert not await store.invitations.decline(TO_BOB)
    assert not await store.invitations.decline(again)  # still claimed
    assert [each.id for each in await store.invitations.of_user("bob", 9)] == ["i-2"]


async def test_what_was_claimed_is_dropped_and_a_new_one_can_be_declined(store: Store) -> None:
    await send(store, invite(TO_BOB, 0, None))
    await store.invitations.claim(TO_BOB)
    await store.invitations.drop("bob", "group_x")
    again = Invitation("i-2", "group_x", "bob", "ann")
    await send(store, invite(again, 0, None))
    assert await store.invitations.decline(again)


async def test_of_a_claim_and_a_decline_at_once_one_is_done(store: Store) -> None:
    for number in range(4):
        invitation = Invitation(f"i-{number}", f"group_{number}", "bob", "ann")
        await send(store, invite(invitation, 0, None))
        acts = [store.invitations.claim(invitation), store.invitations.decline(invitation)]
        done = await asyncio.gather(*(acts if number % 2 else reversed(acts)))
        assert sorted(done) == [False, True]


async def test_of_two_invitations_that_were_decided_on_at_once_one_is_made(store: Store) -> None:
    await send(store, invite(TO_BOB, 0, 0))
    with pytest.raises(MembersChanged):
        await send(store, invite(Invitation("i-2", "group_x", "bob", "cid"), 0, 0))
    await send(store, invite(Invitation("i-3", "group_y", "bob", "cid"), 0, 1))
    assert [waiting.id for waiting in await store.invitations.of_user("bob", 9)] == ["i-3", "i-1"]


async def test_those_share_a_conversation_who_are_both_in_it_now(store: Store) -> None:
    await send(store, create("group_x", "ann", "bob", "cid"))
    await send(store, create("group_y", "ann", "dan"))
    await send(store, to_pair("eve", "ann", "1"))
    await send(store, to_pair("fay", "bob", "1"))
    others = ["bob", "cid", "dan", "eve", "fay", "gus", "bob"]
    assert await store.members.sharing("ann", others) == {"bob", "cid", "dan", "eve"}
    await send(store, depart("group_x", "cid", since=1))
    await send(store, depart("group_y", "ann", since=1))
    assert await store.members.sharing("ann", others) == {"bob", "eve"}
    assert await store.members.sharing("ann", []) == set()
    assert await store.members.sharing("gus", others) == set()


async def test_careful_are_those_who_chose_so(store: Store) -> None:
    careful = msgspec.structs.replace(new_profile("bob", "Bob"), who_may_add_me="shared")
    await store.accounts.create(careful, "", 0)
    await store.accounts.create(new_profile("ann", "Ann"), "", 0)
    assert await store.accounts.careful_among(["ann", "bob", "none", "bob"]) == {"bob"}
    await save_profile(store.accounts, new_profile("bob", "Bob"), 0)
    assert await store.accounts.careful_among(["bob"]) == set()
