"""Receipts for pages, devices of the seed's form, that the bus did not bring: once each."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from tests.chat.watched import WatchedStore
from tests.chat.world import Person, World, settle
from webchat.chat.assembly import Settings
from webchat.chat.keeping import KeptSettings
from webchat.chat.settings import RepairSettings
from webchat.chat.topics import NOTICE
from webchat.ports.bus import PublishDone

CONV = "dm:anna:ben"
KEPT = Settings(open_mode=True, kept=KeptSettings(kept_receipts=10))

Add = Callable[..., World]


@pytest.fixture
async def add() -> AsyncIterator[Add]:
    """Adds nodes, in open mode if nothing else is said, that are taken down after the test."""
    made: list[World] = []

    def add(settings: Settings | None = KEPT, **options: Any) -> World:
        made.append(World(settings, **options))
        return made[-1]

    yield add
    for world in made:
        await world.chat.close()


async def on_two_nodes(add: Add) -> tuple[World, World, Person, Person]:
    """Two nodes in open mode; at the first anna, of the seed's form, has written to ben at the
    second."""
    node = add()
    beside = add(beside=node)
    anna, ben = await node.person("anna"), await beside.joined("ben")
    await anna.ask("join", "anna")
    await anna.send("ben", "hello")
    return node, beside, anna, ben


async def another_that_comes_back(add: Add, node: World) -> World:
    """One more node, which says that it had no bus."""
    another = add(beside=node)
    another.bus.cut_off()
    another.bus.reconnect()
    await settle()
    return another


async def test_what_is_said_again_no_device_of_the_seeds_form_hears_twice(add: Add) -> None:
    node, beside, anna, ben = await on_two_nodes(add)
    laptop = await node.joined("anna")
    node.bus.cut_off()
    beside.bus.cut_off()
    beside.bus.reconnect()
    node.bus.reconnect()
    await settle()
    await ben.confirm("display", "anna", ConvID=CONV, Seq=1)
    await another_that_comes_back(add, node)
    await beside.pass_time(1.0)
    assert [said["MsgID"] for said in anna.got("display")] == ["anna-hello"]
    assert {said["Seq"] for said in laptop.got("display")} == {1}


async def test_a_page_that_was_told_before_it_went_to_another_node_is_not_told_again(
    add: Add,
) -> None:
    node = add()
    beside = add(beside=node)
    ben, anna = await node.joined("ben"), await node.person("anna")
    await anna.ask("join", "anna")
    await anna.send("ben", "hello")
    page = await beside.person("anna")
    await page.ask("join", "anna")
    for world in (node, beside):
        await world.pass_time(1.0)
    node.bus.cut_off()
    await ben.confirm("display", "anna", ConvID=CONV, Seq=1)
    assert [said["MsgID"] for said in anna.got("display")] == ["anna-hello"]
    for world in (node, beside):
        await world.pass_time(1.0)
    anna.leave()
    anna = await beside.person("anna")
    await anna.ask("join", "anna")
    node.bus.reconnect()
    await settle()
    await node.pass_time(1.0)
    assert anna.got("display") == []
    assert [said["MsgID"] for said in page.got("display")] == ["anna-hello"]


async def test_receipts_for_the_seeds_form_are_kept_once_the_bus_says_nobody_is_here(
    add: Add,
) -> None:
    node = add()
    beside = add(None, beside=node)
    anna, ben = await node.person("anna"), await beside.joined("ben")
    await anna.ask("join", "anna")
    await anna.send("ben", "hello")
    anna.leave()
    beside.bus.cut_off()
    await ben.confirm("delivery", "anna", ConvID=CONV, Seq=1)
    beside.bus.reconnect()
    await settle()
    again = await node.person("anna")
    await again.ask("join", "anna")
    assert [said["MsgID"] for said in again.got("delivery")] == ["anna-hello"]


async def test_receipts_that_an_authors_node_did_not_hear_come_when_its_bus_is_back(
    add: Add,
) -> None:
    node, _, anna, ben = await on_two_nodes(add)
    node.bus.cut_off()
    await ben.confirm("delivery", "anna", ConvID=CONV, Seq=1)
    await settle()
    assert anna.got("delivery") == []
    node.bus.reconnect()
    await settle()
    assert [said["MsgID"] for said in anna.got("delivery")] == ["anna-hello"]


async def test_a_page_hears_what_only_the_author_s_device_beside_the_reader_was_shown(
    add: Add,
) -> None:
    node, beside, anna, ben = await on_two_nodes(add)
    laptop = await beside.joined("anna")
    node.bus.cut_off()
    await ben.confirm("display", "anna", ConvID=CONV, Seq=1)
    assert [said["Seq"] for said in laptop.got("display")] == [1]
    node.bus.reconnect()
    await settle()
    await beside.pass_time(1.0)
    assert [said["MsgID"] for said in anna.got("display")] == ["anna-hello"]


async def test_a_page_whose_node_has_caught_up_hears_nothing_twice_when_another_comes_back(
    add: Add,
) -> None:
    """Nothing is kept, and nobody else has heard it."""
    node, beside, anna, ben = await on_two_nodes(partial(add, Settings(open_mode=True)))
    node.bus.cut_off()
    await ben.confirm("display", "anna", ConvID=CONV, Seq=1)
    assert anna.got("display") == []
    node.bus.reconnect()
    await settle()
    await beside.pass_time(1.0)
    await another_that_comes_back(add, node)
    await beside.pass_time(1.0)
    assert [said["MsgID"] for said in anna.got("display")] == ["anna-hello"]


async def test_a_page_whose_node_is_back_twice_hears_each_receipt_once(add: Add) -> None:
    node, beside, anna, ben = await on_two_nodes(partial(add, Settings(open_mode=True)))
    await anna.send("ben", "again")
    for seq in (1, 2):
        node.bus.cut_off()
        await ben.confirm("display", "anna", ConvID=CONV, Seq=seq)
        node.bus.reconnect()
        await settle()
        await beside.pass_time(1.0)
    assert [said["MsgID"] for said in anna.got("display")] == ["anna-hello", "anna-again"]


async def test_a_node_that_is_back_publishes_so_much_in_one_turn_alone(
    add: Add, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = add(Settings(open_mode=True))
    add(beside=node)
    ben = await node.joined("ben")
    authors = [f"author{number}" for number in range(401)]
    for uid in authors:
        await (await node.joined(uid)).send("ben", "hello")
    node.bus.cut_off()
    for uid in authors:
        receipt = {"EvtType": "display", "From": "ben", "To": uid, "Timestamp": 1, "Seq": 1}
        ben.say("chat", {**receipt, "ConvID": f"dm:{uid}:ben"})
    await node.pass_time(1.0)
    await settle(1_000)
    published = [0]
    publish = node.bus.publish

    def counted(topics: Sequence[str], payload: bytes, done: PublishDone | None = None) -> None:
        published[-1] += payload.startswith(NOTICE)
        publish(topics, payload, done)

    monkeypatch.setattr(node.bus, "publish", counted)
    node.bus.reconnect()
    for _ in range(100):
        published.append(0)
        await asyncio.sleep(0)
    assert sum(published) == 401
    assert max(published) <= 200


async def test_what_could_not_be_said_again_is_named_once_when_it_can(add: Add) -> None:
    node, beside, anna, ben = await on_two_nodes(add)
    laptop = await beside.joined("anna")
    node.bus.cut_off()
    await ben.confirm("display", "anna", ConvID=CONV, Seq=1)
    await another_that_comes_back(add, node)
    beside.bus.cut_off()
    await beside.pass_time(1.0)
    beside.bus.reconnect()
    await beside.pass_time(1.0)
    node.bus.reconnect()
    await settle()
    await beside.pass_time(1.0)
    assert [said["MsgID"] for said in anna.got("display")] == ["anna-hello"]
    assert {said["Seq"] for said in laptop.got("display")} == {1}


async def test_a_page_hears_what_the_author_s_page_on_a_third_node_has_heard(add: Add) -> None:
    """And that one hears it once."""
    node, beside, anna, ben = await on_two_nodes(add)
    third = add(beside=node)
    elsewhere = await third.person("anna")
    await elsewhere.ask("join", "anna")
    await ben.confirm("delivery", "anna", ConvID=CONV, Seq=1)
    node.bus.cut_off()
    await ben.confirm("display", "anna", ConvID=CONV, Seq=1)
    node.bus.reconnect()
    await settle()
    await beside.pass_time(1.0)
    for page in (anna, elsewhere):
        heard = [said["EvtType"] for said in page.got("delivery", "display")]
        assert heard == ["delivery", "display"]


async def test_a_page_that_was_told_goes_to_another_node_and_is_not_told_again(add: Add) -> None:
    node, beside, anna, ben = await on_two_nodes(add)
    third = add(beside=node)
    await ben.confirm("display", "anna", ConvID=CONV, Seq=1)
    assert [said["MsgID"] for said in anna.got("display")] == ["anna-hello"]
    await node.pass_time(1.0)
    anna.leave()
    anna = await third.person("anna")
    await anna.ask("join", "anna")
    await another_that_comes_back(add, node)
    await beside.pass_time(1.0)
    assert anna.got("display") == []


async def test_a_page_hears_what_was_told_before_its_node_noticed_that_it_had_no_bus(
    add: Add,
) -> None:
    """To the bus it was one that heard it."""
    node, beside, anna, ben = await on_two_nodes(add)
    await ben.confirm("delivery", "anna", ConvID=CONV, Seq=1)
    node.buses.fate = lambda _topic, _payload: 0
    await ben.confirm("display", "anna", ConvID=CONV, Seq=1)
    await node.pass_time(10.0)
    assert anna.got("display") == []
    node.bus.cut_off()
    node.buses.fate = lambda _topic, _payload: 1
    for _ in range(2):
        node.bus.reconnect()
        await settle()
        await beside.pass_time(1.0)
    heard = [said["EvtType"] for said in anna.got("delivery", "display")]
    assert heard == ["delivery", "display"]


async def test_what_was_kept_since_nobody_heard_it_is_handed_over_when_its_node_is_back(
    add: Add,
) -> None:
    """It was at a bus that the others had left."""
    node, beside, anna, ben = await on_two_nodes(add)
    node.bus.is_unheeded = True
    await ben.confirm("display", "anna", ConvID=CONV, Seq=1)
    assert anna.got("display") == []
    node.bus.is_unheeded = False
    beside.bus.cut_off()
    beside.bus.reconnect()
    await settle()
    await beside.pass_time(1.0)
    assert [said["MsgID"] for said in anna.got("display")] == ["anna-hello"]


async def test_what_was_kept_is_looked_for_one_author_after_the_other_when_the_bus_is_back(
    add: Add,
) -> None:
    node = add()
    watched = WatchedStore(node.store)
    beside = add(beside=node, store=watched)
    pages = [await beside.person(f"page{number}") for number in range(9)]
    for page in pages:
        await page.ask("join", page.uid)
    watched.kept.taken_from.clear()
    watched.kept.may_take.clear()
    beside.bus.cut_off()
    beside.bus.reconnect()
    await settle()
    assert watched.kept.taken_from == ["page0"]
    pages[1].socket.takes.clear()  # nobody waits for it
    watched.kept.may_take.set()
    await settle()
    assert watched.kept.taken_from == [page.uid for page in pages if page is not pages[1]]
    pages[1].socket.takes.set()
    await settle()
    assert watched.kept.taken_from[-1] == "page1"
    watched.kept.taken_from.clear()
    watched.kept.unreadable = "page2"
    beside.bus.cut_off()
    beside.bus.reconnect()
    await settle()
    assert watched.kept.taken_from == [page.uid for page in pages]


@pytest.mark.parametrize("messages", [10, 11])
async def test_receipts_of_more_than_ten_messages_take_the_place_of_several(
    add: Add, messages: int
) -> None:
    settings = replace(KEPT, repair=RepairSettings(failed_notices=1))
    node = add(settings)
    beside = add(settings, beside=node)
    anna, ben = await node.person("anna"), await beside.joined("ben")
    await anna.ask("join", "anna")
    for number in range(messages):
        await anna.send("ben", str(number))
    node.buses.fate = lambda _topic, _payload: 0
    await ben.confirm("display", "anna", ConvID=CONV, Seq=messages)
    node.buses.fate = lambda _topic, _payload: 1
    node.bus.cut_off()
    node.bus.reconnect()
    await settle()
    await beside.pass_time(1.0)
    assert len(anna.got("display")) == (messages if messages == 10 else 0)


@pytest.mark.parametrize("where", ["the same node", "another node"])
async def test_who_comes_back_while_receipts_are_being_kept_gets_them_in_order(
    add: Add, where: str
) -> None:
    beside = add()
    watched = WatchedStore(beside.store)
    node = add(beside=beside, store=watched)
    ben = await node.joined("ben")
    anna = await node.joined("anna")
    await anna.send("ben", "hello")
    anna.leave()
    await ben.confirm("delivery", "anna", ConvID=CONV, Seq=1)
    await ben.confirm("display", "anna", ConvID=CONV, Seq=1)
    back = await (node if where == "the same node" else beside).person("anna")
    await back.ask("join", "anna")
    assert back.got("delivery", "display") == []
    watched.kept.may_keep.set()
    await settle()
    assert [said["EvtType"] for said in back.got("delivery", "display")] == ["delivery", "display"]


async def test_a_receipt_that_comes_while_its_author_arrives_on_another_node_is_not_lost(
    add: Add,
) -> None:
    node = add()
    watched = WatchedStore(node.store)
    watched.kept.may_keep.set()
    beside = add(beside=node, store=watched)
    anna, ben = await node.person("anna"), await node.joined("ben")
    await anna.ask("join", "anna")
    await anna.send("ben", "hello")
    anna.leave()
    watched.log.heads_wait = asyncio.Event()
    back = await beside.person("anna")
    back.say("join", "anna")
    await settle()
    await ben.confirm("delivery", "anna", ConvID=CONV, Seq=1)
    watched.log.heads_wait.set()
    await settle()
    assert [said["MsgID"] for said in back.got("delivery")] == ["anna-hello"]


async def test_a_receipt_on_its_way_to_a_node_that_its_author_just_leaves_is_kept(add: Add) -> None:
    node, _, anna, ben = await on_two_nodes(add)
    node.buses.hold_back()
    await ben.confirm("delivery", "anna", ConvID=CONV, Seq=1)
    anna.leave()
    node.buses.let_go()
    await settle()
    again = await node.person("anna")
    await again.ask("join", "anna")
    assert [said["MsgID"] for said in again.got("delivery")] == ["anna-hello"]
