"""A `join` with `more`: until its last packet what was not named waits (section 2)."""

from __future__ import annotations

from tests.chat.world import Person, World, settle

G = "group_1"
KINDS = ("skip", "create", "join", "depart", "message")


def told(person: Person, conv: str = G) -> list[tuple[str, int]]:
    """(kind, Seq) of what moved a position of `person`, in order."""
    return [(e["EvtType"], e["Seq"]) for e in person.got(*KINDS) if e["ConvID"] == conv]


async def left_group(world: World) -> Person:
    """anna's group, of which ben has left at 3."""
    anna, ben = await world.joined("anna"), await world.joined("ben")
    await anna.do("create", G, "ben")
    await anna.say_in(G, "to both")
    await ben.do("depart", G)
    await anna.say_in(G, "without ben")
    ben.leave()
    await settle()
    return anna


async def brought_back_while_more_is_to_come(world: World) -> tuple[Person, Person]:
    """anna, and ben, who has not named the group and is in it again."""
    anna = await left_group(world)
    ben = await world.person("ben")
    await ben.join({"user:ben": 0}, more=True)
    await anna.do("refer", G, "ben")
    return anna, ben


async def test_a_group_that_one_is_brought_back_into_meanwhile_waits_for_its_cursor(
    world: World,
) -> None:
    anna, ben = await brought_back_while_more_is_to_come(world)
    await anna.say_in(G, "welcome back")
    assert told(ben) == []
    await ben.ask("sync", {"cursors": {G: 3}})
    assert told(ben) == [("skip", 4), ("join", 5), ("message", 6)]


async def test_one_that_is_never_named_begins_at_its_start_after_the_last_packet(
    world: World,
) -> None:
    anna, ben = await brought_back_while_more_is_to_come(world)
    await anna.send("ben", "new pair")
    assert (told(ben), told(ben, "dm:anna:ben")) == ([], [])
    await ben.ask("sync", {"cursors": {}})
    assert told(ben) == [
        ("create", 1), ("message", 2), ("depart", 3), ("skip", 4), ("join", 5),
    ]  # fmt: skip
    assert told(ben, "dm:anna:ben") == [("message", 1)]


async def test_of_the_own_log_nothing_is_missed_that_came_after_the_join(world: World) -> None:
    anna, ben = await world.joined("anna"), await world.joined("ben")
    await anna.send("ben", "before")
    ben.leave()
    ben = await world.person("ben")
    await ben.join(more=True)
    await anna.do("create", G, "ben")
    assert ben.got() == []
    await ben.ask("sync", {"cursors": {}})
    own = [e for e in ben.got() if e["ConvID"] == "user:ben"]
    assert [(e["EvtType"], e["Seq"]) for e in own] == [("skip", 1), ("conversation", 2)]


async def test_one_that_is_never_named_begins_when_no_further_packet_comes(world: World) -> None:
    anna, ben = await world.joined("anna"), await world.person("ben")
    await ben.join({"user:ben": 0}, more=True)
    await anna.send("ben", "new pair")
    assert told(ben, "dm:anna:ben") == []
    await world.pass_time(31)
    assert told(ben, "dm:anna:ben") == [("message", 1)]


async def test_a_new_pair_that_is_heard_of_after_an_outage_waits_too(
    world: World, other: World
) -> None:
    anna, ben = await world.joined("anna"), await other.person("ben")
    await ben.join({"user:ben": 0}, more=True)
    world.buses.go_down()
    await anna.send("ben", "one")
    world.buses.come_back()
    await world.pass_time(2.0)
    assert told(ben, "dm:anna:ben") == []
    await ben.ask("sync", {"cursors": {"dm:anna:ben": 1}})
    await anna.send("ben", "two")
    assert told(ben, "dm:anna:ben") == [("message", 2)]


async def test_a_group_that_was_sent_to_its_end_goes_on_where_it_ended(world: World) -> None:
    anna = await left_group(world)
    ben = await world.person("ben")
    await ben.join({G: 1}, more=True)
    assert told(ben) == [("message", 2), ("depart", 3)]
    await anna.do("refer", G, "ben")
    assert told(ben)[2:] == [("skip", 4), ("join", 5)]
    await ben.ask("sync", {"cursors": {"user:ben": 0}})
    assert len(told(ben)) == 4


async def test_a_time_in_a_group_that_is_heard_of_when_it_is_over_waits_for_its_cursor(
    world: World, other: World
) -> None:
    anna, laptop = await world.joined("anna"), await world.joined("ben")
    ben = await other.person("ben")
    await ben.join({"user:ben": 0}, more=True)
    other.bus.cut_off()
    await anna.do("create", G, "ben")
    await anna.say_in(G, "short")
    await laptop.do("depart", G)
    other.bus.reconnect()
    await world.pass_time(2.0)
    assert told(ben) == []
    await ben.ask("sync", {"cursors": {G: 2}})
    assert told(ben) == [("depart", 3)]


async def test_after_the_last_packet_who_comes_in_is_live_at_once(world: World) -> None:
    anna, ben = await world.joined("anna"), await world.person("ben")
    await ben.join(more=True)
    await ben.ask("sync", {"cursors": {}})
    await anna.do("create", G, "ben")
    assert told(ben) == [("create", 1)]
