"""Acks that wait for the bus in groups, by REST and in the seed's form."""

from __future__ import annotations

import asyncio

import pytest

from tests.chat.world import World, settle
from webchat.chat.assembly import Settings
from webchat.chat.lag import BacklogSettings
from webchat.chat.settings import RepairSettings
from webchat.model import Draft
from webchat.ports.log import Append

CONV = "dm:anna:ben"
G = "group_g"


async def test_a_create_waits_for_every_one_of_its_publishes(world: World, other: World) -> None:
    anna, ben = await world.joined("anna"), await other.joined("ben")
    world.bus.withhold()
    ack_id = anna.say("chat", anna.act("create", G, Body='["ben"]'))
    await settle()
    assert ben.got("create")
    world.bus.answer(2)  # of the group's entry, and of the first user log that follows
    assert ack_id not in anna.socket.acks
    world.bus.answer()
    assert anna.socket.acks[ack_id]["Seq"] == 1


async def test_who_refers_gets_the_join_and_then_its_ack(world: World, other: World) -> None:
    anna, ben = await world.joined("anna"), await world.joined("ben")
    await anna.do("create", G, "ben")
    world.bus.withhold()
    anna.say("chat", anna.act("refer", G, Body='["cleo"]'))
    await settle()
    ben.say("chat", ben.act("message", G, Body="after", MsgID="m"))
    await settle()
    assert ben.order(G)[-1] == ("join", 2)
    assert anna.order(G) == [("ack", 1)]
    world.bus.answer()
    assert anna.order(G) == [("ack", 1), ("join", 2), ("ack", 2), ("message", 3)]


async def test_who_departs_and_is_brought_back_meanwhile_misses_nothing(
    world: World, other: World
) -> None:
    anna, ben = await world.joined("anna"), await other.joined("ben")
    await anna.do("create", G, "ben")
    world.bus.withhold()
    anna.say("chat", anna.act("depart", G))
    await settle()
    await ben.say_in(G, "without her")
    await ben.do("refer", G, "anna")
    await ben.say_in(G, "with her")
    world.bus.answer()
    await settle()
    assert anna.order(G) == [("ack", 1), ("ack", 2), ("skip", 3), ("join", 4), ("message", 5)]


@pytest.mark.parametrize("queued_entries", [100, 1])
async def test_who_is_put_out_and_in_and_out_again_meanwhile_has_its_ack_and_what_comes_later(
    world: World, queued_entries: int
) -> None:
    settings = Settings(backlog=BacklogSettings(queued_entries=queued_entries))
    node = World(settings, beside=world)
    anna, ben = await world.joined("anna"), await node.joined("ben")
    await anna.do("create", G, "ben")
    node.bus.withhold()
    ben.say("chat", ben.act("message", G, Body="mine", MsgID="m"))
    await settle()
    await anna.say_in(G, "after")
    await anna.do("remove", G, "ben")
    world.buses.hold_back()  # the next entries of his own log come together
    await anna.do("refer", G, "ben")
    await anna.do("remove", G, "ben")
    world.buses.let_go()
    await settle()
    assert ben.order(G) == [("create", 1)]
    node.bus.answer()
    await settle()
    wanted = [("create", 1), ("ack", 2), ("message", 3), ("remove", 4), ("join", 5), ("remove", 6)]
    assert ben.order(G) == wanted
    await anna.do("create", "group_h", "cleo")
    await anna.do("refer", "group_h", "ben")
    assert ben.order("group_h") == [("skip", 1), ("join", 2)]
    await node.chat.close()


async def test_what_comes_by_rest_returns_when_the_bus_has_answered(
    world: World, other: World
) -> None:
    draft = Draft("setting", "anna", "", b'{"EvtType":"setting"}')

    async def decide() -> Append:
        return Append("user:anna", (draft,))

    world.bus.withhold()
    act = asyncio.ensure_future(world.chat.appends.decided("user:anna", decide))
    await settle()
    assert not act.done()
    world.bus.answer()
    assert (await act).entries[0].seq == 1


# The seed's form


async def test_a_seed_form_sender_waits_the_same_way() -> None:
    node = World(Settings(open_mode=True))
    beside = World(beside=node)
    anna, ben = await node.person("anna"), await node.joined("ben")
    await anna.ask("join", "anna")
    node.bus.withhold()
    anna.say("chat", anna.message("ben", "mine"))
    await settle()
    ben.say("chat", ben.message("anna", "after"))
    await settle()
    assert anna.order(CONV) == []
    node.bus.answer()
    assert anna.order(CONV) == [("ack", 1), ("message", 2)]
    await anna.confirm("delivery", "ben", MsgID="ben-after")
    node.bus.answer()
    positions = await node.store.positions.of_user("anna", [CONV])
    assert positions[CONV].delivered == 2
    for world in (node, beside):
        await world.chat.close()


async def test_a_list_for_the_seeds_form_keeps_its_place_behind_an_ack() -> None:
    node = World(Settings(open_mode=True))
    beside = World(beside=node)
    anna, ben = await node.person("anna"), await node.joined("ben")
    await anna.ask("join", "anna")
    await ben.do("create", G, "anna", "cleo")
    node.bus.withhold()
    anna.say("chat", anna.act("message", G, Body="mine", MsgID="m"))
    await settle()
    ben.say("chat", ben.act("remove", G, Body='["cleo"]'))
    ben.say("chat", ben.act("message", G, Body="after", MsgID="n"))
    await settle()
    assert anna.order(G) == [("notify", 1)]
    node.bus.answer()
    await settle()
    assert anna.order(G) == [("notify", 1), ("ack", 2), ("notify", 3), ("message", 4)]
    for world in (node, beside):
        await world.chat.close()


async def test_two_connections_that_send_the_same_into_a_gap_both_have_its_ack(
    world: World, other: World
) -> None:
    anna, page = await world.joined("anna"), await world.joined("anna")
    ben = await other.joined("ben")
    await anna.do("create", G, "ben")
    world.bus.cut_off()
    await ben.say_in(G, "unheard")
    said = anna.act("message", G, Body="once", MsgID="m")
    asked = [(person, person.say("chat", said)) for person in (anna, page)]
    await settle()
    assert [person.socket.acks[ack_id]["Seq"] for person, ack_id in asked] == [3, 3]
    assert page.bodies() == ["unheard"]


async def test_an_ack_is_not_lost_where_its_sender_was_out_and_back_before_it(
    world: World,
) -> None:
    node = World(Settings(repair=RepairSettings(gap_page=2)), beside=world)
    anna, ben = await world.joined("anna"), await node.joined("ben")
    await anna.do("create", G, "ben")
    node.bus.cut_off()
    await (await world.joined("ben")).do("depart", G)
    await anna.do("refer", G, "ben")
    for body in ("one", "two", "three"):
        await anna.say_in(G, body)
    assert (await ben.say_in(G, "mine"))["Seq"] == 7
    assert ben.bodies() == ["one", "two", "three"]
    await node.chat.close()


async def test_who_names_a_place_in_a_group_left_elsewhere_is_not_sent_it_again(
    world: World, other: World
) -> None:
    """Where the user is here already, and this node has not heard of the group."""
    ben, laptop = await world.joined("ben"), await other.joined("ben")
    other.bus.cut_off()
    await (await world.joined("anna")).do("create", G, "ben")
    await ben.do("depart", G)
    phone = await other.joined("ben", {G: 2})
    other.bus.reconnect()
    await settle()
    assert phone.order(G) == []
    assert laptop.order(G) == [("create", 1), ("depart", 2)]
