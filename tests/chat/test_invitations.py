"""Who wants to be asked before others may add them: invitations, accepted and declined."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence

import msgspec
import pytest

from tests.chat.world import Person, World, settle
from tests.profiles import save_profile
from tests.service.late import answers_late
from tests.service.world import code_of
from webchat.errors import Code, WebchatError
from webchat.model import ConvID, Invitation, Membership, Uid
from webchat.ports.log import Append, AppendDone
from webchat.service.directory import Directory
from webchat.service.entering import Entrance
from webchat.service.invitations import InvitationService
from webchat.service.profiles import new_profile
from webchat.service.standing import Standings

G = "group_1"


def service(world: World) -> InvitationService:
    store = world.store
    entrance = Entrance(Standings(store.log, store.members), world.chat.appends, world.clock)
    return InvitationService(store.invitations, store.members, entrance)


async def careful(world: World, *uids: Uid) -> None:
    """They may be added by people they share a conversation with."""
    for uid in uids:
        profile = new_profile(uid, uid.title())
        careful = msgspec.structs.replace(profile, who_may_add_me="shared")
        await save_profile(world.store.accounts, careful)
        await world.profiles.forget(uid)


async def waiting(world: World, uid: Uid) -> Invitation:
    (invitation,) = await service(world).waiting(uid)
    return invitation


async def asked_by_anna(world: World) -> Invitation:
    """What ben is asked: anna has made a group, and wants him in it."""
    await careful(world, "ben")
    anna = await world.joined("anna")
    await anna.do("create", G, "ben")
    return await waiting(world, "ben")


def is_refused(answer: object) -> bool:
    return isinstance(answer, WebchatError) and answer.code in (Code.NOT_FOUND, Code.CONFLICT)


@pytest.fixture
async def other(world: World) -> AsyncIterator[World]:
    """Another node."""
    made = World(beside=world)
    yield made
    await made.chat.close()


def invited(person: Person) -> list[dict[str, str]]:
    return [json.loads(entry["Body"]) for entry in person.got("invitation")]


async def test_a_create_leaves_out_who_wants_to_be_asked_and_invites_them(world: World) -> None:
    await careful(world, "cleo")
    anna, ben, cleo = [await world.joined(uid) for uid in ("anna", "ben", "cleo")]
    assert (await anna.do("create", G, "ben", "cleo"))["Seq"] == 1
    (entry,) = ben.got("create")
    assert json.loads(entry["Body"]) == ["ben"]
    invitation = await waiting(world, "cleo")
    assert invited(cleo) == [{"id": invitation.id, "Conv": G, "from": "anna"}]
    assert cleo.got("create", "conversation") == []
    assert (await cleo.say_in(G, "hello"))["error"]["code"] == "not_a_member"


async def test_whoever_shares_a_conversation_is_added_at_once(world: World) -> None:
    await careful(world, "ben", "cleo")
    anna, cleo = await world.joined("anna"), await world.joined("cleo")
    await cleo.send("anna", "hello")
    await anna.do("create", G, "ben", "cleo")
    assert await world.store.members.count(G) == 2
    assert await world.store.members.present_among(G, ["cleo"])


async def test_a_refer_invites_whoever_wants_to_be_asked_and_adds_the_rest(world: World) -> None:
    await careful(world, "cleo")
    anna, ben, cleo = [await world.joined(uid) for uid in ("anna", "ben", "cleo")]
    await anna.do("create", G, "anna")
    assert (await anna.do("refer", G, "cleo", "ben"))["Seq"] == 2
    (entry,) = ben.got("join")
    assert json.loads(entry["Body"]) == ["ben"]
    assert [said["Conv"] for said in invited(cleo)] == [G]


async def test_a_refer_whose_people_must_all_be_asked_is_ok_without_seq(world: World) -> None:
    await careful(world, "ben", "cleo")
    anna, ben, cleo = [await world.joined(uid) for uid in ("anna", "ben", "cleo")]
    await anna.do("create", G, "anna")
    ack = await anna.do("refer", G, "cleo", "ben")
    assert ack == {"ok": True, "MsgID": "", "ConvID": G}
    assert anna.got("join") == []
    assert len(invited(ben)) == len(invited(cleo)) == 1


async def test_whom_an_invitation_waits_for_is_not_invited_again(world: World) -> None:
    await careful(world, "ben")
    anna, ben = await world.joined("anna"), await world.joined("ben")
    await anna.do("create", G, "ben")
    assert "Seq" not in await anna.do("refer", G, "ben")
    assert len(invited(ben)) == 1


async def test_of_two_who_bring_in_somebody_on_two_nodes_at_once_one_invites(
    world: World, other: World
) -> None:
    await careful(world, "cleo")
    anna, ben, cleo = (
        await world.joined("anna"),
        await other.joined("ben"),
        await world.joined("cleo"),
    )
    await anna.do("create", G, "ben")
    answers_late(world.store.invitations)
    acks = [(each, each.say("chat", each.act("refer", G, Body='["cleo"]'))) for each in (anna, ben)]
    for _ in range(5):
        await settle()
    for person, ack_id in acks:
        assert person.socket.acks[ack_id] == {"ok": True, "MsgID": "", "ConvID": G}
    (said,) = invited(cleo)
    assert (await waiting(world, "cleo")).by == said["from"]


async def test_who_is_only_asked_is_not_invited_by_who_adds_others_on_another_node_at_once(
    world: World, other: World
) -> None:
    await careful(world, "cleo")
    anna, ben, cleo = (
        await world.joined("anna"),
        await other.joined("ben"),
        await world.joined("cleo"),
    )
    await anna.do("create", G, "ben")
    answers_late(world.store.invitations)
    anna.say("chat", anna.act("refer", G, Body='["cleo"]'))
    ben.say("chat", ben.act("refer", G, Body='["dora","cleo"]'))
    for _ in range(5):
        await settle()
    assert [json.loads(entry["Body"]) for entry in anna.got("join")] == [["dora"]]
    assert len(invited(cleo)) == 1


async def test_a_refer_sent_again_invites_whoever_was_left_out_when_the_store_went_away(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await careful(world, "cleo")
    anna, cleo = await world.joined("anna"), await world.joined("cleo")
    await anna.do("create", G, "anna")
    append = world.store.log.append

    def fails_for_her(request: Append, done: AppendDone) -> None:
        if request.conv == "user:cleo":
            done(WebchatError(Code.UNAVAILABLE, "the store is not answering"))
        else:
            append(request, done)

    with monkeypatch.context() as patched:
        patched.setattr(world.store.log, "append", fails_for_her)
        refused = await anna.do("refer", G, "cleo", "dora", MsgID="r1")
    assert refused["error"]["code"] == "unavailable"
    assert (await anna.do("refer", G, "cleo", "dora", MsgID="r1"))["Seq"] == 2
    assert len(invited(cleo)) == 1


async def test_a_former_member_is_asked_as_well(world: World) -> None:
    anna, ben = await world.joined("anna"), await world.joined("ben")
    await anna.do("create", G, "ben")
    await ben.do("depart", G)
    await careful(world, "ben")
    assert "Seq" not in await anna.do("refer", G, "ben")
    assert len(invited(ben)) == 1


async def test_an_invitation_waits_for_whoever_is_away(world: World) -> None:
    await careful(world, "ben")
    anna = await world.joined("anna")
    await anna.do("create", G, "ben")
    ben = await world.joined("ben", {"user:ben": 0})
    assert [said["from"] for said in invited(ben)] == ["anna"]


async def test_accepting_brings_in_by_a_join_of_who_invited(world: World) -> None:
    await careful(world, "ben")
    anna, ben = await world.joined("anna"), await world.joined("ben")
    await anna.do("create", G, "ben")
    await anna.say_in(G, "before")
    entered = await service(world).accept("ben", (await waiting(world, "ben")).id)
    await settle()
    assert (entered.conv, entered.seq) == (G, 3)
    for person in (anna, ben):
        (joined,) = person.got("join")
        assert (joined["Originated"], json.loads(joined["Body"])) == ("anna", ["ben"])
        assert (joined["From"], joined["To"], joined["Seq"]) == (G, G, 3)
    assert await service(world).waiting("ben") == []
    await anna.say_in(G, "welcome")
    assert ben.bodies() == ["welcome"]
    assert (await ben.say_in(G, "thanks"))["ok"]


async def test_accepting_on_one_node_reaches_people_on_another(world: World) -> None:
    await careful(world, "ben")
    other = World(beside=world)
    anna, ben = await world.joined("anna"), await other.joined("ben")
    await anna.do("create", G, "ben")
    await service(world).accept("ben", (await waiting(world, "ben")).id)
    await settle()
    assert len(ben.got("join")) == len(anna.got("join")) == 1
    await anna.say_in(G, "welcome")
    assert ben.bodies() == ["welcome"]
    await other.chat.close()


async def test_declining_drops_it_and_tells_nobody(world: World) -> None:
    await careful(world, "ben")
    anna, ben = await world.joined("anna"), await world.joined("ben")
    await anna.do("create", G, "ben")
    invitation = await waiting(world, "ben")
    await service(world).decline("ben", invitation.id)
    assert await service(world).waiting("ben") == []
    assert anna.got("join") == []
    assert await code_of(service(world).accept("ben", invitation.id)) is Code.NOT_FOUND
    await anna.do("refer", G, "ben")
    assert len(invited(ben)) == 2


async def test_accepting_twice_at_once_on_two_nodes_brings_in_once_and_both_are_told_where(
    world: World, other: World
) -> None:
    invitation = await asked_by_anna(world)
    answers_late(world.store.invitations, world.store.members)
    accepting = [service(node).accept("ben", invitation.id) for node in (world, other)]
    assert [each.seq for each in await asyncio.gather(*accepting)] == [2, 2]
    assert await service(world).waiting("ben") == []


@pytest.mark.parametrize("asked", [("accept", "decline"), ("decline", "accept")])
async def test_of_accepting_and_declining_at_once_on_two_nodes_one_counts(
    world: World, other: World, asked: tuple[str, str]
) -> None:
    invitation = await asked_by_anna(world)
    answers_late(world.store.invitations, world.store.members)
    acts = [
        getattr(service(node), each)("ben", invitation.id)
        for node, each in zip((world, other), asked, strict=True)
    ]
    answers = await asyncio.gather(*acts, return_exceptions=True)
    done = [each for each, answer in zip(asked, answers, strict=True) if not is_refused(answer)]
    is_in = bool(await world.store.members.present_among(G, ["ben"]))
    assert done == (["accept"] if is_in else ["decline"])
    assert await service(world).waiting("ben") == []


async def test_what_another_node_is_about_to_accept_cannot_be_declined(
    world: World, other: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    invitation, codes = await asked_by_anna(world), []
    present_among = world.store.members.present_among

    async def declined_meanwhile(conv: ConvID, uids: Sequence[Uid]) -> Mapping[Uid, Membership]:
        codes.append(await code_of(service(other).decline("ben", invitation.id)))
        return await present_among(conv, uids)

    monkeypatch.setattr(world.store.members, "present_among", declined_meanwhile)
    assert (await service(world).accept("ben", invitation.id)).seq == 2
    assert codes == [Code.CONFLICT]
    assert await service(world).waiting("ben") == []


async def test_what_is_being_accepted_cannot_be_declined_but_if_nothing_comes_of_that(
    world: World, other: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    invitation = await asked_by_anna(world)

    def is_away(_: Append, done: AppendDone) -> None:
        done(WebchatError(Code.UNAVAILABLE, "the store is not answering"))

    monkeypatch.setattr(world.store.log, "append", is_away)
    assert await code_of(service(world).accept("ben", invitation.id)) is Code.UNAVAILABLE
    assert await code_of(service(other).decline("ben", invitation.id)) is Code.CONFLICT
    assert await waiting(world, "ben") == invitation
    await service(other).decline("ben", invitation.id)
    assert await service(world).waiting("ben") == []


async def test_an_invitation_of_somebody_who_left_is_a_conflict_and_gone(world: World) -> None:
    await careful(world, "cleo")
    anna, ben = await world.joined("anna"), await world.joined("ben")
    await anna.do("create", G, "ben", "cleo")
    await anna.do("depart", G)
    invitation = await waiting(world, "cleo")
    assert await code_of(service(world).accept("cleo", invitation.id)) is Code.CONFLICT
    assert await service(world).waiting("cleo") == []
    assert ben.got("join") == []


async def test_somebody_elses_invitation_is_not_found(world: World) -> None:
    invitation = await asked_by_anna(world)
    assert await code_of(service(world).accept("cleo", invitation.id)) is Code.NOT_FOUND
    assert await code_of(service(world).decline("cleo", invitation.id)) is Code.NOT_FOUND


async def test_who_comes_in_by_its_own_act_hears_all_from_there_on(world: World) -> None:
    anna, ben = await world.joined("anna"), await world.joined("ben")
    await anna.do("create", G, "anna")
    await anna.do("group", G, Body='{"public":true}')
    store = world.store
    entrance = Entrance(Standings(store.log, store.members), world.chat.appends, world.clock)
    await Directory(store.members, entrance).join("ben", G)
    await settle()
    for person in (anna, ben):
        (joined,) = person.got("join")
        assert (joined["Originated"], json.loads(joined["Body"])) == ("ben", ["ben"])
    await anna.say_in(G, "welcome")
    assert ben.bodies() == ["welcome"]


async def test_who_came_in_otherwise_accepts_without_a_second_join(world: World) -> None:
    await careful(world, "ben")
    anna, ben = await world.joined("anna"), await world.joined("ben")
    await anna.do("create", G, "ben")
    await ben.send("anna", "I know you")
    assert (await anna.do("refer", G, "ben"))["Seq"] == 2
    entered = await service(world).accept("ben", (await waiting(world, "ben")).id)
    assert entered.seq == 2
    assert len(anna.got("join")) == 1
    assert await service(world).waiting("ben") == []


async def test_who_was_put_out_does_not_come_back_by_an_old_invitation(world: World) -> None:
    invitation = await asked_by_anna(world)
    anna, ben = await world.joined("anna"), await world.joined("ben")
    await ben.send("anna", "I know you")
    await anna.do("refer", G, "ben")
    await anna.do("remove", G, "ben")
    assert await code_of(service(world).accept("ben", invitation.id)) is Code.NOT_FOUND
    assert await service(world).waiting("ben") == []
    assert not await world.store.members.present_among(G, ["ben"])
    assert (await anna.do("refer", G, "ben"))["Seq"] == 4


async def test_an_admin_takes_back_an_invitation_and_nobody_else_does(world: World) -> None:
    await careful(world, "dan", "eve")
    anna, cleo = await world.joined("anna"), await world.joined("cleo")
    await anna.do("create", G, "cleo", "dan", "eve")
    kept, gone = await waiting(world, "eve"), await waiting(world, "dan")
    assert (await cleo.do("remove", G, "dan"))["error"]["code"] == "forbidden"
    assert await waiting(world, "dan") == gone
    assert await anna.do("remove", G, "dan") == {"ok": True, "MsgID": "", "ConvID": G}
    assert await code_of(service(world).accept("dan", gone.id)) is Code.NOT_FOUND
    assert await waiting(world, "eve") == kept


async def test_what_was_claimed_before_its_person_was_put_out_brings_nobody_back(
    world: World, other: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    invitation = await asked_by_anna(world)
    anna, claim = await other.joined("anna"), world.store.invitations.claim

    async def put_out_meanwhile(claimed: Invitation) -> bool:
        is_waiting = await claim(claimed)
        if is_waiting:
            await save_profile(world.store.accounts, new_profile("ben", "Ben"))
            await other.profiles.forget("ben")
            await anna.do("refer", G, "ben")
            await anna.do("remove", G, "ben")
        return is_waiting

    monkeypatch.setattr(world.store.invitations, "claim", put_out_meanwhile)
    assert await code_of(service(world).accept("ben", invitation.id)) is Code.NOT_FOUND
    assert not await world.store.members.present_among(G, ["ben"])
