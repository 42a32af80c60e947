"""Counts in large groups, made by several nodes: at most one a second for each author."""

from __future__ import annotations

import json
from itertools import pairwise

from tests.chat.world import Person, World
from tests.memory import ManualClock
from webchat.chat.counted import Counted
from webchat.service.read_positions import Counts

G = "group_crowd"
CROWD = [f"m{number}" for number in range(101)]


async def author_and_readers(*worlds: World) -> tuple[Person, list[Person]]:
    """Who has said something in a group with counts, at the first node; readers at all of them."""
    world = worlds[0]
    await world.register(*CROWD)
    anna = await world.joined("anna")
    await anna.do("create", G, *CROWD)
    await anna.say_in(G, "hello")
    places = [*worlds, *worlds]
    return anna, [await node.joined(CROWD[i], {G: 2}) for i, node in enumerate(places)]


def say_displayed(reader: Person) -> None:
    reader.say("chat", reader.act("display", G, ConvID=G, Seq=2))


async def test_an_author_is_told_at_most_once_a_second_however_many_nodes_count(
    world: World, other: World, near: World
) -> None:
    anna, readers = await author_and_readers(world, other, near)
    told_at_s: list[float] = []
    for reader in [*readers, *[None] * 10]:
        if reader is not None:
            say_displayed(reader)
        await world.pass_time(0.25)
        news = len(anna.got("receipts")) - len(told_at_s)
        told_at_s += [world.clock.monotonic_s()] * news
    assert len(told_at_s) > 1
    assert all(later - earlier >= 1.0 for earlier, later in pairwise(told_at_s))
    assert json.loads(anna.got("receipts")[-1]["Body"]) == [[2, 6, 6]]


async def test_what_another_node_has_counted_as_well_is_told_once(
    world: World, other: World, near: World
) -> None:
    anna, readers = await author_and_readers(world, other, near)
    for reader in readers:
        say_displayed(reader)
    for _ in range(20):
        await world.pass_time(0.25)
    assert [json.loads(said["Body"]) for said in anna.got("receipts")] == [[[2, 6, 6]]]


async def test_of_what_comes_within_a_second_the_newest_of_each_message_is_told() -> None:
    clock = ManualClock()
    told: list[Counts] = []
    counted = Counted(told.append, clock, 1.0)
    for row in ((2, 1, 0), (2, 2, 0), (3, 1, 0), (2, 3, 1)):
        counted.add(Counts("anna", G, (row,)))
    counted.add(Counts("anna", "group_2", ((1, 1, 1),)))
    clock.advance(0.9)
    assert [counts.rows for counts in told] == [((2, 1, 0),), ((1, 1, 1),)]
    clock.advance(0.1)
    assert [counts.rows for counts in told[2:]] == [((2, 3, 1), (3, 1, 0))]


async def test_what_was_told_long_ago_may_be_told_again() -> None:
    clock = ManualClock()
    told: list[Counts] = []
    counted = Counted(told.append, clock, 1.0)
    for _ in range(3):
        counted.add(Counts("anna", G, ((2, 1, 0),)))
        clock.advance(1.0)
    assert len(told) == 3
