"""Coming into a log on a live connection: the client rule holds there, too (section 2)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.chat.world import Person, World, settle
from webchat.chat.assembly import Settings
from webchat.chat.lag import BacklogSettings
from webchat.chat.settings import RepairSettings

G = "group_1"


def told(person: Person, conv: str) -> list[tuple[str, int]]:
    """(kind, Seq) of what moved a position of `person`, in order."""
    kinds = ("skip", "create", "join", "depart", "message")
    return [(e["EvtType"], e["Seq"]) for e in person.got(*kinds) if e["ConvID"] == conv]


def skips(person: Person) -> list[dict[str, Any]]:
    return [skip for skip in person.got("skip") if skip["ConvID"] == G]


async def test_who_is_added_while_connected_is_skipped_to_its_join(world: World) -> None:
    anna, ben = await world.joined("anna"), await world.joined("ben")
    await anna.ask("chat", anna.act("create", G, Body="[]"))
    await anna.say_in(G, "before")
    await anna.do("refer", G, "ben")
    assert told(ben, G) == [("skip", 2), ("join", 3)]
    (skip,) = skips(ben)
    assert (skip["N"], skip["more"]) == (1, False)


async def test_who_comes_back_while_connected_is_skipped_over_its_absence(world: World) -> None:
    anna, ben = await world.joined("anna"), await world.joined("ben")
    await anna.do("create", G, "ben")
    await ben.do("depart", G)
    await anna.say_in(G, "without ben")
    await anna.do("refer", G, "ben")
    assert told(ben, G) == [("create", 1), ("skip", 3), ("join", 4)]


async def test_who_comes_back_at_once_is_not_skipped(world: World) -> None:
    anna, ben = await world.joined("anna"), await world.joined("ben")
    await anna.do("create", G, "ben")
    await ben.do("depart", G)
    await anna.do("refer", G, "ben")
    assert told(ben, G) == [("create", 1), ("join", 3)]


async def test_a_device_that_had_not_named_a_left_group_gets_its_first_span_too(
    world: World,
) -> None:
    anna, ben = await world.joined("anna"), await world.joined("ben")
    await anna.do("create", G, "ben")
    await ben.do("depart", G)
    tablet = await world.joined("ben")
    await anna.say_in(G, "without ben")
    await anna.do("refer", G, "ben")
    assert told(tablet, G) == [("create", 1), ("depart", 2), ("skip", 3), ("join", 4)]


async def test_the_text_of_an_edit_does_not_come_to_a_device_whose_user_had_left(
    world: World,
) -> None:
    anna, ben = await world.joined("anna"), await world.joined("ben")
    await anna.do("create", G, "ben")
    await anna.say_in(G, "one")
    await anna.say_in(G, "two")
    await edit(anna, 2, "while ben was there")
    await ben.do("depart", G)
    await edit(anna, 3, "after ben left")
    tablet = await world.joined("ben", {G: 1})
    assert tablet.bodies() == ["while ben was there", ""]
    assert (await world.joined("anna")).bodies() == ["while ben was there", "after ben left"]


@pytest.mark.parametrize("gap_page", [200, 1], ids=["in one page", "in pages"])
async def test_the_text_of_an_edit_that_was_missed_does_not_come_to_who_had_left(
    world: World, gap_page: int
) -> None:
    other = World(Settings(repair=RepairSettings(gap_page=gap_page)), beside=world)
    anna = await world.joined("anna")
    ben, cleo, page = (
        await other.joined("ben"),
        await other.joined("cleo"),
        await other.person("dora"),
    )
    await page.ask("join", "dora")
    await anna.do("create", G, "ben", "cleo", "dora")
    world.buses.go_down()
    await anna.say_in(G, "helo")
    await anna.do("remove", G, "cleo")
    await anna.say_in(G, "without cleo")
    await edit(anna, 2, "hello")
    world.buses.come_back()
    await settle()
    assert cleo.order(G) == [("create", 1), ("message", 2), ("remove", 3)]
    assert cleo.bodies() == [""]
    assert ben.bodies() == page.bodies() == ["hello", "without cleo"]
    assert ben.places(G) == [1, 2, 3, 4, 5]
    await anna.say_in(G, "live")
    assert ben.bodies()[-1] == page.bodies()[-1] == "live"
    await other.chat.close()


async def test_who_was_back_before_a_missed_edit_gets_its_text(world: World, other: World) -> None:
    anna, ben = await world.joined("anna"), await other.joined("ben")
    await anna.do("create", G, "ben")
    world.buses.go_down()
    await anna.say_in(G, "helo")
    await anna.do("remove", G, "ben")
    await anna.do("refer", G, "ben")
    await edit(anna, 2, "hello")
    world.buses.come_back()
    await settle()
    assert ben.bodies() == ["hello"]
    assert ben.places(G) == [1, 2, 3, 4, 5]


async def edit(person: Person, seq: int, text: str) -> None:
    said = {"EvtType": "edit", "Refers": seq, "Body": text, "MsgID": f"edit-{seq}"}
    assert (await person.ask("chat", person.act("edit", G) | said))["ok"]


async def test_what_was_missed_while_the_bus_was_down_comes_when_it_is_back(world: World) -> None:
    other = World(beside=world)
    anna, ben = await world.joined("anna"), await other.joined("ben")
    cleo = await other.joined("cleo")
    await anna.do("create", G, "ben")
    world.buses.go_down()
    await anna.say_in(G, "to the group")
    await anna.do("refer", G, "cleo")
    await anna.say_in(G, "to cleo, too")
    await anna.send("cleo", "to a new pair")
    assert ben.bodies() == cleo.bodies() == []
    world.buses.come_back()
    await world.pass_time(2.0)
    assert ben.bodies() == ["to the group", "to cleo, too"]
    assert sorted(cleo.bodies()) == ["to a new pair", "to cleo, too"]
    assert told(cleo, G) == [("skip", 2), ("join", 3), ("message", 4)]
    await anna.say_in(G, "live again")
    assert ben.bodies()[-1] == cleo.bodies()[-1] == "live again"
    await other.chat.close()


async def test_a_pair_whose_first_messages_were_lost_begins_at_its_start(world: World) -> None:
    other = World(beside=world)
    anna, ben = await world.joined("anna"), await other.joined("ben")
    world.buses.is_up = False
    await anna.send("ben", "one")
    world.buses.is_up = True
    await anna.send("ben", "two")
    assert told(ben, "dm:anna:ben") == [("message", 1), ("message", 2)]
    await other.chat.close()


async def test_a_group_made_while_the_bus_is_down_is_heard_of_afterwards(world: World) -> None:
    other = World(beside=world)
    anna, ben = await world.joined("anna"), await other.joined("ben")
    world.buses.go_down()
    await anna.do("create", G, "ben")
    world.buses.come_back()
    await world.pass_time(2.0)
    await ben.say_in(G, "hello")
    await settle()
    assert anna.bodies() == ["hello"]
    assert told(ben, G) == [("create", 1)]
    await other.chat.close()


async def test_a_sync_while_the_store_is_down_is_answered_once(world: World) -> None:
    anna, ben = await world.joined("anna"), await world.joined("ben")
    await anna.do("create", G, "ben")
    await ben.do("depart", G)
    world.store.is_down = True
    answer = await ben.ask("sync", {"cursors": {G: 0}, "receipts": []})
    assert answer["error"]["code"] == "unavailable"
    answers = [name for name, _ in ben.socket.packets]
    assert answers.count("ack") == 3


async def test_a_snapshot_waits_for_a_store_that_is_down(world: World) -> None:
    anna, ben = await world.joined("anna"), await world.joined("ben")
    await anna.do("create", G, "ben")
    world.store.is_down = True
    assert (await ben.ask("sync", {"cursors": {}, "receipts": [G]}))["ok"]
    world.store.is_down = False
    await world.pass_time(2.0)
    assert [e["ConvID"] for e in ben.got("position", "receipts")] == [G, G]


async def test_who_is_live_gets_all_since_it_came_in_however_late_it_hears(world: World) -> None:
    node = World(Settings(backlog=BacklogSettings(backlog_entries=2)), beside=world)
    anna, ben = await world.joined("anna"), await node.joined("ben")
    await anna.ask("chat", anna.act("create", G, Body="[]"))
    await anna.say_in(G, "before")
    node.bus.cut_off()
    await anna.do("refer", G, "ben")
    for number in range(5):
        await anna.say_in(G, str(number))
    node.bus.reconnect()
    await settle()
    assert told(ben, G)[:2] == [("skip", 2), ("join", 3)]
    assert ben.bodies() == [str(number) for number in range(5)]
    await node.chat.close()


async def test_a_cursor_set_anew_on_the_way_shows_nothing_of_an_absence(world: World) -> None:
    anna, ben = await world.joined("anna"), await world.joined("ben")
    await anna.do("create", G, "ben")
    await ben.do("depart", G)
    await anna.say_in(G, "without ben")
    await anna.do("refer", G, "ben")
    tablet = await world.person("ben")
    tablet.socket.takes.clear()
    tablet.say("join", {"device": "d", "cursors": {G: 2}})
    await settle()
    assert told(tablet, G) == [("skip", 3), ("join", 4)]
    tablet.say("sync", {"cursors": {G: 0}})
    await settle()
    tablet.socket.takes.set()
    await settle()
    begun_anew = [("create", 1), ("depart", 2), ("skip", 3), ("join", 4)]
    assert told(tablet, G) == [("skip", 3), ("join", 4), *begun_anew]


async def test_who_leaves_and_comes_back_on_the_way_sees_nothing_of_between(world: World) -> None:
    anna = await world.joined("anna")
    await anna.do("create", G, "cleo")
    await anna.say_in(G, "to all")
    cleo = await world.person("cleo")
    cleo.socket.takes.clear()
    cleo.say("join", {"device": "d", "cursors": {}})
    await settle()
    assert told(cleo, G) == [("create", 1)]
    await (await world.joined("cleo")).do("depart", G)
    await anna.say_in(G, "without cleo")
    await anna.do("refer", G, "cleo")
    cleo.socket.takes.set()
    await settle()
    assert "without cleo" not in cleo.bodies()
    assert told(cleo, G) == [
        ("create", 1), ("message", 2), ("depart", 3), ("skip", 4), ("join", 5),
    ]  # fmt: skip
