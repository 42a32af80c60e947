"""`join` and `sync`: from cursors to live, in order, nothing missed, nothing twice."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.chat.watched import WatchedStore
from tests.chat.world import Person, World, settle
from webchat.chat.assembly import Settings
from webchat.chat.joining import JoinSettings
from webchat.chat.lag import BacklogSettings

CONV = "dm:anna:ben"


async def write(world: World, who: str, to: str, count: int, start: int = 0) -> None:
    """`who` sends `count` numbered messages from a device that goes again."""
    writer = await world.joined(who, {f"user:{who}": 2**40})
    for i in range(start, start + count):
        writer.say("chat", writer.message(to, str(i)))
        if i % 200 == 199:
            await world.pass_time(10)
    await world.pass_time(10)
    writer.leave()


def seqs(person: Person, conv: str = CONV) -> list[int]:
    return [entry["Seq"] for entry in person.got("message") if entry["ConvID"] == conv]


def skips(person: Person) -> list[dict[str, Any]]:
    return person.got("skip")


async def test_the_ack_says_who_and_when_and_which_version(world: World) -> None:
    anna = await world.person("anna")
    ack = await anna.join()
    assert ack == {"ok": True, "uid": "anna", "time": world.clock.now_ms(), "version": ""}


async def test_without_cursors_everything_comes_in_order(world: World) -> None:
    await write(world, "anna", "ben", 150)
    ben = await world.joined("ben")
    assert seqs(ben) == list(range(1, 151))


async def test_from_a_cursor_only_what_lies_after_it_comes(world: World) -> None:
    await write(world, "anna", "ben", 5)
    ben = await world.joined("ben", {CONV: 3})
    assert seqs(ben) == [4, 5]


@pytest.mark.parametrize("cursor", [6, 2**53, 2**63 - 1, 2**64, 10**30])
async def test_a_cursor_beyond_the_last_counts_as_the_last_and_skip_says_so(
    world: World, cursor: int
) -> None:
    await write(world, "anna", "ben", 5)
    ben = await world.joined("ben", {CONV: cursor, "user:ben": 1})
    assert seqs(ben) == []
    assert skips(ben) == [{"EvtType": "skip", "ConvID": CONV, "Seq": 5, "N": 5, "more": False}]


async def test_one_far_behind_begins_with_a_skip(world: World) -> None:
    await write(world, "anna", "ben", 250)
    ben = await world.joined("ben", {"user:ben": 1})
    assert skips(ben) == [{"EvtType": "skip", "ConvID": CONV, "Seq": 50, "N": 50, "more": True}]
    assert seqs(ben) == list(range(51, 251))


async def test_a_user_log_without_a_cursor_is_skipped_to_its_end(world: World) -> None:
    await write(world, "anna", "ben", 1)
    ben = await world.joined("ben")
    assert skips(ben) == [{"EvtType": "skip", "ConvID": "user:ben", "Seq": 1, "more": False}]
    assert ben.got("conversation") == []


async def test_a_user_log_with_a_cursor_is_read_from_there(world: World) -> None:
    await write(world, "anna", "ben", 1)
    ben = await world.joined("ben", {"user:ben": 0})
    assert [told["Seq"] for told in ben.got("conversation")] == [1]


async def test_the_newest_conversation_comes_first(world: World) -> None:
    await write(world, "anna", "ben", 2)
    await write(world, "cleo", "ben", 2)
    ben = await world.joined("ben")
    convs = [entry["ConvID"] for entry in ben.got("message")]
    assert convs == ["dm:ben:cleo"] * 2 + [CONV] * 2


async def test_the_newest_comes_first_among_those_of_long_ago_too(world: World) -> None:
    await write(world, "anna", "ben", 2)
    world.clock.advance(3_600)
    await write(world, "cleo", "ben", 2)
    world.clock.advance(86_400)
    ben = await world.joined("ben")
    convs = [entry["ConvID"] for entry in ben.got("message")]
    assert convs == ["dm:ben:cleo"] * 2 + [CONV] * 2


async def test_news_in_many_conversations_are_one_read_of_the_log(
    world: World, near: World, watched: WatchedStore
) -> None:
    for friend in ("anna", "cleo", "dora"):
        await write(world, friend, "ben", 2)
    ben = await near.joined("ben")
    assert len(ben.got("message")) == 6
    assert watched.log.reads == []
    assert [sorted(places) for places in watched.log.read_together] == [
        ["dm:anna:ben", "dm:ben:cleo", "dm:ben:dora"]
    ]


async def test_cursors_for_logs_one_has_no_part_in_are_passed_over(world: World) -> None:
    await write(world, "anna", "ben", 1)
    dora = await world.joined("dora", {CONV: 0, "user:ben": 0, "group_x": 0, "nonsense": 3})
    assert dora.got() == []


async def test_beyond_what_a_join_may_ask_for_conversations_are_skipped_to_their_end() -> None:
    world = World(Settings(backlog=BacklogSettings(join_entries=5)))
    await world.register("anna", "ben", "cleo")
    await write(world, "anna", "ben", 4)
    await write(world, "cleo", "ben", 4)
    ben = await world.joined("ben")
    assert seqs(ben, "dm:ben:cleo") == [1, 2, 3, 4]
    assert seqs(ben, CONV) == []
    assert {"EvtType": "skip", "ConvID": CONV, "Seq": 4, "N": 4, "more": True} in skips(ben)
    await world.chat.close()


async def test_the_skip_comes_ahead_of_a_live_entry_that_is_sooner() -> None:
    world = World(Settings(backlog=BacklogSettings(join_entries=5)))
    await world.register("anna", "ben", "cleo")
    await write(world, "anna", "ben", 4)
    await write(world, "cleo", "ben", 4)
    ben = await world.person("ben")
    ben.socket.takes.clear()
    await ben.join()
    anna = await world.joined("anna", {CONV: 4})
    await anna.send("ben", "live")
    assert seqs(ben, CONV) == [5]
    ben.socket.takes.set()
    await settle()
    assert seqs(ben, CONV) == [5]
    assert [skip["Seq"] for skip in skips(ben) if skip["ConvID"] == CONV] == [4]
    await world.chat.close()


async def test_what_is_appended_during_the_backlog_comes_after_it(world: World) -> None:
    await write(world, "anna", "ben", 150)
    ben = await world.person("ben")
    ben.socket.takes.clear()
    await ben.join()
    got = len(seqs(ben))
    assert got < 150
    await write(world, "anna", "ben", 30, start=150)
    assert len(seqs(ben)) == got
    ben.socket.takes.set()
    await settle()
    assert seqs(ben) == list(range(1, 181))


async def test_an_ack_during_the_backlog_takes_its_entrys_place(world: World) -> None:
    await write(world, "anna", "ben", 150)
    ben = await world.person("ben")
    ben.socket.takes.clear()
    await ben.join()
    ack_id = ben.say("chat", ben.message("anna", "mine"))
    await settle()
    assert ack_id not in ben.socket.acks
    await write(world, "anna", "ben", 1, start=150)
    ben.socket.takes.set()
    await settle()
    assert ben.socket.acks[ack_id]["Seq"] == 151
    assert seqs(ben) == [*range(1, 151), 152]
    place = ben.socket.packets.index(("ack", ben.socket.acks[ack_id]))
    assert ben.socket.packets[place - 1][1]["Seq"] == 150
    assert ben.socket.packets[place + 1][1]["Seq"] == 152


async def test_with_more_what_is_not_named_waits_for_the_last_packet(world: World) -> None:
    await write(world, "anna", "ben", 2)
    await write(world, "cleo", "ben", 2)
    ben = await world.person("ben")
    await ben.join({CONV: 1}, more=True)
    assert seqs(ben) == [2]
    assert seqs(ben, "dm:ben:cleo") == []
    assert await ben.ask("sync", {"cursors": {"dm:ben:cleo": 1}}) == {"ok": True}
    assert seqs(ben, "dm:ben:cleo") == [2]


async def test_an_emit_to_one_that_waits_gets_its_ack_in_its_turn(world: World) -> None:
    await write(world, "anna", "ben", 2)
    ben = await world.person("ben")
    await ben.join(more=True)
    ack_id = ben.say("chat", ben.message("anna", "mine"))
    await settle()
    assert ack_id not in ben.socket.acks
    await ben.ask("sync", {"cursors": {}})
    assert ben.socket.acks[ack_id]["Seq"] == 3
    assert seqs(ben) == [1, 2]


async def test_an_ack_that_is_passed_over_comes_right_after_that_skip() -> None:
    world = World(Settings(backlog=BacklogSettings(backlog_entries=3)))
    await world.register("anna", "ben")
    await write(world, "anna", "ben", 1)
    ben = await world.person("ben")
    await ben.join(more=True)
    ben.say("chat", ben.message("anna", "mine"))
    await settle()
    await write(world, "anna", "ben", 5, 1)
    await ben.ask("sync", {"cursors": {}})
    about = [what for _, what in ben.socket.packets if what.get("ConvID") == CONV]
    came = [what["Seq"] for what in about if what.get("EvtType") != "display"]
    assert came == [4, 2, 5, 6, 7]
    await world.chat.close()


async def test_after_a_while_without_a_further_packet_that_was_the_last() -> None:
    world = World(Settings(join=JoinSettings(sync_more_timeout_s=30)))
    await world.register("anna", "ben")
    await write(world, "anna", "ben", 2)
    ben = await world.person("ben")
    await ben.join(more=True)
    await world.pass_time(29)
    assert seqs(ben) == []
    await world.pass_time(2)
    assert seqs(ben) == [1, 2]
    await world.chat.close()


async def test_sync_sets_a_place_anew_lower_and_higher(world: World) -> None:
    await write(world, "anna", "ben", 5)
    ben = await world.joined("ben", {CONV: 5, "user:ben": 1})
    await ben.ask("sync", {"cursors": {CONV: 3}})
    assert seqs(ben) == [4, 5]
    await ben.ask("sync", {"cursors": {CONV: 9}})
    assert [skip["Seq"] for skip in skips(ben)] == [5]


async def test_a_second_join_acts_as_a_sync(world: World) -> None:
    await write(world, "anna", "ben", 5)
    ben = await world.joined("ben", {CONV: 5})
    assert (await ben.join({CONV: 4}))["uid"] == "ben"
    assert seqs(ben) == [5]


async def test_join_in_the_other_form_or_as_somebody_else_is_refused(world: World) -> None:
    ben = await world.joined("ben")
    assert (await ben.ask("join", "ben"))["error"]["code"] == "bad_request"
    assert (await ben.ask("join", "anna"))["error"]["code"] == "forbidden"


@pytest.mark.parametrize(
    ("argument", "code"),
    [
        ({"cursors": {CONV: -1}}, "bad_request"),
        ({"cursors": {CONV: "1"}}, "bad_request"),
        ({"cursors": [CONV]}, "bad_request"),
        ({"cursors": {}, "more": "yes"}, "bad_request"),
        ({"cursors": {}, "receipts": ["c"] * 51}, "bad_request"),
        ({"cursors": {f"c{i}": 0 for i in range(1_001)}}, "too_large"),
        (7, "bad_request"),
        ("", "bad_request"),
        ("anna", "forbidden"),
    ],
)
async def test_a_join_that_is_wrong_is_refused_and_can_be_mended(
    world: World, argument: object, code: str
) -> None:
    ben = await world.person("ben")
    if argument == "":
        ben.socket.state.uid = None
    ack = await ben.ask("join", argument)
    assert ack["ok"] is False
    assert ack["error"]["code"] == code
    ben.socket.state.uid = "ben"
    assert (await ben.join())["ok"]


async def test_sync_before_join_is_unauthenticated(world: World) -> None:
    ben = await world.person("ben")
    assert (await ben.ask("sync", {"cursors": {}}))["error"]["code"] == "unauthenticated"


async def test_an_entry_that_lands_while_somebody_joins_is_not_missed(world: World) -> None:
    anna = await world.joined("anna")
    ben = await world.person("ben")
    ben.say("join", {"cursors": {}})
    for i in range(20):
        anna.say("chat", anna.message("ben", str(i)))
        await asyncio.sleep(0)
    await settle()
    assert seqs(ben) == list(range(1, 21))


async def test_a_backlog_waits_for_a_store_that_is_down(world: World) -> None:
    await write(world, "anna", "ben", 150)
    ben = await world.person("ben")
    ben.socket.takes.clear()
    await ben.join()
    world.store.is_down = True
    ben.socket.takes.set()
    await settle()
    assert len(seqs(ben)) < 150
    world.store.is_down = False
    await world.pass_time(2)
    assert seqs(ben) == list(range(1, 151))


async def test_an_event_sent_right_after_join_is_dealt_with_after_it(world: World) -> None:
    ben = await world.person("ben")
    ben.say("join", {"cursors": {}})
    ack_id = ben.say("chat", ben.message("anna", "first"))
    await settle()
    assert ben.socket.acks[ack_id]["ok"]


async def test_who_is_gone_leaves_nothing_behind(world: World) -> None:
    await write(world, "anna", "ben", 3)
    ben = await world.joined("ben")
    ben.leave()
    await settle()
    assert world.chat.roster.users == {}
    assert world.chat.roster.logs == {}


async def test_a_group_that_is_left_while_a_join_reads_another_comes_to_its_end(
    near: World, watched: WatchedStore
) -> None:
    anna, ben = await near.joined("anna"), await near.joined("ben")
    for group in ("group_a", "group_b"):
        await anna.do("create", group, "ben")
    await ben.do("depart", "group_a")
    await anna.say_in("group_b", "the laptop has not had this")
    laptop = await near.person("ben")
    watched.log.read_waits["group_a"] = goes_on = asyncio.Event()
    laptop.say("join", {"device": "d", "cursors": {"group_b": 1, "group_a": 2, "user:ben": 9}})
    await settle()
    await ben.do("depart", "group_b")
    goes_on.set()
    await settle()
    assert laptop.order("group_b") == [("message", 2), ("depart", 3)]
