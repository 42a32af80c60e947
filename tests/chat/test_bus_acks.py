"""An ack waits until the bus has taken its entry, and in its session alone what comes after it."""

from __future__ import annotations

import pytest

from tests.chat.watched import WatchedStore
from tests.chat.world import World, settle
from webchat.chat.assembly import Settings
from webchat.chat.lag import BacklogSettings
from webchat.errors import Code, WebchatError

CONV = "dm:anna:ben"


async def test_all_others_get_an_entry_before_the_bus_has_answered_its_sender(
    world: World, other: World
) -> None:
    phone, laptop = await world.joined("anna"), await world.joined("anna")
    near, far = await world.joined("ben"), await other.joined("ben")
    world.bus.withhold()
    phone.say("chat", phone.message("ben", "hello"))
    await settle()
    assert near.bodies() == far.bodies() == laptop.bodies() == ["hello"]
    assert phone.order(CONV) == []
    assert world.chat.stats.waiting_acks == 1
    world.bus.answer()
    assert phone.order(CONV) == [("ack", 1)]
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
    assert anna.order(CONV) == [("message", 1)]
    assert ben.order(CONV) == [("ack", 1), ("message", 2)]
    assert anna.order("dm:anna:cleo") == [("message", 1)]
    world.bus.answer()
    assert anna.order(CONV) == [("message", 1), ("ack", 2), ("message", 3)]
    assert ben.order(CONV) == [("ack", 1), ("message", 2), ("ack", 3)]


async def test_pipelined_messages_are_acked_as_the_bus_answers_and_cost_no_read(
    other: World, near: World, watched: WatchedStore
) -> None:
    anna, ben = await near.joined("anna"), await near.joined("ben")
    await anna.send("ben", "first")
    watched.log.reads.clear()
    near.bus.withhold()
    for number in range(8):
        anna.say("chat", anna.message("ben", str(number)))
    await settle()
    for answered in range(8):
        assert anna.order(CONV) == [("ack", seq) for seq in range(1, answered + 2)]
        near.bus.answer(1)
    near.bus.answer()
    assert anna.order(CONV) == [("ack", seq) for seq in range(1, 10)]
    assert ben.bodies() == ["first", *map(str, range(8))]
    assert watched.log.reads == []


async def test_a_publish_that_fails_lets_its_ack_go(world: World, other: World) -> None:
    anna = await world.joined("anna")
    world.bus.withhold()
    for number in range(3):
        anna.say("chat", anna.message("ben", str(number)))
    await settle()
    assert anna.order(CONV) == []
    world.bus.cut_off()
    assert anna.order(CONV) == [("ack", 1), ("ack", 2), ("ack", 3)]
    assert (await anna.send("ben", "while it is lost"))["Seq"] == 4
    assert world.chat.stats.failed_publishes >= 4
    assert world.chat.stats.waiting_acks == 0


@pytest.mark.parametrize("backlog_entries", [200, 10])
async def test_what_is_too_much_to_wait_is_read_from_the_log(
    world: World, backlog_entries: int
) -> None:
    """All of it: who is live is not passed over what a device that comes back would be."""
    settings = Settings(backlog=BacklogSettings(backlog_entries, queued_entries=5))
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
    assert anna.order(CONV) == []
    node.bus.answer(3)  # of the first message, and of what both user logs got
    await settle()
    assert anna.order(CONV) == [("ack", 1), *(("message", seq) for seq in range(2, 22))]
    node.bus.answer()
    await settle()
    assert anna.order(CONV)[-1] == ("ack", 22)
    await ben.send("anna", "live again")
    assert anna.order(CONV)[-1] == ("message", 23)
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
    assert again.order(CONV) == []
    world.bus.answer()
    assert again.order(CONV) == [("ack", 1)]
    assert ben.bodies() == ["once", "twice"]


async def test_the_same_message_twice_in_flight_is_acked_twice(world: World, other: World) -> None:
    anna, ben = await world.joined("anna"), await other.joined("ben")
    world.bus.withhold()
    ids = [anna.say("chat", anna.message("ben", "once")) for _ in range(2)]
    await settle()
    assert anna.order(CONV) == []
    world.bus.answer()
    assert anna.order(CONV) == [("ack", 1), ("ack", 1)]
    assert [anna.socket.acks[number]["Seq"] for number in ids] == [1, 1]
    assert ben.bodies() == ["once"]


async def test_without_an_ack_nothing_waits(world: World, other: World) -> None:
    anna = await world.joined("anna")
    world.bus.withhold()
    anna.say("chat", anna.message("ben", "unasked"), ack=False)
    await settle()
    assert anna.order(CONV) == [("message", 1)]


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
    assert anna.order(CONV) == [("message", 1)]
    world.bus.answer()
    await settle()
    assert anna.order(CONV) == [("message", 1), ("ack", 2), ("message", 3)]


async def test_an_ack_that_a_cursor_passed_over_still_comes(world: World, other: World) -> None:
    anna = await world.joined("anna")
    world.bus.withhold()
    anna.say("chat", anna.message("ben", "mine"))
    await settle()
    anna.say("sync", {"cursors": {CONV: 1}})
    await settle()
    assert anna.order(CONV) == []
    world.bus.answer()
    assert anna.order(CONV) == [("ack", 1)]


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
    assert again.order(CONV) == [("message", 1), ("message", 2), ("message", 3)]
    world.bus.answer()
    await settle()
    assert again.order(CONV)[3:] == [("ack", 4), ("message", 5)]
    assert anna.order(CONV)[3:] == [("message", 4), ("message", 5)]


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
    assert anna.order(CONV) == [("message", 1), ("message", 1), ("message", 2)]
    world.bus.answer()
    assert anna.order(CONV)[3:] == [("ack", 2)]


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


# The log is faster than the store's answer


async def test_an_own_entry_that_a_gap_brings_first_keeps_its_place_for_the_ack(
    world: World, near: World, watched: WatchedStore
) -> None:
    anna, laptop = await near.joined("anna"), await near.joined("anna")
    ben = await world.joined("ben")
    await anna.send("ben", "first")
    watched.log.outcomes = []
    anna.say("chat", anna.message("ben", "mine"))
    await settle()
    await ben.send("anna", "after")
    assert anna.order(CONV) == [("ack", 1)]
    assert laptop.order(CONV) == [("message", 1), ("message", 2), ("message", 3)]
    watched.log.tell()
    await settle()
    assert anna.order(CONV) == [("ack", 1), ("ack", 2), ("message", 3)]


async def test_an_ack_that_has_its_place_already_goes_when_the_bus_answers_at_once(
    world: World, near: World, watched: WatchedStore
) -> None:
    await world.bus.close()  # alone on its bus, a node is answered at once
    anna = await near.joined("anna")
    await anna.send("ben", "first")
    watched.log.outcomes = []
    anna.say("chat", anna.message("ben", "mine"))
    await settle()
    near.chat.compare()
    await settle()
    assert anna.order(CONV) == [("ack", 1)]
    watched.log.tell()
    await settle()
    assert anna.order(CONV) == [("ack", 1), ("ack", 2)]


async def test_an_own_entry_that_is_heard_twice_is_acked_once(
    world: World, near: World, watched: WatchedStore
) -> None:
    anna, elsewhere = await near.joined("anna"), await world.joined("anna")
    await anna.send("ben", "first")
    envelope = anna.message("ben", "mine")
    watched.log.outcomes = []
    anna.say("chat", envelope)
    await settle()
    for _ in range(2):
        elsewhere.say("chat", envelope)
        await settle()
    watched.log.tell()
    await settle()
    assert anna.order(CONV) == [("ack", 1), ("ack", 2)]


async def test_an_own_entry_that_is_heard_beyond_a_gap_is_acked_once(
    world: World, near: World, watched: WatchedStore
) -> None:
    anna, elsewhere = await near.joined("anna"), await world.joined("anna")
    ben = await world.joined("ben")
    await anna.send("ben", "first")
    delivered, world.buses.fate = world.buses.fate, lambda _topic, _payload: 0
    await ben.send("anna", "lost")
    world.buses.fate = delivered
    envelope = anna.message("ben", "mine")
    watched.log.outcomes = []
    anna.say("chat", envelope)
    await settle()
    elsewhere.say("chat", envelope)
    await settle()
    watched.log.tell()
    await settle()
    assert anna.order(CONV) == [("ack", 1), ("message", 2), ("ack", 3)]


async def test_an_own_entry_that_was_refused_though_it_is_in_the_log_comes_as_an_entry(
    world: World, near: World, watched: WatchedStore
) -> None:
    anna, ben = await near.joined("anna"), await world.joined("ben")
    await anna.send("ben", "first")
    watched.log.outcomes = []
    ack_id = anna.say("chat", anna.message("ben", "mine"))
    await settle()
    await ben.send("anna", "after")
    watched.log.tell(instead=WebchatError(Code.UNAVAILABLE, "no answer in time"))
    await settle()
    assert anna.socket.acks[ack_id]["error"]["code"] == "unavailable"
    assert anna.order(CONV) == [("ack", 1), ("message", 2), ("message", 3)]
    assert (await anna.send("ben", "mine"))["Seq"] == 2
