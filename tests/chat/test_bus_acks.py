"""An ack waits until the bus has taken its entry, and in its session alone what comes after it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.chat.watched import WatchedStore
from tests.chat.world import Person, World, settle
from webchat.chat.assembly import Settings
from webchat.chat.lag import BacklogSettings
from webchat.errors import Code, WebchatError
from webchat.model import Draft
from webchat.ports.log import Append

CONV = "dm:anna:ben"
G = "group_g"
_RECEIPTS = ("delivery", "display")


@pytest.fixture
async def other(world: World) -> AsyncIterator[World]:
    """A second node."""
    made = World(beside=world)
    yield made
    await made.chat.close()


def order(person: Person, conv: str = CONV) -> list[tuple[str, int]]:
    """What a connection was sent of a log, in order: the kinds of entries, acks, their `Seq`."""
    return [
        ("ack" if name == "ack" else said["EvtType"], said["Seq"])
        for name, said in person.socket.packets
        if said.get("ConvID") == conv and "Seq" in said and said.get("EvtType") not in _RECEIPTS
    ]


async def test_all_others_get_an_entry_before_the_bus_has_answered_its_sender(
    world: World, other: World
) -> None:
    phone, laptop = await world.joined("anna"), await world.joined("anna")
    near, far = await world.joined("ben"), await other.joined("ben")
    world.bus.withhold()
    phone.say("chat", phone.message("ben", "hello"))
    await settle()
    assert near.bodies() == far.bodies() == laptop.bodies() == ["hello"]
    assert order(phone) == []
    assert world.chat.stats.waiting_acks == 1
    world.bus.answer()
    assert order(phone) == [("ack", 1)]
    assert world.chat.stats.waiting_acks == 0


async def test_higher_entries_of_that_conversation_wait_in_that_session_alone(
    world: World, other: World
) -> None:
    anna, ben = await world.joined("anna"), await world.joined("ben")
    cleo = await other.joined("cleo")
    await ben.send("anna", "before")
    world.bus.withhold()
    anna.say("chat", anna.message("ben", "mine"))
    await settle()
    ben.say("chat", ben.message("anna", "after"))
    cleo.say("chat", cleo.message("anna", "elsewhere"))
    await settle()
    assert order(anna) == [("message", 1)]
    assert order(ben) == [("ack", 1), ("message", 2)]
    assert order(anna, "dm:anna:cleo") == [("message", 1)]
    world.bus.answer()
    assert order(anna) == [("message", 1), ("ack", 2), ("message", 3)]
    assert order(ben) == [("ack", 1), ("message", 2), ("ack", 3)]


async def test_pipelined_messages_are_acked_as_the_bus_answers_and_cost_no_read(
    world: World, other: World
) -> None:
    watched = WatchedStore(world.store)
    node = World(beside=world, store=watched)
    anna, ben = await node.joined("anna"), await node.joined("ben")
    await anna.send("ben", "first")
    watched.log.reads.clear()
    node.bus.withhold()
    for number in range(8):
        anna.say("chat", anna.message("ben", str(number)))
    await settle()
    for answered in range(8):
        assert order(anna) == [("ack", seq) for seq in range(1, answered + 2)]
        node.bus.answer(1)
    node.bus.answer()
    assert order(anna) == [("ack", seq) for seq in range(1, 10)]
    assert ben.bodies() == ["first", *map(str, range(8))]
    assert watched.log.reads == []
    await node.chat.close()


async def test_a_publish_that_fails_lets_its_ack_go(world: World, other: World) -> None:
    anna = await world.joined("anna")
    world.bus.withhold()
    for number in range(3):
        anna.say("chat", anna.message("ben", str(number)))
    await settle()
    assert order(anna) == []
    world.bus.cut_off()
    assert order(anna) == [("ack", 1), ("ack", 2), ("ack", 3)]
    assert (await anna.send("ben", "while it is lost"))["Seq"] == 4
    assert world.chat.stats.failed_publishes >= 4
    assert world.chat.stats.waiting_acks == 0


async def test_what_is_too_much_to_wait_is_read_from_the_log(world: World) -> None:
    settings = Settings(backlog=BacklogSettings(queued_entries=5))
    node = World(settings, beside=world)
    anna, ben = await node.joined("anna"), await node.joined("ben")
    node.bus.withhold()
    anna.say("chat", anna.message("ben", "mine"))
    await settle()
    for number in range(20):
        ben.say("chat", ben.message("anna", str(number)))
        await settle()
    anna.say("chat", anna.message("ben", "mine again"))
    await settle()
    assert order(anna) == []
    node.bus.answer(3)  # of the first message, and of what both user logs got
    await settle()
    assert order(anna) == [("ack", 1), *(("message", seq) for seq in range(2, 22))]
    node.bus.answer()
    await settle()
    assert order(anna)[-1] == ("ack", 22)
    await ben.send("anna", "live again")
    assert order(anna)[-1] == ("message", 23)
    await node.chat.close()


async def test_a_message_met_again_is_published_again_and_its_ack_waits_likewise(
    world: World, other: World
) -> None:
    anna, ben = await world.joined("anna"), await other.joined("ben")
    await anna.send("ben", "once")
    await anna.send("ben", "twice")
    again = await world.joined("anna", {CONV: 2})
    world.bus.withhold()
    again.say("chat", again.message("ben", "once"))
    await settle()
    assert order(again) == []
    world.bus.answer()
    assert order(again) == [("ack", 1)]
    assert ben.bodies() == ["once", "twice"]


async def test_the_same_message_twice_in_flight_is_acked_twice(world: World, other: World) -> None:
    anna, ben = await world.joined("anna"), await other.joined("ben")
    world.bus.withhold()
    ids = [anna.say("chat", anna.message("ben", "once")) for _ in range(2)]
    await settle()
    assert order(anna) == []
    world.bus.answer()
    assert order(anna) == [("ack", 1), ("ack", 1)]
    assert [anna.socket.acks[number]["Seq"] for number in ids] == [1, 1]
    assert ben.bodies() == ["once"]


async def test_without_an_ack_nothing_waits(world: World, other: World) -> None:
    anna = await world.joined("anna")
    world.bus.withhold()
    anna.say("chat", anna.message("ben", "unasked"), ack=False)
    await settle()
    assert order(anna) == [("message", 1)]


async def test_a_cursor_set_anew_while_an_ack_waits_brings_everything_from_there(
    world: World, other: World
) -> None:
    anna, ben = await world.joined("anna"), await world.joined("ben")
    await ben.send("anna", "before")
    world.bus.withhold()
    anna.say("chat", anna.message("ben", "mine"))
    await settle()
    ben.say("chat", ben.message("anna", "after"))
    await settle()
    anna.socket.packets.clear()
    anna.say("sync", {"cursors": {CONV: 0}})
    await settle()
    assert order(anna) == [("message", 1)]
    world.bus.answer()
    await settle()
    assert order(anna) == [("message", 1), ("ack", 2), ("message", 3)]


async def test_an_ack_that_a_cursor_passed_over_still_comes(world: World, other: World) -> None:
    anna = await world.joined("anna")
    world.bus.withhold()
    anna.say("chat", anna.message("ben", "mine"))
    await settle()
    anna.say("sync", {"cursors": {CONV: 1}})
    await settle()
    assert order(anna) == []
    world.bus.answer()
    assert order(anna) == [("ack", 1)]


async def test_in_a_backlog_too_an_ack_waits_in_its_place(world: World, other: World) -> None:
    anna, ben = await world.joined("anna"), await world.joined("ben")
    for number in range(3):
        await ben.send("anna", str(number))
    again = await world.person("anna")
    again.socket.takes.clear()
    assert (await again.join({CONV: 0}))["ok"]
    world.bus.withhold()
    again.say("chat", again.message("ben", "mine"))
    await settle()
    ben.say("chat", ben.message("anna", "after"))
    await settle()
    again.socket.takes.set()
    await settle()
    assert order(again) == [("message", 1), ("message", 2), ("message", 3)]
    world.bus.answer()
    await settle()
    assert order(again)[3:] == [("ack", 4), ("message", 5)]
    assert order(anna)[3:] == [("message", 4), ("message", 5)]


async def test_a_backlog_that_an_ack_holds_back_goes_on_when_its_cursor_is_beyond(
    world: World, other: World
) -> None:
    ben = await world.joined("ben")
    await ben.send("anna", "before")
    anna = await world.person("anna")
    anna.socket.takes.clear()
    assert (await anna.join({CONV: 0}))["ok"]
    world.bus.withhold()
    anna.say("chat", anna.message("ben", "mine"))
    await settle()
    anna.socket.takes.set()
    await settle()
    anna.say("sync", {"cursors": {CONV: 2}})
    await settle()
    anna.say("sync", {"cursors": {CONV: 0}})
    await settle()
    assert order(anna) == [("message", 1), ("message", 1), ("message", 2)]
    world.bus.answer()
    assert order(anna)[3:] == [("ack", 2)]


async def test_who_is_gone_when_the_bus_answers_harms_nothing(world: World, other: World) -> None:
    anna, ben = await world.joined("anna"), await other.joined("ben")
    world.bus.withhold()
    anna.say("chat", anna.message("ben", "goodbye"))
    await settle()
    anna.leave()
    world.bus.answer()
    await settle()
    assert ben.bodies() == ["goodbye"]
    assert world.chat.stats.waiting_acks == 0


# Groups


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
    assert order(ben, G)[-1] == ("join", 2)
    assert order(anna, G) == [("ack", 1)]
    world.bus.answer()
    assert order(anna, G) == [("ack", 1), ("join", 2), ("ack", 2), ("message", 3)]


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
    assert order(anna, G) == [("ack", 1), ("ack", 2), ("skip", 3), ("join", 4), ("message", 5)]


async def test_what_comes_by_rest_returns_when_the_bus_has_answered(
    world: World, other: World
) -> None:
    draft = Draft("setting", "anna", "", b'{"EvtType":"setting"}')

    async def decide() -> Append:
        return Append("user:anna", (draft,))

    world.bus.withhold()
    act = asyncio.ensure_future(world.chat.appends.decided(decide))
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
    assert order(anna) == []
    node.bus.answer()
    assert order(anna) == [("ack", 1), ("message", 2)]
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
    assert order(anna, G) == [("notify", 1)]
    node.bus.answer()
    await settle()
    assert order(anna, G) == [("notify", 1), ("ack", 2), ("notify", 3), ("message", 4)]
    for world in (node, beside):
        await world.chat.close()


# The log is faster than the store's answer


async def test_an_own_entry_that_a_gap_brings_first_keeps_its_place_for_the_ack(
    world: World,
) -> None:
    watched = WatchedStore(world.store)
    node = World(beside=world, store=watched)
    anna, laptop = await node.joined("anna"), await node.joined("anna")
    ben = await world.joined("ben")
    await anna.send("ben", "first")
    watched.log.outcomes = []
    anna.say("chat", anna.message("ben", "mine"))
    await settle()
    await ben.send("anna", "after")
    assert order(anna) == [("ack", 1)]
    assert order(laptop) == [("message", 1), ("message", 2), ("message", 3)]
    watched.log.tell()
    await settle()
    assert order(anna) == [("ack", 1), ("ack", 2), ("message", 3)]
    await node.chat.close()


async def test_an_ack_that_has_its_place_already_goes_when_the_bus_answers_at_once(
    world: World,
) -> None:
    watched = WatchedStore(world.store)
    node = World(beside=world, store=watched)
    await world.bus.close()  # alone on its bus, a node is answered at once
    anna = await node.joined("anna")
    await anna.send("ben", "first")
    watched.log.outcomes = []
    anna.say("chat", anna.message("ben", "mine"))
    await settle()
    node.chat.compare()
    await settle()
    assert order(anna) == [("ack", 1)]
    watched.log.tell()
    await settle()
    assert order(anna) == [("ack", 1), ("ack", 2)]
    await node.chat.close()


async def test_an_own_entry_that_was_refused_though_it_is_in_the_log_comes_as_an_entry(
    world: World,
) -> None:
    watched = WatchedStore(world.store)
    node = World(beside=world, store=watched)
    anna, ben = await node.joined("anna"), await world.joined("ben")
    await anna.send("ben", "first")
    watched.log.outcomes = []
    ack_id = anna.say("chat", anna.message("ben", "mine"))
    await settle()
    await ben.send("anna", "after")
    watched.log.tell(instead=WebchatError(Code.UNAVAILABLE, "no answer in time"))
    await settle()
    assert anna.socket.acks[ack_id]["error"]["code"] == "unavailable"
    assert order(anna) == [("ack", 1), ("message", 2), ("message", 3)]
    assert (await anna.send("ben", "mine"))["Seq"] == 2
    await node.chat.close()
