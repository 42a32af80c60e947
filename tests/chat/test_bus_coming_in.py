"""Who comes in while the bus is down, or before this node has heard of it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.chat.watched import WatchedStore
from tests.chat.world import Person, World, settle
from webchat.chat.assembly import Settings
from webchat.chat.settings import RepairSettings

CONV = "dm:anna:ben"
G = "group_g"


def seqs(person: Person, conv: str) -> list[int]:
    """The `Seq` of all that a person was sent of a log, acks included."""
    return [said["Seq"] for _, said in person.socket.packets if said.get("ConvID") == conv]


async def untold(world: World) -> tuple[World, WatchedStore, Person]:
    """A node on the same store; ben there hears what becomes of appends when its log is let
    `tell`."""
    watched = WatchedStore(world.store)
    near = World(beside=world, store=watched)
    ben = await near.joined("ben")
    watched.log.outcomes = []
    return near, watched, ben


async def apart(world: World, other: World) -> tuple[Person, Person, Person]:
    """anna on one node, ben and cleo on the other."""
    return await world.joined("anna"), await other.joined("ben"), await other.joined("cleo")


async def test_a_join_goes_live_at_once_while_the_bus_is_down(world: World, other: World) -> None:
    anna = await world.joined("anna")
    await anna.do("create", G, "ben")
    world.buses.go_down()
    ben = await other.joined("ben", {G: 1})
    await anna.say_in(G, "while it is down")
    assert ben.bodies() == []
    await world.pass_time(4.0)
    assert ben.bodies() == ["while it is down"]
    world.buses.come_back()
    await settle()
    await anna.say_in(G, "live")
    assert ben.bodies() == ["while it is down", "live"]


async def test_a_group_newly_followed_while_the_bus_is_down(world: World, other: World) -> None:
    anna, ben = await world.joined("anna"), await other.joined("ben")
    world.buses.go_down()
    await anna.do("create", G, "ben")
    await anna.say_in(G, "one")
    await world.pass_time(4.0)
    assert ben.bodies() == ["one"]
    await anna.say_in(G, "two")
    await world.pass_time(4.0)
    assert ben.bodies() == ["one", "two"]
    world.buses.come_back()
    await settle()
    await anna.say_in(G, "three")
    assert ben.bodies() == ["one", "two", "three"]


async def test_who_arrives_while_the_bus_comes_back_misses_nothing(
    world: World, near: World, watched: WatchedStore
) -> None:
    anna = await world.joined("anna")
    await anna.do("create", G, "ben")
    near.bus.cut_off()
    ben = await near.person("ben")
    gate = watched.log.heads_wait = asyncio.Event()
    ben.say("join", {"device": "d", "cursors": {G: 1}})
    await settle()  # its heads have been read, and are not known here yet
    await anna.say_in(G, "in between")
    near.bus.reconnect()
    await settle()
    gate.set()
    await settle()
    assert ben.bodies() == ["in between"]


async def test_who_writes_in_a_group_before_its_node_knows_gets_all_in_order(
    world: World, other: World
) -> None:
    anna, ben = await world.joined("anna"), await other.joined("ben")
    world.bus.cut_off()
    await anna.do("create", G, "ben")
    await anna.say_in(G, "hello")
    ack = await ben.say_in(G, "I know already")
    assert ack["Seq"] == 3
    assert seqs(ben, G) == [1, 2, 3]
    await ben.say_in(G, "more")
    world.bus.reconnect()
    await settle()
    assert anna.bodies() == ["I know already", "more"]
    assert ben.places(G) == [1, 2]


async def test_so_does_who_was_added_where_others_are_here(world: World, other: World) -> None:
    anna, ben, cleo = await apart(world, other)
    await anna.do("create", G, "cleo")
    world.bus.cut_off()
    await anna.do("refer", G, "ben")
    ack = await ben.say_in(G, "I know already")
    assert ack["Seq"] == 3
    await settle()
    assert seqs(ben, G) == [1, 2, 3]
    assert cleo.places(G) == [1, 2, 3]


async def test_who_was_added_again_unheard_is_not_sent_what_came_before_that(
    world: World, other: World
) -> None:
    anna, ben, cleo = await apart(world, other)
    await anna.do("create", G, "ben", "cleo")
    await ben.do("depart", G)
    world.bus.cut_off()
    await anna.say_in(G, "without ben")
    await anna.do("refer", G, "ben")
    ack = await ben.say_in(G, "I know already")
    assert ack["Seq"] == 5
    await settle()
    assert "without ben" not in ben.bodies()
    assert seqs(ben, G)[-3:] == [3, 4, 5]
    assert cleo.bodies() == ["without ben", "I know already"]


async def test_who_left_and_was_added_again_unheard_hears_what_comes_then(world: World) -> None:
    """Also where that is more than is read at once."""
    node = World(Settings(repair=RepairSettings(gap_page=1)), beside=world)
    anna, ben = await world.joined("anna"), await node.joined("ben")
    await anna.do("create", G, "ben")
    node.bus.cut_off()
    await (await world.joined("ben")).do("depart", G)
    await anna.do("refer", G, "ben")
    node.bus.reconnect()
    await settle()
    await anna.say_in(G, "live")
    assert ben.order(G) == [("create", 1), ("depart", 2), ("join", 3), ("message", 4)]
    await node.chat.close()


async def test_who_writes_to_a_pair_that_only_the_other_follows_is_acked(
    world: World, other: World
) -> None:
    phone, ben = await world.joined("anna"), await other.joined("ben")
    anna = await other.joined("anna")
    world.buses.fate = lambda topic, payload: int(topic == "user:ben" and b"added" in payload)
    await phone.send("ben", "hello")
    assert ben.bodies() == ["hello"]
    assert anna.got("message") == []
    assert (await anna.send("ben", "again"))["Seq"] == 2
    assert anna.places(CONV) == [1]


async def test_a_first_message_is_acked_alone_though_the_other_has_come_with_it_in_the_meantime(
    world: World,
) -> None:
    near, watched, ben = await untold(world)
    ben.say("chat", ben.message("anna", "hello"))
    await settle()
    anna = await near.joined("anna")  # with the log as it is in the store
    watched.log.tell()
    await settle()
    assert seqs(ben, CONV) == [1]
    assert ben.bodies() == []
    assert anna.bodies() == ["hello"]
    await near.chat.close()


class LateReads:
    """A store of which logs are read only when `tells` is set."""

    def __init__(self, store: Any) -> None:
        self.log = self
        self.tells = asyncio.Event()
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name, None) or getattr(self._store.log, name)

    async def read(self, conv: str, after: int, limit: int) -> Any:
        await self.tells.wait()
        return await self._store.log.read(conv, after, limit)


async def test_who_joins_while_the_last_other_device_leaves_is_live(world: World) -> None:
    late = LateReads(world.store)
    near = World(beside=world, store=late)
    anna, ben = await world.joined("anna"), await world.joined("ben")
    await anna.do("create", G, "ben")
    await ben.do("depart", G)
    ben.leave()
    phone = await near.joined("ben", {"user:ben": 2})
    laptop = await near.person("ben")
    ack_id = laptop.say("join", {"device": "d", "cursors": {G: 1, "user:ben": 2}})
    await settle()  # it has arrived, and reads where it left the group
    phone.leave()
    late.tells.set()
    await settle()
    assert laptop.socket.acks[ack_id]["ok"]
    await anna.send("ben", "hello")
    await settle()
    assert laptop.bodies() == ["hello"]
    await near.chat.close()


async def test_a_first_message_that_its_sender_is_told_of_before_the_store_answers_is_acked_alone(
    world: World,
) -> None:
    near, watched, ben = await untold(world)
    ben.say("chat", ben.message("anna", "hello"))
    await settle()
    near.chat.compare()  # the log of ben says that there is something new
    await settle()
    watched.log.tell()
    await settle()
    assert [name for name, said in ben.socket.packets if said.get("ConvID") == CONV] == ["ack"]
    await near.chat.close()


async def test_who_is_brought_in_where_others_lack_what_was_before_sees_nothing_of_that(
    world: World, other: World
) -> None:
    anna, ben = await world.joined("anna"), await other.joined("ben")
    cleo_elsewhere = await other.joined("cleo")
    await anna.do("create", G, "ben")
    world.buses.go_down()
    await anna.say_in(G, "before")
    await anna.do("refer", G, "cleo", "dora")
    dora = await other.joined("dora")  # with the log of the group as it is held there
    await anna.say_in(G, "after")
    world.buses.come_back()
    await settle()
    for person in (cleo_elsewhere, dora):
        got = person.got("create", "message", "join")
        assert [entry["EvtType"] for entry in got if entry["ConvID"] == G] == ["join", "message"]
        assert person.bodies() == ["after"]
    assert ben.bodies() == ["before", "after"]


async def test_who_left_and_came_back_unheard_and_then_writes_gets_the_ack_last(
    world: World, other: World
) -> None:
    anna, elsewhere = await world.joined("anna"), await world.joined("ben")
    await anna.do("create", G, "ben")
    ben = await other.joined("ben", {G: 1, "user:ben": 1})
    world.buses.go_down()
    await elsewhere.do("depart", G)
    await anna.do("refer", G, "ben")
    await anna.say_in(G, "before")
    await ben.say_in(G, "mine")
    said = [said for _, said in ben.socket.packets if said.get("ConvID") == G and "Seq" in said]
    order = [(each.get("EvtType", "ack"), each["Seq"]) for each in said]
    wanted = [("depart", 2), ("join", 3), ("message", 4), ("ack", 5)]
    assert [each for each in order if each[0] != "position"] == wanted


async def test_who_leaves_between_two_reads_of_heads_gets_nothing_after_that(
    world: World, near: World, watched: WatchedStore
) -> None:
    anna, elsewhere = await world.joined("anna"), await world.joined("ben")
    await anna.do("create", G, "ben")
    watched.log.heads_wait = asyncio.Event()
    ben = await near.person("ben")
    ben.say("join", {"device": "d", "cursors": {G: 1, "user:ben": 1}})
    await settle()  # its heads have been read, those of groups will be read again
    world.buses.go_down()
    await elsewhere.do("depart", G)
    watched.log.heads_wait.set()
    await settle()
    await anna.say_in(G, "after")
    world.buses.come_back()
    await settle()
    assert ben.order(G) == [("depart", 2)]


async def test_who_makes_a_group_gets_all_once_though_another_arrives_before_it_is_told(
    world: World,
) -> None:
    near, watched, ben = await untold(world)
    ben.say("chat", ben.act("create", G, Body='["anna"]'))
    await settle()
    anna = await near.joined("anna", {G: 1})  # the heads that it reads have the group
    watched.log.tell()
    await settle()
    await anna.say_in(G, "hello")
    assert seqs(ben, G) == [1, 2]
    await near.chat.close()


@pytest.mark.parametrize("conv", [CONV, G])
@pytest.mark.parametrize("join", [{"device": "d", "cursors": {}}, "ben"])
@pytest.mark.parametrize("where", [{"Seq": 2}, {"MsgID": "anna-second"}])
async def test_a_receipt_counts_where_its_node_has_not_heard_of_the_conversation(
    world: World, other: World, conv: str, join: Any, where: dict[str, Any]
) -> None:
    anna, ben = await world.joined("anna"), await other.person("ben")
    await ben.ask("join", join)
    world.buses.go_down()
    if conv == G:
        await anna.do("create", G, "ben")
        await anna.say_in(G, "second")
    else:
        await anna.send("ben", "first")
        await anna.send("ben", "second")
    from_ = {"From": G, "Originated": "ben"} if conv == G else {}
    said = {"ConvID": conv, **from_} if "Seq" in where else from_
    assert (await ben.confirm("display", "anna", **where, **said))["ok"]
    (moved,) = (await world.store.positions.of_user("ben", [conv])).values()
    assert moved.displayed == 2


async def test_a_message_can_be_amended_where_its_node_has_not_heard_of_the_pair(
    world: World, other: World
) -> None:
    anna, ben, _ = await apart(world, other)
    world.buses.go_down()
    await anna.send("ben", "hello")
    said = {"EvtType": "react", "From": "ben", "To": "anna", "Refers": 1, "Timestamp": 1}
    ack_id = ben.say("chat", said | {"MsgID": "r", "Body": "👍"})
    await settle()
    assert ben.socket.acks[ack_id]["Seq"] == 2
    assert ben.order(CONV) == [("message", 1), ("ack", 2)]


async def test_a_receipt_in_a_group_that_was_left_on_another_node_counts_up_to_there(
    world: World, other: World
) -> None:
    anna, ben, _ = await apart(world, other)
    world.buses.go_down()
    await anna.do("create", G, "ben", "cleo")
    await (await world.joined("ben")).do("depart", G)
    await anna.say_in(G, "without ben")
    receipt = {"ConvID": G, "From": G, "Originated": "ben", "Seq": 9}
    assert (await ben.confirm("delivery", "anna", **receipt))["ok"]
    (moved,) = (await world.store.positions.of_user("ben", [G])).values()
    assert moved.delivered == 2


async def test_who_comes_back_while_the_sweep_is_under_way_is_not_left_out_of_it(
    world: World, other: World
) -> None:
    anna, ben = await world.joined("anna"), await other.joined("ben")
    await anna.send("ben", "hello")
    await world.pass_time(601.0)  # the first pass began when nobody was here
    ben.leave()
    ben = await other.joined("ben", {CONV: 1})
    world.buses.fate = lambda _topic, _payload: 0
    await anna.send("ben", "lost")
    assert ben.bodies() == []
    await world.pass_time(601.0)
    assert ben.bodies() == ["lost"]
