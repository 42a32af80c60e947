"""Snapshots of receipts that are long in being read, or cannot be read at all."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest

from tests.chat.world import Person, World, settle, three
from webchat.chat.assembly import Settings
from webchat.errors import Code, WebchatError
from webchat.model import Position
from webchat.service.read_positions import ReceiptSettings

CONV = "dm:anna:ben"
G = "group_1"


class SlowPositions:
    """A store's. `reads`: of which conversations a user's were read. `damaged`: those of which that
    fails; `meanwhile`: what happens until members' are answered; `counting`: or until counts are,
    but for those that are asked for while it happens."""

    def __init__(self, positions: Any) -> None:
        self._positions = positions
        self.reads: list[str] = []
        self.damaged: dict[str, Code] = {}
        self.meanwhile: Callable[[], Awaitable[Any]] | None = None
        self.counting: Callable[[], Awaitable[Any]] | None = None

    def __getattr__(self, method: str) -> Any:
        return getattr(self._positions, method)

    async def of_user(self, uid: str, convs: Sequence[str]) -> Mapping[str, Position]:
        self.reads += convs
        for conv in convs:
            if conv in self.damaged:
                raise WebchatError(self.damaged[conv], "it cannot be read")
        found: Mapping[str, Position] = await self._positions.of_user(uid, convs)
        return found

    async def of_members(self, conv: str, uids: Sequence[str]) -> Mapping[str, Position]:
        found: Mapping[str, Position] = await self._positions.of_members(conv, uids)
        if self.meanwhile is not None:
            await self.meanwhile()
        return found

    async def counts(
        self, conv: str, author: str, seqs: Sequence[int]
    ) -> Mapping[int, tuple[int, int]]:
        counting, self.counting = self.counting, None
        counts: Mapping[int, tuple[int, int]] = await self._positions.counts(conv, author, seqs)
        if counting is not None:
            await counting()
            self.counting = counting
        return counts


@pytest.fixture
async def slow(world: World) -> AsyncIterator[tuple[World, SlowPositions]]:
    """A node beside the secured one, and its positions."""
    async for made in _slow(world, world.settings):
        yield made


@pytest.fixture
async def crowded(world: World) -> AsyncIterator[tuple[World, SlowPositions]]:
    """One for which a group of three is large."""
    async for made in _slow(world, Settings(receipts=ReceiptSettings(told_members=2))):
        yield made


async def _slow(world: World, settings: Settings) -> AsyncIterator[tuple[World, SlowPositions]]:
    positions = SlowPositions(world.store.positions)
    store = SimpleNamespace(**{**vars(world.store), "positions": positions})
    made = World(settings, beside=world, store=store)
    yield made, positions
    await made.chat.close()


def snapshots(person: Person) -> list[Any]:
    return [json.loads(said["Body"]) for said in person.got("receipts")]


def shown(person: Person) -> list[str]:
    """Of which conversations it was shown snapshots."""
    return [said["ConvID"] for said in person.got("receipts")]


def displayed(person: Person) -> list[int]:
    """How far its user had read each time that this device was told so."""
    return [said["displayed"] for said in person.got("position")]


async def ask(person: Person, *convs: str) -> None:
    assert (await person.ask("sync", {"cursors": {}, "receipts": convs}))["ok"]
    await settle(1_000)  # some wait for as long meanwhile


async def reads(reader: Person, seq: int) -> None:
    await reader.confirm("display", "ben", ConvID=CONV, Seq=seq)


# Of what


@pytest.mark.parametrize("name", ["join", "sync"])
async def test_of_a_conversation_that_no_publish_has_brought_it_is_shown_all_the_same(
    world: World, other: World, name: str
) -> None:
    anna, ben = await world.joined("anna"), await other.joined("ben")
    world.buses.fate = lambda _topic, _payload: 0
    await anna.send("ben", "one")
    device = ben if name == "sync" else await other.person("ben")
    said = {"device": "d", "cursors": {}, "receipts": [CONV]}
    world.store.is_down = True
    assert (await device.ask(name, said))["error"]["code"] == "unavailable"
    world.store.is_down = False
    assert (await device.ask(name, said))["ok"]
    assert snapshots(device) == [[["anna", 1, 1], ["ben", 0, 0]]]
    assert device.bodies() == ["one"]


class CountedMembers:
    """`calls`: what was asked of them."""

    def __init__(self, members: Any) -> None:
        self._members = members
        self.calls: list[str] = []

    def __getattr__(self, method: str) -> Any:
        self.calls.append(method)
        return getattr(self._members, method)


async def test_to_pass_over_all_that_is_others_takes_one_look_into_the_store(world: World) -> None:
    members = CountedMembers(world.store.members)
    store = SimpleNamespace(**{**vars(world.store), "members": members})
    node = World(beside=world, store=store)
    anna = await node.joined("anna")
    members.calls.clear()
    await ask(anna, *(f"dm:ben:cleo-{number}" for number in range(25)), *(["group_x"] * 25))
    assert (shown(anna), members.calls) == ([], ["of_user"])
    await node.chat.close()


# What is told while one is read


async def test_a_receipt_that_is_told_while_a_snapshot_is_read_is_not_taken_back(
    slow: tuple[World, SlowPositions],
) -> None:
    node, positions = slow
    ben, anna = await node.joined("ben"), await node.joined("anna")
    for body in ("one", "two"):
        await ben.send("anna", body)

    async def anna_reads() -> None:
        positions.meanwhile = None
        await reads(anna, 2)

    positions.meanwhile = anna_reads
    await ask(ben, CONV)
    (receipt,) = ben.got("display")
    assert (receipt["From"], receipt["Seq"]) == ("anna", 2)
    assert snapshots(ben) == [[["anna", 2, 2], ["ben", 2, 2]]]


async def test_counts_that_are_told_again_and_again_are_neither_taken_back_nor_read_again(
    crowded: tuple[World, SlowPositions],
) -> None:
    node, positions = crowded
    anna, ben, _ = await three(node, G, "ben", "cleo")
    for body in map(str, range(10)):
        await anna.say_in(G, body)
    seqs = count(3)

    async def ben_reads() -> None:
        await ben.confirm("display", G, ConvID=G, Seq=next(seqs), From=G, Originated="ben")
        await node.pass_time(2.0)

    positions.counting = ben_reads
    await ask(anna, G)
    positions.counting = None
    told, snapshot = snapshots(anna)
    assert told == [[2, 1, 1], [3, 1, 1]]
    assert snapshot == [*told, *[[seq, 0, 0] for seq in range(4, 12)]]


async def test_for_whoever_said_nothing_in_a_large_group_nothing_is_counted(
    crowded: tuple[World, SlowPositions],
) -> None:
    node, positions = crowded
    counted: list[str] = []

    async def count_it() -> None:
        counted.append(G)

    anna, ben, _ = await three(node, G, "ben", "cleo")
    await anna.say_in(G, "hello")
    positions.counting = count_it
    await ask(ben, G)
    assert (snapshots(ben), counted) == ([[]], [])
    await ask(anna, G)
    assert (snapshots(anna), counted) == ([[[2, 0, 0]]], [G])


async def test_a_position_that_is_told_while_a_snapshot_is_read_is_not_taken_back(
    slow: tuple[World, SlowPositions],
) -> None:
    node, positions = slow
    ben = await node.joined("ben")
    phone, laptop = await node.joined("anna"), await node.joined("anna")
    for body in ("one", "two"):
        await ben.send("anna", body)

    async def anna_reads() -> None:
        positions.meanwhile = None
        await reads(phone, 2)

    positions.meanwhile = anna_reads
    await ask(laptop, CONV)
    assert displayed(laptop) == [2, 2]
    assert snapshots(laptop) == [[["anna", 2, 2], ["ben", 2, 2]]]


async def test_where_each_reading_is_overtaken_the_last_is_shown(
    slow: tuple[World, SlowPositions],
) -> None:
    node, positions = slow
    ben, anna = await node.joined("ben"), await node.joined("anna")
    for seq in range(1, 41):
        await ben.send("anna", str(seq))

    async def anna_reads() -> None:
        await reads(anna, len(positions.reads))

    positions.meanwhile = anna_reads
    await ask(ben, CONV)
    assert 1 < len(positions.reads) < 10
    ((place, _),) = snapshots(ben)
    assert place == ["anna", len(positions.reads) - 1, len(positions.reads) - 1]


async def test_what_is_told_elsewhere_lets_nothing_be_read_again(
    slow: tuple[World, SlowPositions],
) -> None:
    node, positions = slow
    ben, cleo = await node.joined("ben"), await node.joined("cleo")
    await ben.send("cleo", "one")
    await ben.send("anna", "two")

    async def cleo_reads() -> None:
        await cleo.confirm("display", "ben", ConvID="dm:ben:cleo", Seq=1)

    positions.meanwhile = cleo_reads
    await ask(ben, CONV)
    assert positions.reads == [CONV]
    assert len(ben.got("display")) == 1


async def test_a_position_that_comes_after_a_newer_one_of_a_snapshot_takes_nobody_back(
    world: World, other: World
) -> None:
    ben, phone = await world.joined("ben"), await world.joined("anna")
    for body in ("one", "two"):
        await ben.send("anna", body)
    laptop = await other.joined("anna")
    world.buses.hold_back()
    for seq in (1, 2):
        await reads(phone, seq)
    await ask(laptop, CONV)
    world.buses.let_go()
    assert displayed(laptop) == [2, 2, 2]


async def test_a_position_that_a_snapshot_shows_first_reaches_all_devices_of_its_user(
    world: World, other: World
) -> None:
    ben, phone = await world.joined("ben"), await world.joined("anna")
    for body in ("one", "two"):
        await ben.send("anna", body)
    laptop, tablet = await other.joined("anna"), await other.joined("anna")
    await reads(phone, 1)
    world.buses.fate = lambda _topic, _payload: 0
    await reads(phone, 2)
    for _ in range(2):
        await ask(laptop, CONV)
    assert displayed(laptop) == [1, 2, 2]
    assert displayed(tablet) == [1, 2]


async def test_a_snapshot_keeps_no_first_position_from_devices_that_did_not_ask_for_it(
    world: World, other: World
) -> None:
    ben, phone = await world.joined("ben"), await world.joined("anna")
    await ben.send("anna", "one")
    laptop, tablet = await other.joined("anna"), await other.joined("anna")
    other.bus.cut_off()
    await reads(phone, 1)
    await ask(laptop, CONV)
    assert displayed(tablet) == []
    other.bus.reconnect()
    await settle()
    assert displayed(tablet) == [1]


# What cannot be read


@pytest.mark.parametrize("code", [Code.UNAVAILABLE, Code.INTERNAL])
async def test_a_conversation_that_cannot_be_read_holds_up_no_other_snapshot(
    slow: tuple[World, SlowPositions], code: Code
) -> None:
    node, positions = slow
    phone, laptop = await node.joined("anna"), await node.joined("anna")
    for friend in ("ben", "cleo", "dora"):
        await phone.send(friend, "hello")
    positions.damaged[CONV] = code
    await ask(phone, CONV, "dm:anna:cleo")
    await ask(laptop, "dm:anna:cleo")
    await node.pass_time(3.0)
    await ask(phone, "dm:anna:dora")
    assert shown(phone) == ["dm:anna:cleo", "dm:anna:dora"]
    assert shown(laptop) == ["dm:anna:cleo"]
    positions.damaged.clear()
    await node.pass_time(1.0)
    assert shown(phone)[2:] == [CONV]


async def test_conversations_that_cannot_be_read_are_tried_one_a_second_while_their_device_is_here(
    slow: tuple[World, SlowPositions],
) -> None:
    node, positions = slow
    anna = await node.joined("anna")
    convs = [f"dm:anna:{friend}" for friend in ("ben", "cleo", "dora")]
    for friend in ("ben", "cleo", "dora"):
        await anna.send(friend, "hello")
    positions.damaged = dict.fromkeys(convs, Code.UNAVAILABLE)
    await ask(anna, *convs)
    positions.reads.clear()
    for _ in range(3):
        await node.pass_time(1.0)
    assert sorted(positions.reads) == convs
    anna.leave()
    positions.damaged.clear()
    for _ in range(3):
        await node.pass_time(1.0)
    assert len(positions.reads) == 3


async def test_after_an_outage_one_that_cannot_be_read_keeps_nobody_else_s_back(
    slow: tuple[World, SlowPositions],
) -> None:
    node, positions = slow
    anna, cleo = await node.joined("anna"), await node.joined("cleo")
    await anna.send("ben", "hello")
    await cleo.send("dora", "hello")
    await ask(anna, CONV)
    await ask(cleo, "dm:cleo:dora")
    positions.damaged[CONV] = Code.UNAVAILABLE
    node.bus.cut_off()
    node.bus.reconnect()
    await node.pass_time(3.0)
    assert shown(anna) == [CONV]
    assert shown(cleo) == ["dm:cleo:dora"] * 2
