"""Receipts in the full form: positions, who hears of them, snapshots, the opt-out."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from tests.chat.watched import lose_answers, lose_answers_to_appends
from tests.chat.world import Person, World, settle, three
from webchat.chat.assembly import Settings
from webchat.errors import Code, WebchatError
from webchat.model import Entry
from webchat.service.read_positions import ReceiptSettings

CONV = "dm:anna:ben"
G = "group_1"


def heard(person: Person) -> list[tuple[str, str, int]]:
    """(kind, reader, Seq) of the receipts a person got."""
    return [(e["EvtType"], e["From"], e["Seq"]) for e in person.got("delivery", "display")]


def places(person: Person) -> list[tuple[int, int, int]]:
    return [(e["delivered"], e["displayed"], e["N"]) for e in person.got("position")]


async def talk(world: World, *bodies: str) -> tuple[Person, Person]:
    anna, ben = await world.joined("anna"), await world.joined("ben")
    for body in bodies:
        await anna.send("ben", body)
    await world.pass_time(1)
    return anna, ben


async def test_the_author_hears_of_delivery_and_then_of_display(world: World) -> None:
    anna, ben = await talk(world, "one", "two")
    ack = await ben.confirm("delivery", "anna", ConvID=CONV, Seq=2)
    assert ack == {"ok": True, "MsgID": "", "ConvID": CONV}
    assert heard(anna) == [("delivery", "ben", 2)]
    await ben.confirm("display", "anna", ConvID=CONV, Seq=1)
    assert heard(anna) == [("delivery", "ben", 2), ("display", "ben", 1)]
    (first, _) = anna.got("delivery", "display")
    assert (first["To"], first["Originated"], first["ConvID"]) == ("anna", "", CONV)


async def test_a_receipt_may_name_a_message_by_its_msgid(world: World) -> None:
    anna, ben = await talk(world, "one", "two")
    ack = await ben.confirm("display", "anna", MsgID="anna-one")
    assert ack["ok"]
    assert heard(anna) == [("display", "ben", 1)]


@pytest.mark.parametrize("together", [True, False])
async def test_a_display_far_behind_the_delivery_is_told(together: bool) -> None:
    world = World(Settings(receipts=ReceiptSettings(receipt_entries=3)))
    await world.register("anna", "ben")
    anna, ben = await talk(world, *map(str, range(1, 11)))
    ben.say("chat", receipt_of(ben, "delivery", 10))
    if not together:
        await world.pass_time(1)
    for seq in (2, 5):
        ben.say("chat", receipt_of(ben, "display", seq))
        await world.pass_time(1)
    told = [("delivery", "ben", 10), ("display", "ben", 2), ("display", "ben", 5)]
    assert heard(anna) == told
    await world.chat.close()


def receipt_of(ben: Person, kind: str, seq: int) -> dict[str, Any]:
    return {"EvtType": kind, "From": "ben", "To": "anna", "ConvID": CONV, "Seq": seq}


async def test_a_position_never_goes_back_and_is_not_told_twice(world: World) -> None:
    anna, ben = await talk(world, "one", "two")
    await ben.confirm("display", "anna", ConvID=CONV, Seq=2)
    assert (await ben.confirm("display", "anna", ConvID=CONV, Seq=1))["ok"]
    assert (await ben.confirm("delivery", "anna", ConvID=CONV, Seq=2))["ok"]
    assert heard(anna) == [("display", "ben", 2)]


@pytest.mark.parametrize("seq", [2, 2**53, 2**63 - 1, 2**64, 10**30])
async def test_a_receipt_beyond_the_last_counts_as_the_last(world: World, seq: int) -> None:
    anna, ben = await talk(world, "one")
    assert (await ben.confirm("display", "anna", ConvID=CONV, Seq=seq))["ok"]
    assert heard(anna) == [("display", "ben", 1)]


async def test_an_unknown_msgid_is_acknowledged_and_moves_nothing(world: World) -> None:
    anna, ben = await talk(world, "one")
    assert (await ben.confirm("display", "anna", MsgID="never"))["ok"]
    assert heard(anna) == []


async def test_many_receipts_become_one_write_and_each_gets_its_ack(world: World) -> None:
    anna, ben = await talk(world, *map(str, range(20)))
    acks = [
        ben.say("chat", {"EvtType": "display", "From": "ben", "ConvID": CONV, "Seq": seq})
        for seq in range(1, 21)
    ]
    await world.pass_time(1)
    assert all(ben.socket.acks[ack_id]["ok"] for ack_id in acks)
    assert heard(anna) == [("display", "ben", 20)]


async def test_receipts_are_never_refused_for_coming_fast(world: World) -> None:
    _, ben = await talk(world, "one")
    receipt = {"EvtType": "display", "From": "ben", "ConvID": CONV, "Seq": 1}
    acks = [ben.say("chat", receipt) for _ in range(1_000)]
    await world.pass_time(1)
    assert all(ben.socket.acks[ack_id]["ok"] for ack_id in acks)


async def test_the_readers_other_devices_hear_where_it_is_now(world: World) -> None:
    _, ben = await talk(world, "one", "two")
    laptop = await world.joined("ben", {CONV: 2})
    await ben.confirm("display", "anna", ConvID=CONV, Seq=2)
    assert places(laptop) == [(2, 2, 2)]
    assert places(ben) == []


async def test_an_own_message_moves_the_own_positions_without_being_told(world: World) -> None:
    anna, ben = await talk(world, "one")
    laptop = await world.joined("ben", {CONV: 1})
    await ben.send("anna", "answer")
    await world.pass_time(1)
    assert places(laptop) == []
    positions = await world.store.positions.of_user("ben", [CONV])
    assert (positions[CONV].delivered, positions[CONV].displayed, positions[CONV].n) == (2, 2, 2)
    assert heard(anna) == [("display", "ben", 2)]


async def test_notes_to_oneself_bring_no_receipts(world: World) -> None:
    anna = await world.joined("anna")
    await anna.send("anna", "milk")
    await anna.confirm("display", "anna", ConvID="dm:anna:anna", Seq=1)
    assert heard(anna) == []


@pytest.mark.parametrize(
    ("receipt", "code"),
    [
        ({"From": "anna", "ConvID": CONV, "Seq": 1}, "forbidden"),
        ({"ConvID": "dm:anna:cleo", "Seq": 1}, "not_a_member"),
        ({"ConvID": "dm:ben:cleo", "Seq": 1}, "not_a_member"),
        ({"ConvID": "user:ben", "Seq": 1}, "not_a_member"),
        ({"ConvID": "group_none", "Seq": 1}, "not_a_member"),
        ({"To": "anna"}, "bad_request"),
        ({"To": "no body", "MsgID": "x"}, "bad_request"),
        ({"ConvID": CONV, "Seq": -1}, "bad_request"),
        ({"ConvID": CONV, "Seq": 1.5}, "bad_request"),
    ],
)
async def test_a_wrong_receipt_is_refused(world: World, receipt: dict[str, Any], code: str) -> None:
    anna, ben = await talk(world, "one")
    ack = await ben.ask("chat", {"EvtType": "display", "From": "ben"} | receipt)
    assert ack["error"]["code"] == code
    await world.pass_time(1)
    assert heard(anna) == []


async def test_a_snapshot_says_where_everybody_is_after_the_own_position(world: World) -> None:
    _, ben = await talk(world, "one", "two", "three")
    await ben.confirm("delivery", "anna", ConvID=CONV, Seq=3)
    await ben.confirm("display", "anna", ConvID=CONV, Seq=2)
    laptop = await world.person("anna")
    await laptop.join({CONV: 3}, receipts=[CONV, "dm:cleo:dora", "user:anna"])
    kinds = [e["EvtType"] for e in laptop.got("position", "receipts")]
    assert kinds == ["position", "receipts"]
    (snapshot,) = laptop.got("receipts")
    assert snapshot["ConvID"] == CONV
    assert msgspec.json.decode(snapshot["Body"]) == [["anna", 3, 3], ["ben", 3, 2]]


async def test_snapshots_that_are_asked_for_again_before_they_are_shown_are_shown_once(
    world: World,
) -> None:
    anna, ben = await talk(world, "one")
    await anna.send("cleo", "two")
    for _ in range(20):
        anna.say("sync", {"cursors": {}, "receipts": [CONV, "dm:anna:cleo"]})
    await world.pass_time(1)
    shown = [e["ConvID"] for e in anna.got("receipts")]
    assert shown.count("dm:anna:cleo") == 1
    assert shown.count(CONV) <= 2
    ben.leave()


async def test_sync_asks_for_snapshots_too(world: World) -> None:
    _, ben = await talk(world, "one")
    await ben.ask("sync", {"cursors": {}, "receipts": [CONV]})
    assert places(ben) == [(0, 0, 0)]
    (snapshot,) = ben.got("receipts")
    assert msgspec.json.decode(snapshot["Body"]) == [["anna", 1, 1], ["ben", 0, 0]]


async def hide(world: World, uid: str) -> None:
    assert await world.profiles.change(uid, {"display_receipts": False})


async def test_who_hides_display_is_seen_as_delivered_only(world: World) -> None:
    anna, ben = await talk(world, "one")
    laptop = await world.joined("ben", {CONV: 1})
    await hide(world, "ben")
    await ben.confirm("display", "anna", ConvID=CONV, Seq=1)
    assert heard(anna) == [("delivery", "ben", 1)]
    assert places(laptop) == [(1, 1, 1)]
    await anna.ask("sync", {"cursors": {}, "receipts": [CONV]})
    (snapshot,) = anna.got("receipts")
    assert msgspec.json.decode(snapshot["Body"]) == [["anna", 1, 1], ["ben", 1, 0]]


async def test_who_hides_display_sees_nobody_elses(world: World) -> None:
    anna, ben = await talk(world, "one")
    await hide(world, "anna")
    await ben.confirm("display", "anna", ConvID=CONV, Seq=1)
    assert heard(anna) == [("delivery", "ben", 1)]
    await anna.ask("sync", {"cursors": {}, "receipts": [CONV]})
    (snapshot,) = anna.got("receipts")
    assert msgspec.json.decode(snapshot["Body"]) == [["anna", 1, 1], ["ben", 1, 0]]


async def test_a_receipt_the_store_did_not_take_is_refused(world: World) -> None:
    _, ben = await talk(world, "one")
    world.store.is_down = True
    ack = await ben.confirm("display", "anna", ConvID=CONV, Seq=1)
    assert ack["error"]["code"] == "unavailable"


@pytest.mark.parametrize("by_itself", [True, False])
async def test_a_receipt_that_was_stored_though_it_was_refused_is_told_when_it_is_sent_again(
    world: World, monkeypatch: pytest.MonkeyPatch, *, by_itself: bool
) -> None:
    anna, ben = await talk(world, "one", "two")
    other = await world.joined("ben")
    lose_answers(world, monkeypatch, by_itself=by_itself)
    ack = await ben.confirm("display", "anna", ConvID=CONV, Seq=1)
    assert ack["error"]["code"] == "unavailable"
    monkeypatch.undo()
    assert heard(anna) == []
    assert (await ben.confirm("display", "anna", ConvID=CONV, Seq=1))["ok"]
    assert heard(anna) == [("display", "ben", 1)]
    assert places(other) == [(1, 1, 1)]
    await ben.confirm("display", "anna", ConvID=CONV, Seq=1)
    assert heard(anna) == [("display", "ben", 1)]


@pytest.mark.parametrize("by_itself", [True, False])
async def test_a_receipt_that_was_stored_though_it_was_refused_is_told_with_later_ones(
    world: World, monkeypatch: pytest.MonkeyPatch, *, by_itself: bool
) -> None:
    """Also where one between them was refused, and not stored."""
    anna, ben, cleo = await three(world, G, "ben", "cleo")
    for author in (anna, cleo):
        await author.say_in(G, "hello")
    bens = {"ConvID": G, "From": G, "Originated": "ben"}
    for seq, is_stored in ((2, True), (3, False)):
        lose_answers(world, monkeypatch, by_itself=by_itself, is_stored=is_stored)
        ack = await ben.confirm("display", G, Seq=seq, **bens)
        assert ack["error"]["code"] == "unavailable"
        monkeypatch.undo()
    assert (await ben.confirm("display", G, Seq=3, **bens))["ok"]
    for author in (anna, cleo):
        told = [(said["Originated"], said["Seq"]) for said in author.got("display")]
        assert told.count(("ben", 3)) == 1


async def test_what_was_told_before_the_store_was_away_is_not_told_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna, ben, cleo = await three(world, G, "ben", "cleo")
    bens = {"ConvID": G, "From": G, "Originated": "ben"}
    await anna.say_in(G, "hello")
    await ben.confirm("display", G, Seq=2, **bens)
    anna.socket.packets.clear()
    await cleo.say_in(G, "hello")
    lose_answers(world, monkeypatch, by_itself=False, is_stored=False)
    for kind in ("delivery", "display"):
        ack = await ben.confirm(kind, G, Seq=3, **bens)
        assert ack["error"]["code"] == "unavailable"
    monkeypatch.undo()
    assert (await ben.confirm("display", G, Seq=3, **bens))["ok"]
    assert [said["Originated"] for said in anna.got("delivery", "display")] == ["cleo"]
    told = [(said["EvtType"], said["Seq"]) for said in cleo.got("delivery", "display")]
    assert told == [("delivery", 3), ("display", 3)]


async def test_authors_hear_of_a_message_that_was_stored_though_it_was_refused(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna, ben = await talk(world, "one", "two")
    lose_answers_to_appends(world, monkeypatch)
    assert (await ben.send("anna", "three", MsgID="m"))["error"]["code"] == "unavailable"
    monkeypatch.undo()
    assert heard(anna) == []
    for _ in range(2):
        assert (await ben.send("anna", "three", MsgID="m"))["Seq"] == 3
        await world.pass_time(1)
        assert heard(anna) == [("display", "ben", 3)]


async def test_a_resent_message_leaves_nothing_untold_of_a_receipt_that_went_further(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna, ben = await talk(world, "one")
    await ben.send("anna", "two", MsgID="m")
    await anna.send("ben", "three")
    anna.socket.packets.clear()
    lose_answers(world, monkeypatch, by_itself=False)
    refused = await ben.confirm("display", "anna", ConvID=CONV, Seq=3)
    assert refused["error"]["code"] == "unavailable"
    monkeypatch.undo()
    await ben.send("anna", "two", MsgID="m")
    assert (await ben.confirm("display", "anna", ConvID=CONV, Seq=3))["ok"]
    assert heard(anna) == [("display", "ben", 3)]


async def test_an_author_is_told_when_the_store_is_back(world: World) -> None:
    anna, ben = await talk(world, "one")
    receipt = {"EvtType": "display", "From": "ben", "ConvID": CONV, "Seq": 1}
    ben.say("chat", receipt)
    world.clock.advance(1)
    for _ in range(3):  # written, and not told yet
        await asyncio.sleep(0)
    world.store.is_down = True
    await settle()
    world.store.is_down = False
    await world.pass_time(2)
    assert heard(anna) == [("display", "ben", 1)]


async def test_while_messages_cannot_be_read_it_is_tried_once_a_second_whatever_is_read(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna, ben = await talk(world, *map(str, range(20)))
    tries: list[str] = []

    async def read(conv: str, after: int, limit: int) -> list[Entry]:
        tries.append(conv)
        raise WebchatError(Code.UNAVAILABLE, "the store is not answering")

    monkeypatch.setattr(world.store.log, "read", read)
    for seq in range(1, 17):
        ben.say("chat", {"EvtType": "display", "From": "ben", "ConvID": CONV, "Seq": seq})
        await world.pass_time(0.25)
    assert len(tries) == 1 + 4  # in as many seconds
    monkeypatch.undo()
    await world.pass_time(1)
    assert heard(anna)[-1] == ("display", "ben", 16)


async def test_what_can_never_be_told_is_logged_and_holds_up_no_other_conversation(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna, ben = await talk(world, "one")
    await anna.send("cleo", "two")
    cleo = await world.joined("cleo")
    read = world.store.log.read

    async def read_others(conv: str, after: int, limit: int) -> Sequence[Entry]:
        if conv == CONV:
            raise ValueError("no entry of any version")
        return await read(conv, after, limit)

    monkeypatch.setattr(world.store.log, "read", read_others)
    with capture_logs() as lines:
        ben.say("chat", {"EvtType": "display", "From": "ben", "ConvID": CONV, "Seq": 1})
        await world.pass_time(0.2)
        hers = {"EvtType": "display", "From": "cleo", "ConvID": "dm:anna:cleo", "Seq": 1}
        cleo.say("chat", hers)
        await world.pass_time(2)
    assert heard(anna) == [("display", "cleo", 1)]
    assert [line.get("conv") for line in lines if line["log_level"] == "error"] == [CONV]


async def test_receipts_reach_the_author_and_the_own_devices_on_other_nodes(world: World) -> None:
    other = World(beside=world)
    anna = await other.joined("anna")
    laptop = await other.joined("ben")
    ben = await world.joined("ben")
    await anna.send("ben", "one")
    await ben.confirm("display", "anna", ConvID=CONV, Seq=1)
    assert heard(anna) == [("display", "ben", 1)]
    assert places(laptop) == [(1, 1, 1)]
    await other.chat.close()
