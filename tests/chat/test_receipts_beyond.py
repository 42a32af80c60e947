"""Receipts of more than there is: they count up to what was the last when they came."""

from __future__ import annotations

from typing import Any

import pytest

from tests.chat.watched import lose_answers
from tests.chat.world import Person, World, settle, three
from webchat.model import NO_POSITION, Position

CONV = "dm:anna:ben"
G = "group_1"
BEYOND = 2**53


def display(reader: Person, **where: Any) -> dict[str, Any]:
    said = {"EvtType": "display", "From": reader.uid, "To": "anna", "ConvID": CONV, "Seq": BEYOND}
    return said | where


def in_group(reader: Person) -> dict[str, Any]:
    return reader.act("display", G, ConvID=G, Seq=BEYOND)


async def position(world: World, uid: str, conv: str = CONV) -> Position:
    return (await world.store.positions.of_user(uid, [conv])).get(conv, NO_POSITION)


def displayed(person: Person) -> list[int]:
    return [said["Seq"] for said in person.got("display")]


async def pair(world: World) -> tuple[Person, Person]:
    anna, ben = await world.joined("anna"), await world.joined("ben")
    await anna.send("ben", "one")
    return anna, ben


async def test_what_is_said_before_one_is_written_is_not_read_by_it(world: World) -> None:
    anna, ben = await pair(world)
    ben.say("chat", display(ben))
    await settle()
    await anna.send("ben", "two")
    await world.pass_time(1)
    assert displayed(anna) == [1]
    assert (await position(world, "ben")).displayed == 1


async def test_what_is_said_before_a_page_s_is_written_waits_for_its_own(
    open_world: World,
) -> None:
    anna, ben = await open_world.joined("anna"), await open_world.person("ben")
    assert (await ben.ask("join", "ben"))["ok"]
    await anna.send("ben", "one")
    ben.say("chat", display(ben, EvtType="delivery"))
    await settle()
    await anna.send("ben", "two")
    await open_world.pass_time(1)
    assert (await position(open_world, "ben")).delivered == 1


async def test_what_is_said_before_one_is_made_again_is_not_read_by_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna, ben = await pair(world)
    lose_answers(world, monkeypatch, by_itself=True, is_stored=False)
    ben.say("chat", display(ben), ack=False)
    await world.pass_time(1)
    monkeypatch.undo()
    await anna.send("ben", "two")
    await world.pass_time(10)
    assert displayed(anna) == [1]


async def test_it_counts_up_to_what_the_store_has_though_no_publish_brought_it(
    world: World, other: World
) -> None:
    anna, ben = await world.joined("anna"), await other.joined("ben")
    await anna.send("ben", "one")
    world.buses.fate = lambda _topic, _payload: 0
    await anna.send("ben", "two")
    ben.say("chat", display(ben))
    await settle()
    await anna.send("ben", "three")
    await world.pass_time(1)
    assert (await position(world, "ben")).displayed == 2


async def test_who_leaves_before_one_is_written_has_read_nothing_of_what_comes_then(
    world: World,
) -> None:
    anna, ben, _ = await three(world, G, "ben")
    await anna.say_in(G, "one")
    ben.say("chat", in_group(ben))
    await settle()
    await ben.do("depart", G)
    await anna.say_in(G, "without ben")
    await world.pass_time(1)
    assert displayed(anna) == [2]
    assert (await position(world, "ben", G)).displayed == 2


async def test_who_has_left_elsewhere_has_read_up_to_there(world: World, other: World) -> None:
    ben = await other.joined("ben")
    anna, tablet, _ = await three(world, G, "ben")
    await anna.say_in(G, "one")
    world.buses.fate = lambda _topic, _payload: 0
    await tablet.do("depart", G)
    await anna.say_in(G, "without ben")
    ben.say("chat", in_group(ben))
    await world.pass_time(1)
    assert (await position(world, "ben", G)).displayed == 3
