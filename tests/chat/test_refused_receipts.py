"""Receipts that were refused as unavailable, and may have been stored all the same."""

from __future__ import annotations

import pytest

from tests.chat.watched import lose_answers
from tests.chat.world import Person, World, three
from webchat.errors import Code, WebchatError
from webchat.ports.log import Append, AppendDone
from webchat.ports.positions import Move, MoveDone

CONV = "dm:anna:ben"
G = "group_1"
LOOKED_AT_S = 10.0


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
    log = world.store.log
    append = log.append

    def unanswered(request: Append, done: AppendDone) -> None:
        lost = WebchatError(Code.UNAVAILABLE, "the store is not answering")
        append(request, lambda _: done(lost))

    monkeypatch.setattr(log, "append", unanswered)
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


async def test_as_long_as_the_store_is_away_all_of_them_are_tried_together_every_few_seconds(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna, ben, cleo = await three(world, G, "ben", "cleo")
    await anna.say_in(G, "hello")
    tried: list[list[str]] = []

    def move(moves: list[Move], done: MoveDone) -> None:
        tried.append(sorted(each.uid for each in moves))
        done(WebchatError(Code.UNAVAILABLE, "the store is not answering"))

    monkeypatch.setattr(world.store.positions, "move", move)
    for reader in (ben, cleo):
        await reader.confirm("delivery", G, From=G, Originated=reader.uid, Seq=2)
    tried.clear()
    await pass_seconds(world, 60.0)
    assert 6 <= len(tried) <= 12
    assert tried[1:] == [["ben", "cleo"]] * (len(tried) - 1)
    monkeypatch.undo()
    await pass_seconds(world, LOOKED_AT_S)
    assert heard(anna) == [("delivery", 2), ("delivery", 2)]


async def pass_seconds(world: World, seconds: float) -> None:
    """In small steps, as timers follow each other."""
    for _ in range(int(seconds / 0.25)):
        await world.pass_time(0.25)
