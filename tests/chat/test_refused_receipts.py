"""Receipts that were refused as unavailable, and may have been stored all the same."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.chat.watched import lose_answers, lose_answers_to_appends
from tests.chat.world import Person, World, three
from webchat.errors import Code, TooBusyError, WebchatError
from webchat.ports.positions import Move, MoveDone

CONV = "dm:anna:ben"
G = "group_1"
LOOKED_AT_S = 10.0
LOST = WebchatError(Code.UNAVAILABLE, "the store is not answering")


def heard(person: Person) -> list[tuple[str, int]]:
    """(kind, Seq) of the receipts a person got."""
    return [(said["EvtType"], said["Seq"]) for said in person.got("delivery", "display")]


@pytest.mark.parametrize("by_itself", [True, False])
async def test_one_that_was_stored_and_is_sent_again_to_another_node_is_told(
    world: World, other: World, monkeypatch: pytest.MonkeyPatch, *, by_itself: bool
) -> None:
    anna, ben, tablet = [await world.joined(uid) for uid in ("anna", "ben", "ben")]
    await anna.send("ben", "hello")
    lose_answers(world, monkeypatch, by_itself=by_itself)
    refused = await ben.confirm("display", "anna", ConvID=CONV, Seq=1)
    assert refused["error"]["code"] == "unavailable"
    monkeypatch.undo()
    ben.leave()
    elsewhere = await other.joined("ben", {CONV: 1})
    assert (await elsewhere.confirm("display", "anna", ConvID=CONV, Seq=1))["ok"]
    assert heard(anna) == []
    assert tablet.got("position") == []
    await pass_seconds(world, LOOKED_AT_S)
    assert heard(anna) == [("display", 1)]
    for device in (tablet, elsewhere):
        assert [said["displayed"] for said in device.got("position")] == [1]
    await pass_seconds(world, LOOKED_AT_S)
    assert heard(anna) == [("display", 1)]


async def test_what_a_message_displayed_that_was_stored_and_is_sent_again_to_another_node_is_told(
    world: World, other: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna, ben = await world.joined("anna"), await world.joined("ben")
    await anna.send("ben", "hello")
    lose_answers_to_appends(world, monkeypatch)
    assert (await ben.send("anna", "yes?"))["error"]["code"] == "unavailable"
    monkeypatch.undo()
    ben.leave()
    elsewhere = await other.joined("ben", {CONV: 1})
    assert (await elsewhere.send("anna", "yes?"))["Seq"] == 2
    assert heard(anna) == []
    await pass_seconds(world, LOOKED_AT_S)
    assert heard(anna) == [("display", 2)]


async def test_those_of_a_page_are_told_to_the_authors_that_it_named(
    open_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna, cleo, ben = [await open_world.person(uid) for uid in ("anna", "cleo", "ben")]
    for person in (anna, cleo):
        await person.join(uid=person.uid)
    await ben.ask("join", "ben")
    await anna.do("create", G, "ben", "cleo")
    for author, body in ((anna, "one"), (cleo, "two"), (anna, "three")):
        await author.say_in(G, body)
    for person in (anna, cleo):
        person.socket.packets.clear()
    lose_answers(open_world, monkeypatch, by_itself=False)
    for body in ("one", "three"):
        named = {"From": G, "Originated": "ben", "MsgID": f"anna-{body}"}
        refused = await ben.confirm("delivery", G, **named)
        assert refused["error"]["code"] == "unavailable"
    monkeypatch.undo()
    await pass_seconds(open_world, LOOKED_AT_S)
    assert anna.got("delivery")[-1]["Seq"] == 4
    assert heard(cleo) == []


@pytest.mark.parametrize("writes_first", [True, False])
async def test_those_of_a_page_are_told_to_whom_it_named_though_its_user_wrote_in_the_outage(
    open_world: World, monkeypatch: pytest.MonkeyPatch, *, writes_first: bool
) -> None:
    """On another device, of the full form."""
    anna, cleo, ben = [await open_world.person(uid) for uid in ("anna", "cleo", "ben")]
    for person in (anna, cleo, ben):
        await person.ask("join", person.uid)
    laptop = await open_world.joined("ben")
    await anna.do("create", G, "ben", "cleo")
    for author in (cleo, anna):
        await author.say_in(G, "hello")
    monkeypatch.setattr(open_world.store.log, "append", lambda request, done: done(LOST))
    lose_answers(open_world, monkeypatch, by_itself=False, is_stored=False)
    if writes_first:
        await laptop.say_in(G, "lost")
    ben.say("chat", confirmed("delivery", "anna-hello"))
    await pass_seconds(open_world, 0.5)
    if not writes_first:
        await laptop.say_in(G, "lost")
    monkeypatch.undo()
    await pass_seconds(open_world, LOOKED_AT_S)
    assert [said["MsgID"] for said in anna.got("delivery")] == ["anna-hello"]
    assert cleo.got("delivery") == []


@pytest.mark.parametrize("is_under_way", [False, True])
async def test_what_a_page_named_in_an_outage_is_told_though_it_names_more_right_after(
    open_world: World, monkeypatch: pytest.MonkeyPatch, *, is_under_way: bool
) -> None:
    """Also where the next was under way when the first failed."""
    anna, cleo, ben = [await open_world.person(uid) for uid in ("anna", "cleo", "ben")]
    for person in (anna, cleo, ben):
        await person.ask("join", person.uid)
    await anna.do("create", G, "ben", "cleo")
    for author in (anna, cleo):
        await author.say_in(G, "hello")
    positions = open_world.store.positions
    move, asked = positions.move, []
    monkeypatch.setattr(positions, "move", lambda moves, done: asked.append((moves, done)))
    for kind in ("delivery", "display"):
        ben.say("chat", confirmed(kind, "anna-hello"))
    await pass_seconds(open_world, 0.5)
    (_, refuse), *_ = asked
    if not is_under_way:
        refuse(LOST)
        monkeypatch.undo()
    for kind in ("delivery", "display"):
        ben.say("chat", confirmed(kind, "cleo-hello"))
    await pass_seconds(open_world, 0.5)
    if is_under_way:
        refuse(LOST)
        monkeypatch.undo()
        for later in asked[1:]:
            move(*later)
    await pass_seconds(open_world, LOOKED_AT_S)
    for author in (anna, cleo):
        told = [(each["EvtType"], each["MsgID"]) for each in author.got("delivery", "display")]
        assert told == [(kind, f"{author.uid}-hello") for kind in ("delivery", "display")]


@pytest.mark.parametrize(("outage_s", "tries"), [(60.0, 3), (600.0, 6)])
async def test_in_an_outage_each_is_tried_after_ever_longer_times_for_some_minutes(
    world: World, monkeypatch: pytest.MonkeyPatch, outage_s: float, tries: int
) -> None:
    """Then its reader has to move on."""
    anna, ben, cleo = await three(world, G, "ben", "cleo")
    await anna.say_in(G, "hello")
    tried: list[str] = []

    def move(moves: Sequence[Move], done: MoveDone) -> None:
        tried.extend(each.uid for each in moves)
        done(LOST)

    monkeypatch.setattr(world.store.positions, "move", move)
    for reader in (ben, cleo):
        await reader.confirm("delivery", G, From=G, Originated=reader.uid, Seq=2)
    tried.clear()
    await pass_seconds(world, outage_s, step_s=1.0)
    assert sorted(tried) == ["ben"] * tries + ["cleo"] * tries
    monkeypatch.undo()
    await pass_seconds(world, outage_s, step_s=1.0)
    assert heard(anna) == ([] if tries == 6 else [("delivery", 2), ("delivery", 2)])
    await ben.confirm("display", G, From=G, Originated="ben", Seq=2)
    assert heard(anna)[-1] == ("display", 2)


@pytest.mark.parametrize("may_be_stored", [False, True])
async def test_one_that_a_store_was_too_busy_for_is_made_again_only_if_it_may_be_stored(
    world: World, monkeypatch: pytest.MonkeyPatch, *, may_be_stored: bool
) -> None:
    anna, ben = await world.joined("anna"), await world.joined("ben")
    await anna.send("ben", "hello")
    if may_be_stored:
        lose_answers(world, monkeypatch, by_itself=True)
        await ben.confirm("display", "anna", ConvID=CONV, Seq=1)
        monkeypatch.undo()
    tried: list[str] = []

    def move(moves: Sequence[Move], done: MoveDone) -> None:
        tried.extend(each.uid for each in moves)
        done(TooBusyError())

    monkeypatch.setattr(world.store.positions, "move", move)
    monkeypatch.setattr(world.store.log, "append", lambda request, done: done(TooBusyError()))
    refused = await ben.confirm("display", "anna", ConvID=CONV, Seq=1)
    assert refused["error"]["code"] == "unavailable"
    assert (await ben.send("anna", "yes?"))["error"]["code"] == "unavailable"
    tried.clear()
    await pass_seconds(world, LOOKED_AT_S)
    assert tried == (["ben"] if may_be_stored else [])
    monkeypatch.undo()
    await pass_seconds(world, 2 * LOOKED_AT_S)
    assert heard(anna) == ([("display", 1)] if may_be_stored else [])


@pytest.mark.parametrize("is_seed", [False, True])
async def test_one_that_a_store_was_too_busy_for_is_made_again_if_no_ack_says_so(
    open_world: World, monkeypatch: pytest.MonkeyPatch, *, is_seed: bool
) -> None:
    """Also where an earlier one is stored meanwhile."""
    anna, ben = [await open_world.person(uid) for uid in ("anna", "ben")]
    for person in (anna, ben):
        await person.ask("join", person.uid)
    reader = ben if is_seed else await open_world.joined("ben")
    await anna.do("create", G, "ben")
    for body in ("one", "two"):
        await anna.say_in(G, body)
    positions = open_world.store.positions
    move, asked = positions.move, []
    monkeypatch.setattr(positions, "move", lambda moves, done: asked.append((moves, done)))
    for body in ("one", "two"):
        seq = {} if is_seed else {"Seq": 2 + (body == "two")}
        reader.say("chat", {**confirmed("display", f"anna-{body}"), **seq}, ack=False)
        await pass_seconds(open_world, 0.5)
    stored, (_, refuse) = asked
    refuse(TooBusyError())
    monkeypatch.undo()
    move(*stored)
    await pass_seconds(open_world, LOOKED_AT_S)
    assert [said["MsgID"] for said in anna.got("display")] == ["anna-one", "anna-two"]


async def test_one_that_the_store_never_takes_keeps_no_other_from_being_told(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna, ben, _ = await three(world, G, "ben")
    await anna.say_in(G, "hello")
    await anna.send("ben", "hello")
    positions = world.store.positions
    move = positions.move

    def damaged(moves: Sequence[Move], done: MoveDone) -> None:
        if any(each.conv == G for each in moves):
            done(LOST)
        else:
            move(moves, done)

    monkeypatch.setattr(positions, "move", damaged)
    ben.say("chat", ben.act("display", G, ConvID=G, Seq=2))
    refused = await ben.confirm("display", "anna", ConvID=CONV, Seq=1)
    assert refused["error"]["code"] == "unavailable"
    await pass_seconds(world, LOOKED_AT_S)
    assert [(said["ConvID"], said["Seq"]) for said in anna.got("display")] == [(CONV, 1)]


async def test_many_that_failed_are_tried_in_a_hundred_writes_at_most(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ben = await world.joined("ben")
    authors = [f"author{number}" for number in range(250)]
    await world.register(*authors)
    for uid in authors:
        await (await world.joined(uid)).send("ben", "hello")
    tried: list[int] = []

    def move(moves: Sequence[Move], done: MoveDone) -> None:
        tried.append(len(moves))
        done(LOST)

    monkeypatch.setattr(world.store.positions, "move", move)
    for uid in authors:
        conv = f"dm:{uid}:ben"
        receipt = {"EvtType": "display", "From": "ben", "To": uid, "Timestamp": 1, "Seq": 1}
        ben.say("chat", {**receipt, "ConvID": conv})
    await pass_seconds(world, 1.0)
    tried.clear()
    await pass_seconds(world, 9.0)
    assert sum(tried) == 250
    assert 50 < len(tried) <= 100


def confirmed(kind: str, msg_id: str) -> dict[str, object]:
    """What ben's page says of a message in the group."""
    return {
        "EvtType": kind, "From": G, "Originated": "ben", "To": G, "MsgID": msg_id, "Timestamp": 1,
    }  # fmt: skip


async def pass_seconds(world: World, seconds: float, *, step_s: float = 0.25) -> None:
    """In small steps, as timers follow each other."""
    for _ in range(int(seconds / step_s)):
        await world.pass_time(step_s)
