"""Positions and receipts that the bus did not bring."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

from tests.chat.world import Person, World, settle
from webchat.chat.assembly import Settings
from webchat.chat.joining import JoinSettings

CONV = "dm:anna:ben"


async def test_a_position_moved_during_an_outage_is_told_when_the_bus_is_back(
    world: World, other: World
) -> None:
    phone, laptop = await world.joined("anna"), await other.joined("anna")
    ben = await world.joined("ben")
    await ben.send("anna", "hello")
    await phone.confirm("display", "ben", ConvID=CONV, Seq=1)
    assert places_displayed(laptop) == [1]
    await ben.send("anna", "more")
    other.bus.cut_off()
    await phone.confirm("display", "ben", ConvID=CONV, Seq=2)
    assert len(laptop.got("position")) == 1
    other.bus.reconnect()
    await settle()
    (_, position) = laptop.got("position")
    assert (position["ConvID"], position["delivered"], position["displayed"]) == (CONV, 2, 2)
    other.bus.cut_off()
    other.bus.reconnect()
    await settle()
    assert len(laptop.got("position")) == 2


async def test_a_position_that_could_not_be_published_is_published_later(
    world: World, other: World
) -> None:
    phone, laptop = await world.joined("anna"), await other.joined("anna")
    ben = await world.joined("ben")
    for body in ("one", "two"):
        await ben.send("anna", body)
    world.bus.cut_off()
    await phone.confirm("display", "ben", ConvID=CONV, Seq=1)
    await phone.confirm("display", "ben", ConvID=CONV, Seq=2)
    assert laptop.got("position") == []
    world.bus.reconnect()
    await settle()
    assert places_displayed(laptop) == [2]


async def test_a_position_that_another_has_overtaken_takes_nobody_back(
    world: World, other: World
) -> None:
    ben = await world.joined("ben")
    for body in ("one", "two", "three"):
        await ben.send("anna", body)
    phone, laptop = await world.joined("anna"), await other.joined("anna")
    tablet = await other.joined("anna")
    world.buses.hold_back()
    await phone.confirm("delivery", "ben", ConvID=CONV, Seq=3)
    await phone.confirm("display", "ben", ConvID=CONV, Seq=1)
    await laptop.confirm("display", "ben", ConvID=CONV, Seq=2)
    world.buses.let_go()
    assert (tablet.got("position")[-1]["delivered"], places_displayed(tablet)[-1]) == (3, 2)
    assert places_displayed(laptop) == [2, 2]
    assert places_displayed(phone) == [2]


async def test_a_position_that_a_bus_took_which_others_had_left_is_told_again(
    world: World, other: World
) -> None:
    phone, laptop = await world.joined("anna"), await other.joined("anna")
    ben = await world.joined("ben")
    for body in ("one", "two"):
        await ben.send("anna", body)
    other.bus.cut_off()
    other.bus.reconnect()
    world.buses.fate = lambda _topic, _payload: 0
    await phone.confirm("display", "ben", ConvID=CONV, Seq=1)
    await phone.send("ben", "mine")
    await world.pass_time(14.0)
    assert places_displayed(laptop) == [0]
    world.bus.cut_off()
    world.buses.fate = lambda _topic, _payload: 1
    await back_on_the_bus(world, world)
    assert places_displayed(laptop) == [0, 3]
    await back_on_the_bus(world, world)
    assert places_displayed(laptop) == [0, 3]


def places_displayed(person: Person) -> list[int]:
    """How far its user had read each time that this device was told so."""
    return [said["displayed"] for said in person.got("position")]


async def test_receipts_that_could_not_be_published_are_published_later(
    world: World, other: World
) -> None:
    anna, ben = await world.joined("anna"), await other.joined("ben")
    for body in ("one", "two"):
        await anna.send("ben", body)
    other.bus.cut_off()
    await ben.confirm("display", "anna", ConvID=CONV, Seq=1)
    await ben.confirm("delivery", "anna", ConvID=CONV, Seq=2)
    assert anna.got("delivery", "display") == []
    other.bus.reconnect()
    await settle()
    told = {said["EvtType"]: said["Seq"] for said in anna.got("delivery", "display")}
    assert told == {"delivery": 2, "display": 1}


async def test_receipts_published_while_others_are_not_back_on_the_bus_reach_them_when_they_are(
    world: World, other: World
) -> None:
    anna, ben = await world.joined("anna"), await other.joined("ben")
    for body in ("one", "two"):
        await anna.send("ben", body)
    world.bus.cut_off()
    other.bus.cut_off()
    await ben.confirm("delivery", "anna", ConvID=CONV, Seq=2)
    other.bus.reconnect()
    await ben.confirm("display", "anna", ConvID=CONV, Seq=1)
    await back_on_the_bus(world, other)
    told = {said["EvtType"]: said["Seq"] for said in anna.got("delivery", "display")}
    assert told == {"delivery": 2, "display": 1}


async def test_what_was_read_while_the_author_s_node_alone_had_no_bus_is_told_when_it_is_back(
    world: World, other: World
) -> None:
    anna = await author_whose_message_was_read_without_the_bus(world, other)
    await other.pass_time(60.0)
    assert anna.got("delivery", "display") == []
    await back_on_the_bus(world, other)
    assert [(said["EvtType"], said["Seq"]) for said in anna.got("delivery", "display")] == [
        ("display", 1)
    ]


async def test_what_was_read_while_the_author_s_node_stood_still_is_told_when_it_is_back(
    world: World, other: World
) -> None:
    """It did not hear that, and lost the bus only when it went on."""
    anna, ben = await world.joined("anna"), await other.joined("ben")
    await anna.send("ben", "hello")
    world.bus.is_unheeded = True
    await ben.confirm("display", "anna", ConvID=CONV, Seq=1)
    await other.pass_time(45.0)
    world.bus.cut_off(deaf_s=46.0)
    world.bus.is_unheeded = False
    await back_on_the_bus(world, other)
    assert [said["Seq"] for said in anna.got("display")] == [1]


async def test_what_was_read_between_two_outages_that_overlap_is_told_after_both(
    world: World, other: World
) -> None:
    anna = await author_whose_message_was_read_without_the_bus(world, other)
    await other.pass_time(20.0)
    other.bus.cut_off()
    await other.pass_time(20.0)
    world.bus.reconnect()
    await other.pass_time(20.0)
    assert anna.got("display") == []
    await back_on_the_bus(other, other)
    assert [said["Seq"] for said in anna.got("display")] == [1]


async def test_what_was_read_before_the_bus_was_back_for_a_moment_alone_is_told_after_that(
    world: World, other: World
) -> None:
    anna = await author_whose_message_was_read_without_the_bus(world, other)
    await other.pass_time(20.0)
    world.bus.reconnect()
    await settle()
    world.bus.cut_off()
    await other.pass_time(20.0)
    assert anna.got("display") == []
    await back_on_the_bus(world, other)
    assert [said["Seq"] for said in anna.got("display")] == [1]


async def test_counts_made_while_the_author_s_node_alone_had_no_bus_are_told_when_it_is_back(
    world: World, other: World
) -> None:
    anna, read = await author_and_reader_of_a_crowd(world, other)
    world.bus.cut_off()
    await read()
    await other.pass_time(60.0)
    assert anna.got("receipts") == []
    await back_on_the_bus(world, other)
    await other.pass_time(1.0)  # in which they are counted again
    assert [json.loads(said["Body"]) for said in anna.got("receipts")] == [[[2, 1, 1]]]


async def test_counts_published_while_others_are_not_back_on_the_bus_reach_them_when_they_are(
    world: World, other: World
) -> None:
    anna, read = await author_and_reader_of_a_crowd(world, other)
    world.bus.cut_off()
    other.bus.cut_off()
    other.bus.reconnect()
    await read()
    await other.pass_time(2.0)
    await back_on_the_bus(world, other)
    await other.pass_time(1.0)
    assert json.loads(anna.got("receipts")[-1]["Body"]) == [[2, 1, 1]]


async def test_what_was_said_long_before_an_outage_is_not_said_again(
    world: World, other: World
) -> None:
    anna, ben = await world.joined("anna"), await other.joined("ben")
    await anna.send("ben", "hello")
    other.bus.cut_off()
    other.bus.reconnect()
    await ben.confirm("display", "anna", ConvID=CONV, Seq=1)
    await other.pass_time(30.0)
    world.bus.cut_off()
    await back_on_the_bus(world, other)
    assert len(anna.got("display")) == 1


async def test_receipts_that_a_bus_took_which_others_had_left_are_told_again(
    world: World, other: World
) -> None:
    anna, ben = await world.joined("anna"), await other.joined("ben")
    await anna.send("ben", "hello")
    world.bus.cut_off()
    world.bus.reconnect()
    other.buses.fate = lambda _topic, _payload: 0
    await ben.confirm("display", "anna", ConvID=CONV, Seq=1)
    await other.pass_time(14.0)
    assert anna.got("display") == []
    other.bus.cut_off()
    other.buses.fate = lambda _topic, _payload: 1
    await back_on_the_bus(other, other)
    assert [said["Seq"] for said in anna.got("display")] == [1]


async def test_what_was_read_while_the_author_s_node_had_no_bus_is_shown_when_it_is_back(
    world: World, other: World
) -> None:
    anna, ben = await world.joined("anna"), await other.joined("ben")
    await anna.send("ben", "hello")
    await anna.ask("sync", {"cursors": {}, "receipts": [CONV]})
    await settle()
    world.bus.cut_off()
    await ben.confirm("display", "anna", ConvID=CONV, Seq=1)
    assert anna.got("display") == []
    world.bus.reconnect()
    await settle()
    before, after = (json.loads(said["Body"]) for said in anna.got("receipts"))
    assert (before, after) == ([["anna", 1, 1], ["ben", 0, 0]], [["anna", 1, 1], ["ben", 1, 1]])


async def test_of_the_snapshots_asked_for_the_newest_come_again_after_an_outage() -> None:
    node = World(Settings(open_mode=True, join=JoinSettings(snapshots=2)))
    anna = await node.joined("anna")
    for uid in ("ben", "cora", "dan"):
        await node.person(uid)
        await anna.send(uid, "hello")
        await anna.ask("sync", {"cursors": {}, "receipts": [f"dm:anna:{uid}"]})
    await settle()
    asked = len(anna.got("receipts"))
    node.bus.cut_off()
    node.bus.reconnect()
    await settle()
    again = [said["ConvID"] for said in anna.got("receipts")[asked:]]
    assert again == ["dm:anna:cora", "dm:anna:dan"]


async def author_and_reader_of_a_crowd(
    world: World, other: World
) -> tuple[Person, Callable[[], Awaitable[None]]]:
    """Who said something in a group that is too large for single receipts, and how somebody on the
    other node reads it."""
    group, crowd = "group_crowd", [f"m{number}" for number in range(101)]
    await world.register(*crowd)
    anna = await world.joined("anna")
    await anna.do("create", group, *crowd)
    await anna.say_in(group, "hello")
    reader = await other.joined(crowd[0], {group: 2})

    async def read() -> None:
        where = {"ConvID": group, "Seq": 2, "From": group, "Originated": reader.uid}
        await reader.confirm("display", group, **where)

    return anna, read


async def author_whose_message_was_read_without_the_bus(world: World, other: World) -> Person:
    """Who said something, lost the bus, and was then read by somebody on the other node."""
    anna, ben = await world.joined("anna"), await other.joined("ben")
    await anna.send("ben", "hello")
    world.bus.cut_off()
    await ben.confirm("display", "anna", ConvID=CONV, Seq=1)
    return anna


async def back_on_the_bus(node: World, other: World) -> None:
    """A node has its bus again, and what is said again for it has been."""
    node.bus.reconnect()
    await settle()
    await other.pass_time(1.0)
