"""Receipts for pages, devices of the seed's form, that the bus passed on and did not say so."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.chat.world import Person, World, settle

CONV = "dm:anna:ben"
BODIES = ("one", "two", "three", "four")


@pytest.fixture
async def beside(open_world: World) -> AsyncIterator[World]:
    """A second node beside the one in open mode."""
    made = World(beside=open_world)
    yield made
    await made.chat.close()


@pytest.fixture
async def anna(open_world: World) -> Person:
    """A page at the first node, whose user has written to ben."""
    page = await open_world.person("anna")
    await page.ask("join", "anna")
    for body in BODIES:
        await page.send("ben", body)
    return page


@pytest.fixture
async def ben(anna: Person, beside: World) -> Person:
    """Her reader, at the second node."""
    return await beside.joined("ben")


def displayed(page: Person) -> list[str]:
    """What a page was told that has been read, in order."""
    return [said["MsgID"].removeprefix("anna-") for said in page.got("display")]


async def read(reader: Person, *seqs: int) -> None:
    for seq in seqs:
        await reader.confirm("display", "anna", ConvID=CONV, Seq=seq)


async def back_on_the_bus(node: World) -> None:
    node.bus.reconnect()
    await settle()
    await node.pass_time(1.0)


async def test_what_the_bus_passed_on_without_an_answer_is_not_told_twice(
    anna: Person, ben: Person, beside: World
) -> None:
    beside.bus.withhold()
    await read(ben, 1)
    assert displayed(anna) == ["one"]
    beside.bus.cut_off()
    await back_on_the_bus(beside)
    assert displayed(anna) == ["one"]


async def test_nor_is_it_together_with_what_was_read_after_it(
    anna: Person, ben: Person, beside: World
) -> None:
    beside.bus.withhold()
    await read(ben, 1, 2)
    beside.bus.cut_off()
    await read(ben, 3, 4)
    assert displayed(anna) == ["one", "two"]
    await back_on_the_bus(beside)
    assert displayed(anna) == ["one", "two", "three", "four"]


async def test_nor_where_the_bus_is_lost_again_before_it_is_said_again(
    anna: Person, ben: Person, beside: World
) -> None:
    beside.bus.withhold()
    await read(ben, 1)
    beside.bus.cut_off()
    beside.bus.reconnect()
    beside.bus.cut_off()
    await read(ben, 2)
    await back_on_the_bus(beside)
    assert displayed(anna) == ["one", "two"]
