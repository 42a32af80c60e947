"""What the bus loses, repeats, delays or turns round: everybody still gets everything, in order."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.chat.watched import WatchedStore
from tests.chat.world import World, settle
from tests.memory.bus import Delivery
from webchat.chat.assembly import Settings
from webchat.chat.settings import RepairSettings

CONV = "dm:anna:ben"
G = "group_g"


# What becomes of single publishes


def as_they_came(late: list[Delivery]) -> list[Delivery]:
    return late


def backwards(late: list[Delivery]) -> list[Delivery]:
    return late[::-1]


def first_last(late: list[Delivery]) -> list[Delivery]:
    return [*late[1:], late[0]]


@pytest.mark.parametrize("order", [as_they_came, backwards, first_last])
async def test_publishes_that_come_late_and_in_any_order(
    world: World, other: World, order: Callable[[list[Delivery]], list[Delivery]]
) -> None:
    anna, ben = await world.joined("anna"), await other.joined("ben")
    world.buses.hold_back()
    for number in range(4):
        assert (await anna.send("ben", str(number)))["ok"]
    assert ben.bodies() == []
    world.buses.let_go(order)
    await settle()
    assert ben.bodies() == ["0", "1", "2", "3"]
    assert ben.places(CONV) == [1, 2, 3, 4]


async def test_publishes_that_come_twice(world: World, other: World) -> None:
    anna, ben = await world.joined("anna"), await other.joined("ben")
    world.buses.fate = lambda _topic, _payload: 2
    for number in range(3):
        await anna.send("ben", str(number))
    assert ben.places(CONV) == [1, 2, 3]


async def test_a_lost_publish_is_made_up_for_by_the_next(world: World, other: World) -> None:
    anna, ben = await world.joined("anna"), await other.joined("ben")
    await anna.send("ben", "0")
    world.buses.fate = lambda _topic, payload: 0 if b'"1"' in payload else 1
    await anna.send("ben", "1")
    assert ben.bodies() == ["0"]
    await anna.send("ben", "2")
    assert ben.bodies() == ["0", "1", "2"]
    assert other.chat.stats.repairs == 1


async def test_without_a_next_one_the_sweep_finds_it(world: World, other: World) -> None:
    anna, ben = await world.joined("anna"), await other.joined("ben")
    world.buses.fate = lambda _topic, _payload: 0
    await anna.send("ben", "lost")
    await anna.do("create", G, "ben")
    assert ben.got() == []
    for _ in range(2):
        await world.pass_time(601.0)
    assert ben.bodies() == ["lost"]
    assert ben.places(G) == [1]


async def test_the_sweep_spreads_over_its_interval_in_pages(world: World) -> None:
    watched = WatchedStore(world.store)
    settings = Settings(repair=RepairSettings(heads_page=2))
    node = World(settings, beside=world, store=watched)
    anna = await node.joined("anna")
    for uid in ("ben", "cleo", "dora"):
        await anna.send(uid, "hello")
    await world.pass_time(601.0)  # its first pass began when nobody was here
    watched.log.heads_of.clear()
    await world.pass_time(299.0)
    assert watched.log.heads_of == []
    await world.pass_time(2.0)
    assert [len(convs) for convs in watched.log.heads_of] == [2]
    await world.pass_time(300.0)
    compared = [conv for convs in watched.log.heads_of for conv in convs]
    assert sorted(compared) == ["dm:anna:ben", "dm:anna:cleo", "dm:anna:dora", "user:anna"]
    await node.chat.close()


@pytest.mark.parametrize("payload", [b"2h[]", b"2e{}", b"1x", b"", b"1"])
async def test_kinds_of_another_version_are_passed_over(
    world: World, other: World, payload: bytes
) -> None:
    anna, ben = await world.joined("anna"), await other.joined("ben")
    world.bus.publish(("user:ben",), payload)
    await anna.send("ben", "after it")
    assert ben.bodies() == ["after it"]


async def test_a_head_that_cannot_be_read_harms_nothing(world: World, other: World) -> None:
    anna, ben = await world.joined("anna"), await other.joined("ben")
    world.bus.publish(("user:ben",), b'1h["dm:anna:ben"]')
    await anna.send("ben", "after it")
    assert ben.bodies() == ["after it"]


# Outages


async def test_one_node_cut_off_and_back_gives_and_gets_what_was_missed(
    world: World, other: World
) -> None:
    third = World(beside=world)
    anna, ben, cleo = (
        await world.joined("anna"),
        await other.joined("ben"),
        await third.joined("cleo"),
    )
    near = await world.joined("dora")
    await anna.do("create", G, "ben", "cleo", "dora")
    world.bus.cut_off()
    await anna.say_in(G, "from inside")
    assert near.bodies() == ["from inside"]
    assert ben.bodies() == cleo.bodies() == []
    world.bus.reconnect()
    await settle()
    assert ben.bodies() == cleo.bodies() == ["from inside"]
    world.bus.cut_off()
    await ben.say_in(G, "from outside")
    assert cleo.bodies()[-1] == "from outside"
    assert anna.bodies() == []
    world.bus.reconnect()
    await settle()
    assert anna.bodies() == near.bodies()[1:] == ["from outside"]
    for person in (ben, cleo, near):
        seqs = person.places(G)
        assert seqs == sorted(set(seqs))
    await third.chat.close()


async def test_while_the_bus_is_lost_others_get_it_within_five_seconds(
    world: World, other: World
) -> None:
    anna, ben = await world.joined("anna"), await other.joined("ben")
    world.buses.go_down()
    for number in range(3):
        await anna.send("ben", str(number))
        assert len(ben.bodies()) == number
        await world.pass_time(4.0)
        assert ben.bodies() == [str(i) for i in range(number + 1)]
    assert ben.places(CONV) == [1, 2, 3]


async def test_what_was_sent_during_an_outage_is_there_once_the_bus_is_back(
    world: World, other: World
) -> None:
    """With no time passing, no new traffic and nobody doing anything."""
    anna, ben = await world.joined("anna"), await other.joined("ben")
    world.buses.go_down()
    await anna.send("ben", "hello")
    await anna.do("create", G, "ben")
    world.buses.come_back()
    await settle()
    assert ben.bodies() == ["hello"]
    assert ben.places(G) == [1]


async def test_an_outage_that_only_the_sender_noticed_is_made_up_for(
    world: World, other: World
) -> None:
    anna, ben = await world.joined("anna"), await other.joined("ben")
    world.bus.withhold()
    world.buses.hold_back()
    anna.say("chat", anna.message("ben", "unanswered"))
    await settle()
    world.buses.held = None  # they never arrive
    world.bus.cut_off()
    world.bus.reconnect()
    await settle()
    assert ben.bodies() == ["unanswered"]


async def test_what_a_bus_took_that_others_had_left_comes_when_its_node_leaves_it_too(
    world: World, other: World
) -> None:
    """Redis fails over, say, and one node hears of it late: its publishes are answered well."""
    anna, ben = await world.joined("anna"), await other.joined("ben")
    other.bus.cut_off()
    other.bus.reconnect()
    world.buses.fate = lambda _topic, _payload: 0
    await anna.send("ben", "nobody hears this")
    await world.pass_time(14.0)
    assert ben.bodies() == []
    world.bus.cut_off()
    world.buses.fate = lambda _topic, _payload: 1
    world.bus.reconnect()
    await settle()
    assert ben.bodies() == ["nobody hears this"]


async def test_heads_are_made_up_for_of_logs_that_nobody_here_follows(
    world: World, other: World
) -> None:
    anna, ben = await world.joined("anna"), await other.joined("ben")
    world.bus.cut_off()
    await anna.send("ben", "hello")
    anna.leave()
    world.bus.reconnect()
    await settle()
    assert ben.bodies() == ["hello"]
    assert ben.places("user:ben") == [1]


@pytest.mark.parametrize("is_lost_again", [False, True], ids=["", "lost again"])
async def test_beyond_what_is_remembered_the_others_compare(
    world: World, *, is_lost_again: bool
) -> None:
    settings = Settings(repair=RepairSettings(failed_logs=1))
    near, far = World(settings, beside=world), World(beside=world)
    anna = await near.joined("anna")
    people = [await far.joined(uid) for uid in ("ben", "cleo", "dora")]
    near.bus.cut_off()
    for person in people:
        await anna.send(person.uid, "hello")
    anna.leave()
    near.bus.reconnect()
    if is_lost_again:
        near.bus.cut_off()
        await settle()
        near.bus.reconnect()
    await settle()
    assert [person.bodies() for person in people] == [["hello"]] * 3
    for node in (near, far):
        await node.chat.close()


async def test_the_bus_lost_again_while_it_is_made_up_for(world: World, other: World) -> None:
    anna, ben = await world.joined("anna"), await other.joined("ben")
    world.bus.cut_off()
    await anna.send("ben", "hello")
    world.bus.reconnect()
    world.bus.cut_off()
    await settle()
    assert ben.bodies() == []
    world.bus.reconnect()
    await settle()
    assert ben.bodies() == ["hello"]


async def test_a_node_that_died_is_made_up_for_when_its_lease_lapses(
    world: World, other: World
) -> None:
    anna, ben = await world.joined("anna"), await other.joined("ben")
    world.buses.fate = lambda _topic, _payload: 0
    await anna.send("ben", "its last words")
    assert ben.bodies() == []
    other.chat.compare()
    await settle()
    assert ben.bodies() == ["its last words"]


async def test_a_comparison_asked_for_while_one_runs_runs_once_more(
    world: World, near: World, watched: WatchedStore
) -> None:
    await near.joined("anna")
    watched.log.heads_of.clear()
    for _ in range(5):
        near.chat.compare()
    await settle()
    assert len(watched.log.heads_of) == 1
    near.chat.compare()
    world.store.is_down = True
    await settle()
    for _ in range(5):
        near.chat.compare()
    world.store.is_down = False
    await world.pass_time(1.0)
    watched.log.heads_of.clear()
    near.chat.compare()
    await settle()
    assert len(watched.log.heads_of) == 1


async def test_who_was_further_elsewhere_than_this_node_has_heard_of_is_not_sent_back(
    world: World, other: World
) -> None:
    anna, laptop = await world.joined("anna"), await other.joined("ben")
    await anna.send("ben", "one")
    world.buses.go_down()
    await anna.send("ben", "two")
    assert laptop.bodies() == ["one"]
    phone = await other.joined("ben", {CONV: 2, "user:ben": 1})
    assert phone.got("skip", "message") == []
    assert laptop.bodies() == ["one", "two"]


async def test_a_log_that_this_node_has_not_heard_of_begins_where_the_device_says(
    world: World, other: World
) -> None:
    anna, laptop = await world.joined("anna"), await other.joined("ben")
    world.buses.go_down()
    await anna.send("ben", "one")
    await anna.do("create", G, "ben")
    phone = await other.joined("ben", {CONV: 1, G: 1, "user:ben": 2, "dm:cleo:dora": 7})
    await settle()
    assert phone.got("message", "create", "conversation", "skip") == []
    await anna.send("ben", "two")
    world.buses.come_back()
    await settle()
    assert phone.bodies() == ["two"]
    assert laptop.bodies() == ["one", "two"]


async def test_a_page_is_not_sent_again_what_was_confirmed_elsewhere_during_an_outage(
    world: World, other: World
) -> None:
    anna, phone = await world.joined("anna"), await world.joined("ben")
    await anna.send("ben", "one")
    await other.joined("ben", {CONV: 1})
    world.buses.go_down()
    await anna.send("ben", "two")
    await phone.confirm("delivery", "ben", ConvID=CONV, Seq=2)
    page = await other.person("ben")
    assert (await page.ask("join", "ben"))["ok"]
    world.buses.come_back()
    await settle()
    assert page.bodies() == []


async def test_a_cursor_beyond_the_end_counts_as_the_end_as_of_now(
    world: World, other: World
) -> None:
    anna, laptop = await world.joined("anna"), await other.joined("ben")
    await anna.send("ben", "one")
    world.buses.go_down()
    await anna.send("ben", "two")
    phone = await other.joined("ben", {CONV: 9})
    assert [skip["Seq"] for skip in phone.got("skip") if skip["ConvID"] == CONV] == [2]
    assert laptop.bodies() == ["one", "two"]


async def test_who_came_in_and_left_while_the_bus_was_down_sees_that_and_nothing_after(
    world: World, other: World
) -> None:
    anna, ben, away = (
        await world.joined("anna"),
        await world.joined("ben"),
        await other.joined("ben"),
    )
    cleo = await other.joined("cleo")
    world.buses.go_down()
    await anna.do("create", G, "ben", "cleo")
    await anna.say_in(G, "one")
    await ben.do("depart", G)
    await anna.say_in(G, "two")
    world.buses.come_back()
    await settle()
    await anna.say_in(G, "three")
    assert [entry["EvtType"] for entry in away.got() if entry["ConvID"] == G] == [
        "create", "message", "depart",
    ]  # fmt: skip
    assert cleo.bodies() == ["one", "two", "three"]


async def test_a_depart_sent_again_elsewhere_is_acked_in_its_place(
    world: World, other: World
) -> None:
    anna, ben = await world.joined("anna"), await world.joined("ben")
    await anna.do("create", G, "ben")
    await anna.say_in(G, "one")
    await ben.do("depart", G, MsgID="d1")
    again = await other.person("ben")
    again.say("join", {"device": "d", "cursors": {G: 1}})
    again.say("chat", again.act("depart", G, MsgID="d1"))
    await settle()
    said = [said for _, said in again.socket.packets if said.get("ConvID") == G]
    assert [(entry.get("EvtType", "ack"), entry["Seq"]) for entry in said] == [
        ("message", 2), ("ack", 3),
    ]  # fmt: skip
