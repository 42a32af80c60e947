"""Receipts that are told when the bus is back are told as they are by then."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest

from tests.chat.world import World
from webchat.chat.assembly import Settings
from webchat.service.read_positions import ReceiptSettings

CONV = "dm:anna:ben"
G = "group_g"


@pytest.fixture
async def counting() -> AsyncIterator[World]:
    """A secured node where authors in all groups get counts."""
    made = World(Settings(receipts=ReceiptSettings(told_members=0)))
    await made.register("anna", "ben", "cleo")
    yield made
    await made.chat.close()


async def pass_intervals(world: World) -> None:
    """In which receipts are gathered, stored and counted."""
    for _ in range(8):
        await world.pass_time(0.5)


async def test_counts_of_a_node_that_had_no_bus_do_not_take_newer_ones_back(
    counting: World,
) -> None:
    there = World(beside=counting)
    anna, ben = await counting.joined("anna"), await there.joined("ben")
    cleo = await counting.joined("cleo")
    await anna.do("create", G, "ben", "cleo")
    await anna.say_in(G, "who has this?")
    await pass_intervals(counting)
    there.bus.cut_off()
    await ben.confirm("display", G, ConvID=G, Seq=2)
    await pass_intervals(counting)
    await cleo.confirm("display", G, ConvID=G, Seq=2)
    await pass_intervals(counting)
    before = len(anna.got("receipts"))
    there.bus.reconnect()
    await pass_intervals(counting)
    assert len(anna.got("receipts")) > before
    told = [json.loads(said["Body"]) for said in anna.got("receipts")]
    assert told == [[[2, 2, 2]]] * len(told)
    await there.chat.close()


async def test_a_display_that_was_hidden_during_an_outage_is_told_as_a_delivery(
    world: World, other: World
) -> None:
    anna, ben = await world.joined("anna"), await other.joined("ben")
    await anna.send("ben", "hello")
    other.bus.cut_off()
    await ben.confirm("display", "anna", ConvID=CONV, Seq=1)
    await other.pass_time(1.0)
    await hide_displays("ben", other, world)
    other.bus.reconnect()
    await other.pass_time(2.0)
    told = [(said["EvtType"], said["Seq"]) for said in anna.got("delivery", "display")]
    assert set(told) == {("delivery", 1)}


@pytest.mark.parametrize("who", ["ben", "anna"], ids=["the reader", "the author"])
async def test_a_display_that_was_hidden_since_it_was_told_is_not_told_again(
    world: World, other: World, who: str
) -> None:
    anna, ben = await world.joined("anna"), await other.joined("ben")
    await anna.send("ben", "hello")
    await ben.confirm("display", "anna", ConvID=CONV, Seq=1)
    await other.pass_time(1.0)
    assert len(anna.got("display")) == 1
    await hide_displays(who, other, world)
    world.bus.cut_off()
    anna.leave()
    anna = await world.joined("anna", {CONV: 1})
    world.bus.reconnect()
    await other.pass_time(2.0)
    assert anna.got("display") == []


async def hide_displays(uid: str, *worlds: World) -> None:
    """Somebody turns display receipts off, of which all nodes know by now."""
    await worlds[0].profiles.change(uid, {"display_receipts": False})
    for world in worlds[1:]:
        await world.profiles.forget(uid)
