"""Groups in which only admins write: decided without the store, and never by what is outdated."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.chat.test_governing import G, change, code, make, trio
from tests.chat.world import World, settle
from webchat.model import ConvID, Group
from webchat.ports.members import Members


class CountedMembers:
    """Members that count how often somebody asks what is true of a group, and answer the first of
    those who ask at once last."""

    def __init__(self, members: Members) -> None:
        self._members = members
        self.asked = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._members, name)

    async def group(self, conv: ConvID) -> Group | None:
        self.asked += 1
        for _ in range(6 - self.asked):
            await asyncio.sleep(0)
        return await self._members.group(conv)


async def test_only_admins_write_and_everybody_reads(world: World) -> None:
    anna, ben, cleo = await trio(world)
    await make(anna, "ben", "admin")
    await change(anna, announcements=True)
    assert (await anna.say_in(G, "one"))["ok"]
    assert (await ben.say_in(G, "two"))["ok"]
    refused = await cleo.say_in(G, "three")
    assert code(refused) == "forbidden"
    assert refused["MsgID"] == "cleo-three"
    assert cleo.bodies() == ["one", "two"]
    assert anna.bodies() == ["two"]


async def test_who_may_not_write_may_react_but_not_edit(world: World) -> None:
    anna, _, cleo = await trio(world)
    await cleo.say_in(G, "mine")
    await change(anna, announcements=True)
    edit = await cleo.do("edit", G, Body="new", Refers=2, MsgID="e")
    assert code(edit) == "forbidden"
    assert (await cleo.do("react", G, Body="👍", Refers=2, MsgID="r"))["ok"]
    assert (await cleo.do("delete", G, Refers=2, MsgID="d"))["ok"]


async def test_a_change_of_rules_or_roles_holds_from_its_entry_on(world: World) -> None:
    anna, ben, _ = await trio(world)
    assert (await ben.say_in(G, "free"))["ok"]
    await change(anna, announcements=True)
    assert code(await ben.say_in(G, "not now")) == "forbidden"
    await make(anna, "ben", "admin")
    assert (await ben.say_in(G, "as an admin"))["ok"]
    await make(anna, "ben", "member")
    assert code(await ben.say_in(G, "no more")) == "forbidden"
    await change(anna, announcements=False)
    assert (await ben.say_in(G, "free again"))["ok"]


async def test_a_message_on_its_way_ahead_of_a_rule_is_decided_before_it(world: World) -> None:
    anna, ben, _ = await trio(world)
    await ben.say_in(G, "free")
    early = ben.say("chat", ben.act("message", G, Body="early", MsgID="early"))
    ruled = anna.say("chat", anna.act("group", G, Body='{"announcements":true}'))
    await settle()
    assert ben.socket.acks[early]["Seq"] == anna.socket.acks[ruled]["Seq"] - 1


async def test_a_rule_that_this_node_has_not_heard_of_holds(world: World) -> None:
    other = World(beside=world)
    anna, ben = await world.joined("anna"), await other.joined("ben")
    await anna.do("create", G, "ben")
    assert (await ben.say_in(G, "free"))["ok"]
    world.buses.go_down()
    await change(anna, announcements=True)
    assert ben.got("group") == []
    assert code(await ben.say_in(G, "not now")) == "forbidden"
    await other.chat.close()


async def counting() -> tuple[World, CountedMembers]:
    """A node whose store counts."""
    world = World()
    await world.register("anna", "ben", "cleo")
    await world.chat.close()
    world.store.members = counted = CountedMembers(world.store.members)  # type: ignore[assignment]
    return World(beside=world), counted


async def test_messages_that_a_change_of_rules_overtakes_keep_their_order() -> None:
    world, counted = await counting()
    anna, ben, _ = await trio(world)
    await ben.say_in(G, "free")
    other = World(beside=world)
    elsewhere = await other.joined("anna")
    world.buses.go_down()
    assert (await make(elsewhere, "cleo", "admin"))["ok"]
    counted.asked = 0
    for number in range(4):
        ben.say("chat", ben.act("message", G, Body=f"{number}", MsgID=f"m-{number}"))
    await settle()
    await settle()
    assert anna.bodies() == ["free", "0", "1", "2", "3"]
    for each in (world, other):
        await each.chat.close()


@pytest.mark.parametrize("announcements", [False, True])
async def test_a_message_costs_no_look_into_the_store(announcements: bool) -> None:
    world, counted = await counting()
    anna, *_ = await trio(world)
    await change(anna, announcements=announcements, public=True)
    await anna.say_in(G, "the first one looks")
    counted.asked = 0
    for number in range(3):
        anna.say("chat", anna.act("message", G, Body="x", MsgID=f"m-{number}"))
        assert anna.world.chat.roster.logs[G].lets_write("anna")
    await settle()
    assert counted.asked == 0
    assert len(await world.store.log.read(G, 0, 99)) == 6
    await world.chat.close()


async def test_who_left_and_came_back_is_asked_about_again(world: World) -> None:
    anna, ben, _ = await trio(world)
    await change(anna, announcements=True)
    await make(anna, "ben", "admin")
    await ben.say_in(G, "as an admin")
    await ben.do("depart", G)
    await anna.do("refer", G, "ben")
    assert code(await ben.say_in(G, "as a member")) == "forbidden"


async def test_the_successor_may_write_announcements(world: World) -> None:
    anna, ben, _ = await trio(world)
    await change(anna, announcements=True)
    assert code(await ben.say_in(G, "not yet")) == "forbidden"
    await anna.do("depart", G)
    assert (await ben.say_in(G, "mine now"))["ok"]
    assert json.loads(ben.got("group")[0]["Body"]) == {"announcements": True}
