"""Receipts in groups: who is told of whom, as positions or counts (docs/protocol.md, section 6)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

import pytest

from tests.chat.watched import WatchedStore
from tests.chat.world import RECEIPTS, Person, World, three
from webchat.chat.assembly import Settings
from webchat.errors import Code, WebchatError
from webchat.model import NO_POSITION, Entry
from webchat.ports.clock import pause
from webchat.ports.positions import Move, Moved, MoveDone
from webchat.service.read_positions import ReceiptSettings

G = "group_1"
CROWD = [f"m{number:03}" for number in range(120)]
"""So many that authors get counts."""


async def test_receipts_in_a_group_tell_each_author_who(world: World) -> None:
    anna, ben, _ = await three(world, G, "ben")
    await anna.do("refer", G, "cleo")
    await anna.say_in(G, "one")
    await ben.confirm("display", G, ConvID=G, Seq=3, From=G, Originated="ben")
    (told,) = anna.got("delivery", "display")
    assert (told["EvtType"], told["From"], told["Originated"], told["To"]) == (
        "display", G, "ben", "anna",
    )  # fmt: skip
    assert (told["ConvID"], told["Seq"]) == (G, 3)
    assert ben.got("delivery", "display") == []


async def test_where_one_reader_cannot_be_stored_the_others_are_told_of(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna, ben, cleo = await three(world, G, "ben", "cleo")
    await anna.say_in(G, "one")
    move = world.store.positions.move
    refusal = WebchatError(Code.UNAVAILABLE, "this row is not answering")
    bens = Moved(G, "ben", NO_POSITION, NO_POSITION, refusal)

    def move_cleo_alone(moves: Sequence[Move], done: MoveDone) -> None:
        def tell(outcomes: Sequence[Moved] | Exception) -> None:
            assert not isinstance(outcomes, Exception)
            moved = iter(outcomes)
            done([bens if each.uid == "ben" else next(moved) for each in moves])

        move([each for each in moves if each.uid != "ben"], tell)

    monkeypatch.setattr(world.store.positions, "move", move_cleo_alone)
    display = {"EvtType": "display", "From": G, "To": G, "ConvID": G, "Seq": 2}
    bens_ack = ben.say("chat", display | {"Originated": "ben"})
    cleos_ack = cleo.say("chat", display | {"Originated": "cleo"})
    await world.pass_time(1)
    assert ben.socket.acks[bens_ack]["error"]["code"] == "unavailable"
    assert cleo.socket.acks[cleos_ack]["ok"]
    assert [told["Originated"] for told in anna.got("display")] == ["cleo"]


async def test_a_receipt_that_names_another_conversation_too_is_refused(world: World) -> None:
    anna, ben = await world.joined("anna"), await world.joined("ben")
    await anna.do("create", G, "ben")
    receipt = {"EvtType": "display", "From": G, "To": G, "Originated": "ben", "Seq": 1}
    ack = await ben.ask("chat", receipt | {"ConvID": "dm:anna:ben"})
    assert ack["error"]["code"] == "bad_request"


async def test_a_snapshot_lists_every_member(world: World) -> None:
    anna, ben, _ = await three(world, G, "ben")
    await anna.say_in(G, "one")
    await ben.confirm("delivery", G, ConvID=G, Seq=2, From=G, Originated="ben")
    await anna.ask("sync", {"cursors": {}, "receipts": [G]})
    (snapshot,) = anna.got("receipts")
    assert sorted(json.loads(snapshot["Body"])) == [["anna", 2, 2], ["ben", 2, 0]]


async def test_what_came_before_never_counts_as_unread(world: World) -> None:
    anna, _, _ = await three(world, G, "ben")
    await anna.say_in(G, "before")
    await anna.do("refer", G, "cleo")
    positions = await world.store.positions.of_user("cleo", [G])
    assert (positions[G].displayed, positions[G].n) == (2, 1)


async def test_beyond_a_hundred_members_an_author_gets_counts(world: World) -> None:
    await world.register(*CROWD)
    anna = await world.joined("anna")
    await anna.do("create", G, *CROWD)
    await anna.say_in(G, "hello")
    readers = [await world.joined(uid, {G: 2}) for uid in CROWD[:3]]
    for reader in readers:
        await reader.confirm("display", G, ConvID=G, Seq=2, From=G, Originated=reader.uid)
    await world.pass_time(2)
    assert anna.got("delivery", "display") == []
    assert json.loads(anna.got("receipts")[-1]["Body"]) == [[2, 3, 3]]
    await anna.ask("sync", {"cursors": {}, "receipts": [G]})
    assert json.loads(anna.got("receipts")[-1]["Body"]) == [[2, 3, 3]]


async def test_who_has_left_hears_of_readers_up_to_there(world: World, other: World) -> None:
    anna, ben, cleo = await three(world, G, "ben", "cleo")
    phone = await other.joined("cleo")
    await cleo.say_in(G, "one")
    await anna.do("remove", G, "cleo")
    for body in ("two", "three"):
        await anna.say_in(G, body)
    where = {"ConvID": G, "From": G, "Originated": "ben"}
    await ben.confirm("delivery", G, Seq=4, **where)
    await ben.confirm("display", G, Seq=5, **where)
    for device in (cleo, phone):
        assert read_by("ben", device) == [("delivery", 3), ("display", 3)]
    assert read_by("ben", anna) == [("delivery", 4), ("display", 5)]
    await anna.do("refer", G, "cleo")
    await cleo.say_in(G, "back")
    await ben.confirm("display", G, Seq=7, **where)
    assert read_by("ben", cleo)[-1] == ("display", 7)


def read_by(reader: str, author: Person) -> list[tuple[str, int]]:
    """What a device of the author has heard of one reader."""
    heard = [told for told in author.got(*RECEIPTS) if told["Originated"] == reader]
    return [(told["EvtType"], told["Seq"]) for told in heard]


async def with_much_unread() -> tuple[Person, Person, Person]:
    """anna, ben and cleo; seven messages of hers, where three entries are looked at together."""
    world = World(Settings(receipts=ReceiptSettings(receipt_entries=3)))
    await world.register("anna", "ben", "cleo")
    anna, ben, cleo = await three(world, G, "ben")
    await anna.do("refer", G, "cleo")
    for body in map(str, range(3, 10)):
        await anna.say_in(G, body)
    return anna, ben, cleo


async def test_whoever_reads_at_the_same_time_is_told_of_with_what_it_passed() -> None:
    anna, ben, cleo = await with_much_unread()
    world = anna.world
    for reader, seq in ((ben, 3), (cleo, 9), (ben, 4)):
        reader.say("chat", reader.act("display", G, ConvID=G, Seq=seq))
    await world.pass_time(1)
    heard = [(told["Originated"], told["Seq"]) for told in anna.got("display")]
    assert heard == [("ben", 4), ("cleo", 9)]
    await world.chat.close()


async def test_what_authors_were_told_before_the_store_failed_they_are_not_told_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    anna, ben, cleo = await with_much_unread()
    world = anna.world
    read = world.store.log.read

    async def read_the_first_window(conv: str, after: int, limit: int) -> list[Entry]:
        if after > 3:
            world.store.is_down = True
        return await read(conv, after, limit)

    monkeypatch.setattr(world.store.log, "read", read_the_first_window)
    for reader, seq in ((ben, 3), (cleo, 9)):
        reader.say("chat", reader.act("display", G, ConvID=G, Seq=seq))
    await world.pass_time(0.5)
    assert [told["Originated"] for told in anna.got("display")] == ["ben"]
    monkeypatch.undo()
    world.store.is_down = False
    await world.pass_time(1.5)
    assert [told["Originated"] for told in anna.got("display")] == ["ben", "cleo"]
    await world.chat.close()


async def in_groups(world: World, count: int) -> tuple[Person, Person, list[str]]:
    """anna and ben, and so many groups of theirs, each with a message of hers."""
    anna, ben = await world.joined("anna"), await world.joined("ben")
    groups = [f"group_{number}" for number in range(count)]
    for group in groups:
        await anna.do("create", group, "ben")
        await anna.say_in(group, "hello")
    return anna, ben, groups


async def test_conversations_that_cannot_be_read_hold_up_no_receipts_in_others(
    near: World, watched: WatchedStore
) -> None:
    anna, ben, groups = await in_groups(near, 9)
    *damaged, sound = groups
    watched.log.damaged.update(damaged)
    for group in groups:
        ben.say("chat", ben.act("display", group, ConvID=group, Seq=2))
    await near.pass_time(1)
    await near.pass_time(1)
    assert [told["ConvID"] for told in anna.got("display")] == [sound]
    watched.log.damaged.clear()
    await near.pass_time(1)
    assert sorted(told["ConvID"] for told in anna.got("display")) == groups


async def test_many_conversations_that_cannot_be_read_do_not_keep_others_waiting(
    near: World, watched: WatchedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even as long as it takes to find that out, but for the first time."""
    anna, ben, groups = await in_groups(near, 25)
    *damaged, sound = groups
    for group in groups:
        for number in range(5):
            await anna.say_in(group, f"{number}")
    read = watched.log.read

    async def read_slowly(conv: str, after: int, limit: int) -> list[Entry]:
        if conv in damaged:
            await pause(near.clock, 0.5)
            raise WebchatError(Code.UNAVAILABLE, "the store is not answering")
        return await read(conv, after, limit)

    monkeypatch.setattr(watched.log, "read", read_slowly)
    for group in damaged:
        ben.say("chat", ben.act("display", group, ConvID=group, Seq=2))
    for _ in range(10):
        await near.pass_time(0.25)
    for seq in range(2, 7):
        for group in groups:
            ben.say("chat", ben.act("display", group, ConvID=group, Seq=seq))
        await near.pass_time(0.25)
        told = [(told["ConvID"], told["Seq"]) for told in anna.got("display")]
        assert told[seq - 2 :] == [(sound, seq)]


async def test_what_comes_while_a_conversation_is_tried_again_is_told_after_it(
    near: World, watched: WatchedStore
) -> None:
    anna, ben, (group,) = await in_groups(near, 1)
    await anna.say_in(group, "again")
    watched.log.damaged.add(group)
    ben.say("chat", ben.act("display", group, ConvID=group, Seq=2))
    await near.pass_time(0.5)
    watched.log.damaged.clear()
    waits = watched.log.read_waits[group] = asyncio.Event()
    await near.pass_time(1)
    del watched.log.read_waits[group]  # others would not wait
    await ben.confirm("display", group, ConvID=group, Seq=3)
    assert anna.got("display") == []
    waits.set()
    await near.pass_time(0)
    assert [told["Seq"] for told in anna.got("display")] == [2, 3]


async def test_of_a_log_that_cannot_be_read_only_the_newest_moves_are_remembered(
    world: World, watched: WatchedStore
) -> None:
    settings = Settings(receipts=ReceiptSettings(untold_steps=2))
    near = World(settings, beside=world, store=watched)
    anna, ben, _ = await three(near, G, "ben")
    for body in map(str, range(2, 6)):
        await anna.say_in(G, body)
    watched.log.damaged.add(G)
    for seq in range(2, 6):
        await ben.confirm("display", G, ConvID=G, Seq=seq, From=G, Originated="ben")
    await near.pass_time(1)
    watched.log.damaged.clear()
    await near.pass_time(1)
    assert [told["Seq"] for told in anna.got("display")] == [4, 5]
    await near.chat.close()


async def test_beyond_a_hundred_members_an_author_of_the_seeds_form_hears_of_each(
    open_world: World,
) -> None:
    anna, ben = await open_world.person("anna"), await open_world.joined("ben")
    await anna.ask("join", "anna")
    await ben.do("create", G, "anna", *CROWD)
    await anna.say_in(G, "hello")
    await ben.say_in(G, "hello")
    for uid in CROWD[:2]:
        reader = await open_world.joined(uid, {G: 3})
        reader.say("chat", reader.act("display", G, ConvID=G, Seq=3))
    await open_world.pass_time(1)
    heard = [(told["Originated"], told["MsgID"]) for told in anna.got("display")]
    assert heard == [(reader, "anna-hello") for reader in ("ben", "m000", "m001")]
    await open_world.pass_time(1)
    assert ben.got("display") == []
    assert json.loads(ben.got("receipts")[-1]["Body"]) == [[3, 2, 2]]


async def test_beyond_a_hundred_members_who_passes_its_own_alone_changes_no_count(
    world: World,
) -> None:
    await world.register(*CROWD)
    anna, ben = await world.joined("anna"), await world.joined(CROWD[0])
    await anna.do("create", G, *CROWD)
    await anna.say_in(G, "one")
    await ben.say_in(G, "two")
    await ben.say_in(G, "three")
    await anna.say_in(G, "four")
    await world.pass_time(2)
    assert json.loads(anna.got("receipts")[-1]["Body"]) == [[2, 1, 1]]
    assert json.loads(ben.got("receipts")[-1]["Body"]) == [[3, 1, 1], [4, 1, 1]]
