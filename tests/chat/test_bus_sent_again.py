"""What is sent again, since its answer was lost, on a node that knows less or more by then."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from tests.chat.watched import OldMembers, WatchedStore
from tests.chat.world import Person, World, settle
from tests.profiles import save_profile
from webchat.errors import Code, WebchatError
from webchat.service.entering import Entrance
from webchat.service.profiles import new_profile
from webchat.service.standing import Standing, Standings

CONV = "dm:anna:ben"
G = "group_g"


async def unanswered(watched: WatchedStore, person: Person, envelope: dict[str, Any]) -> None:
    """What a person says is stored, and answered as if it were not."""
    watched.log.outcomes = []
    person.say("chat", envelope)
    await settle()
    watched.log.tell(instead=WebchatError(Code.UNAVAILABLE, "no answer in time"))


async def _anyone(_: Standing) -> str:
    """They may come in."""
    return ""


async def test_a_depart_sent_again_where_others_lack_what_was_before_it_is_acked(
    world: World, other: World
) -> None:
    anna, ben = await world.joined("anna"), await world.joined("ben")
    cleo = await other.joined("cleo")
    await anna.do("create", G, "ben", "cleo")
    world.buses.go_down()
    await anna.say_in(G, "one")
    left = await ben.do("depart", G, MsgID="d1")
    again = await other.person("ben")
    again.say("join", {"device": "d", "cursors": {G: 1}})
    ack_id = again.say("chat", again.act("depart", G, MsgID="d1"))
    await settle()
    assert again.socket.acks[ack_id] == left
    assert [entry["EvtType"] for entry in cleo.got("message", "depart")] == ["message", "depart"]


async def test_a_create_that_is_sent_again_brings_nobody_back_who_has_left(world: World) -> None:
    anna, ben = await world.joined("anna"), await world.joined("ben")
    made = await anna.do("create", G, "ben", MsgID="c1")
    await ben.do("depart", G)
    await anna.do("depart", G)
    seen = len(ben.socket.packets)
    assert (await anna.do("create", G, "ben", MsgID="c1")) == made
    assert ben.socket.packets[seen:] == []
    assert G not in world.chat.roster.logs


async def test_a_create_sent_again_where_others_went_on_is_acked_before_what_they_said(
    near: World, watched: WatchedStore
) -> None:
    anna, ben = await near.joined("anna"), await near.joined("ben")
    await unanswered(watched, anna, anna.act("create", G, Body='["ben"]', MsgID="c1"))
    await ben.say_in(G, "one")
    await anna.do("create", G, "ben", MsgID="c1")
    await ben.say_in(G, "two")
    near.chat.compare()  # the log of anna says that she is in the group
    await settle()
    assert anna.order(G) == [("ack", 1), ("message", 2), ("message", 3)]
    assert ben.order(G) == [("create", 1), ("ack", 2), ("ack", 3)]


async def test_a_create_sent_again_is_in_the_own_logs_of_all_on_every_node(
    world: World, near: World, watched: WatchedStore
) -> None:
    anna, ben, cleo = (
        await near.joined("anna"),
        await near.joined("ben"),
        await world.joined("cleo"),
    )
    create = anna.act("create", G, Body='["ben", "cleo"]', MsgID="c1")
    await unanswered(watched, anna, create)
    assert cleo.got() == []
    assert (await anna.ask("chat", create))["Seq"] == 1
    await settle()
    for person in (anna, ben, cleo):
        assert [entry["ConvID"] for entry in person.got("conversation")] == [f"user:{person.uid}"]


async def test_the_own_log_says_of_a_first_message_that_is_sent_again_when_it_came_by(
    near: World, watched: WatchedStore
) -> None:
    anna = await near.joined("anna")
    await unanswered(watched, anna, anna.message("anna", "one"))
    await anna.send("anna", "two")  # before which the first one is read
    await anna.send("anna", "one")
    await settle()
    assert len(anna.got("conversation")) == 1


async def test_a_first_message_sent_again_reaches_the_other_on_the_same_node(
    near: World, watched: WatchedStore
) -> None:
    ben, anna = await near.joined("ben"), await near.joined("anna")
    await unanswered(watched, ben, ben.message("anna", "hello"))
    await near.joined("ben", {CONV: 1})  # from here on its log is held, by ben alone
    assert (await ben.send("anna", "hello"))["Seq"] == 1
    assert anna.bodies() == ["hello"]


async def test_a_depart_sent_again_where_memberships_did_not_say_so_yet_is_the_end(
    world: World,
) -> None:
    watched = WatchedStore(world.store)
    watched.members = members = OldMembers(world.store.members)
    near = World(beside=world, store=watched)
    anna, elsewhere = await world.joined("anna"), await world.joined("ben")
    await anna.do("create", G, "ben")
    members.old = await world.store.members.of_user("ben")
    left = await elsewhere.do("depart", G, MsgID="d1")
    ben = await near.joined("ben", {G: 1, "user:ben": 2})
    members.old = None
    assert await ben.do("depart", G, MsgID="d1") == left
    await anna.say_in(G, "after")
    await settle()
    assert ben.bodies() == []
    assert G not in near.chat.roster.logs
    await near.chat.close()


async def test_a_first_message_sent_again_brings_what_came_after_it(
    world: World, other: World
) -> None:
    anna, ben = await world.joined("anna"), await other.joined("ben")
    delivered, world.buses.fate = world.buses.fate, lambda _topic, _payload: 0
    await anna.send("ben", "one")
    await anna.send("ben", "two")
    world.buses.fate = delivered
    await anna.send("ben", "one")
    await settle()
    assert ben.bodies() == ["one", "two"]


async def test_who_came_in_by_rest_without_an_answer_hears_the_group_once_it_has_asked_again(
    world: World, near: World, watched: WatchedStore
) -> None:
    anna, ben = await near.joined("anna"), await world.joined("ben")
    await anna.do("create", G, "cleo")
    entrance = Entrance(Standings(watched.log, watched.members), near.chat.appends, near.clock)
    watched.log.outcomes = []
    asked = asyncio.create_task(entrance.let_in("ben", G, _anyone, by="ben"))
    await settle()
    watched.log.tell(instead=WebchatError(Code.UNAVAILABLE, "no answer in time"))
    with pytest.raises(WebchatError):
        await asked
    assert ben.got("added") == []
    assert (await entrance.let_in("ben", G, _anyone, by="ben")).seq == 2
    await settle()
    assert [entry["EvtType"] for entry in anna.got()][-1] == "join"
    await anna.say_in(G, "hello")
    assert ben.bodies() == ["hello"]


async def test_who_was_invited_without_an_answer_hears_of_it_once_it_is_asked_again(
    world: World, near: World, watched: WatchedStore
) -> None:
    anna, ben = await near.joined("anna"), await world.joined("ben")
    careful = msgspec.structs.replace(new_profile("ben", "Ben"), who_may_add_me="shared")
    await save_profile(world.store.accounts, careful)
    await anna.do("create", G, "cleo")
    refer = anna.act("refer", G, Body='["ben"]', MsgID="r1")
    await unanswered(watched, anna, refer)
    assert ben.got("invitation") == []
    await anna.ask("chat", refer)
    await settle()
    assert len(ben.got("invitation")) == 1
