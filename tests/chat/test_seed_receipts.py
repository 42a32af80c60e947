"""Receipts by MsgID, in whatever order a reader of the seed's form names its messages."""

from __future__ import annotations

import asyncio

import pytest

from tests.chat.watched import WatchedStore
from tests.chat.world import Person, World, settle
from webchat.chat.assembly import Settings
from webchat.chat.keeping import KeptSettings
from webchat.model import Entry

KEPT = Settings(open_mode=True, kept=KeptSettings(kept_receipts=10))

G = "group_1"
BODIES = ("one", "two", "three")


async def seed(world: World, uid: str) -> Person:
    person = await world.person(uid)
    assert (await person.ask("join", uid))["ok"]
    return person


def heard(person: Person) -> list[tuple[str, str]]:
    """(kind, MsgID) of the receipts somebody got."""
    return [(e["EvtType"], e["MsgID"]) for e in person.got("delivery", "display")]


async def talk(world: World) -> tuple[Person, Person]:
    anna, ben = await seed(world, "anna"), await seed(world, "ben")
    for body in BODIES:
        await anna.send("ben", body)
    return anna, ben


async def name(reader: Person, kind: str, *bodies: str, at_once: bool = False) -> None:
    for body in bodies:
        said = {"EvtType": kind, "From": reader.uid, "To": "anna", "MsgID": f"anna-{body}"}
        reader.say("chat", said)
        if not at_once:
            await reader.world.pass_time(1)
    await reader.world.pass_time(1)


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("kind", ["delivery", "display"])
async def test_an_earlier_message_that_is_named_later_is_told(
    open_world: World, kind: str, at_once: bool
) -> None:
    anna, ben = await talk(open_world)
    await name(ben, kind, "three", "one", "two", at_once=at_once)
    assert sorted(heard(anna)) == sorted((kind, f"anna-{body}") for body in BODIES)


@pytest.mark.parametrize("at_once", [True, False])
async def test_each_is_told_once_however_often_it_is_named(
    open_world: World, at_once: bool
) -> None:
    anna, ben = await talk(open_world)
    other = await seed(open_world, "ben")
    await name(ben, "delivery", "three", "one", "one", at_once=at_once)
    await name(other, "delivery", "one", "two", "three", "two", at_once=at_once)
    assert sorted(heard(anna)) == sorted(("delivery", f"anna-{body}") for body in BODIES)


async def test_a_delivery_and_a_display_are_told_each_for_itself(open_world: World) -> None:
    anna, ben = await talk(open_world)
    await name(ben, "delivery", "three")
    await name(ben, "display", "three")
    await name(ben, "delivery", "one")
    await name(ben, "display", "two")
    await name(ben, "display", "one")
    assert heard(anna) == [
        ("delivery", "anna-three"),
        ("display", "anna-three"),
        ("delivery", "anna-one"),
        ("display", "anna-two"),
        ("display", "anna-one"),
    ]


async def test_a_display_alone_is_told_alone_though_a_notice_was_handed_over_just_before(
    open_world: World,
) -> None:
    anna, ben = await seed(open_world, "anna"), await seed(open_world, "ben")
    await anna.do("create", G, "ben")
    await anna.say_in(G, "one")
    said = {"EvtType": "display", "From": G, "Originated": "ben", "To": "anna"}
    ben.say("chat", said | {"MsgID": "anna-one"})
    await open_world.pass_time(1)
    assert heard(anna) == [("display", "anna-one")]


async def test_what_another_device_has_told_of_is_not_told_again(open_world: World) -> None:
    anna, ben = await talk(open_world)
    laptop = await open_world.joined("ben")
    await laptop.confirm("display", "anna", ConvID="dm:anna:ben", Seq=3)
    told = heard(anna)
    assert told == [("display", f"anna-{body}") for body in BODIES]
    await name(ben, "display", "three", "one")
    assert heard(anna) == told


async def test_an_author_of_the_full_form_is_told_how_far_the_reader_is_once(
    open_world: World,
) -> None:
    anna, ben = await talk(open_world)
    laptop = await open_world.joined("anna")
    await name(ben, "delivery", "three", "one")
    assert heard(anna) == [("delivery", "anna-three"), ("delivery", "anna-one")]
    assert [e["Seq"] for e in laptop.got("delivery")] == [3]


async def test_in_a_group_its_author_is_told_that_the_reader_was_further(
    open_world: World,
) -> None:
    anna, cleo = await open_world.joined("anna"), await seed(open_world, "cleo")
    ben = await seed(open_world, "ben")
    await anna.do("create", G, "ben", "cleo")
    await anna.say_in(G, "one")
    await cleo.say_in(G, "two")
    for uid, body in (("cleo", "two"), ("anna", "one")):
        ben.say("chat", ben.act("delivery", G, MsgID=f"{uid}-{body}"))
        await open_world.pass_time(1)
    assert heard(cleo) == [("delivery", "cleo-two")]
    assert [(e["Originated"], e["Seq"]) for e in anna.got("delivery")] == [("ben", 3)]


async def test_for_somebody_who_is_not_in_a_conversation_nothing_is_sought_there(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna = await world.joined("anna")
    await anna.do("create", G, "ben")
    await anna.say_in(G, "among us")
    await anna.send("ben", "between us")
    dora = await seed(world, "dora")

    async def seek(*_: object) -> None:
        raise AssertionError("it was sought")

    monkeypatch.setattr(world.store.log, "read_before", seek)
    monkeypatch.setattr(world.store.log, "find", seek)
    for message in ("anna-among us", "nobody's"):
        for to in (G, "anna"):
            answer = await dora.ask("chat", dora.act("display", G, To=to, MsgID=message))
            assert answer == {"ok": True, "MsgID": message, "ConvID": G}


async def test_who_confirms_late_has_what_it_named_and_no_more_however_much_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("webchat.chat.seed._UNCONFIRMED_SPANS", 2)
    world = World(KEPT)
    anna, ben = await seed(world, "anna"), await seed(world, "ben")
    for number in range(8):  # hers have Seq 1, 3, 5, …, 15, his 2, 4, …
        await anna.send("ben", str(number))
        await ben.send("anna", str(number))

    for number, until in ((0, 2), (3, 7), (5, 11), (7, 16)):
        await name(ben, "delivery", str(number))
        assert await delivered(world, "ben", "dm:anna:ben") == until
    await world.chat.close()


async def delivered(world: World, uid: str, conv: str) -> int:
    return (await world.store.positions.of_user(uid, [conv]))[conv].delivered


async def seed_group(world: World) -> tuple[Person, Person]:
    """anna, who knows `Seq`, and ben, who does not and has the message at 2."""
    anna = await world.joined("anna")
    await anna.do("create", G, "ben")
    ben = await seed(world, "ben")
    await anna.say_in(G, "one")
    return anna, ben


@pytest.mark.parametrize("other", ["full", "seed"])
async def test_what_another_device_confirms_holds_nothing_up(open_world: World, other: str) -> None:
    anna, ben = await seed_group(open_world)
    join = open_world.joined if other == "full" else lambda uid: seed(open_world, uid)
    tablet = await join("ben")
    named = {"Seq": 2} if other == "full" else {"MsgID": "anna-one"}
    tablet.say("chat", tablet.act("delivery", G, **named))
    await open_world.pass_time(1)
    tablet.leave()
    await open_world.pass_time(1)
    await anna.do("refer", G, "cleo")
    await open_world.pass_time(1)
    assert ben.got("join")
    assert await delivered(open_world, "ben", G) == 3


async def test_what_was_confirmed_right_after_the_join_does_not_come_again(
    open_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna, ben = await seed_group(open_world)
    ben.leave()
    may_read = asyncio.Event()
    read = open_world.store.log.read

    async def read_later(conv: str, after: int, limit: int) -> list[Entry]:
        await may_read.wait()
        return await read(conv, after, limit)

    monkeypatch.setattr(open_world.store.log, "read", read_later)
    ben = await seed(open_world, "ben")
    ben.say("chat", ben.act("delivery", G, To="anna", MsgID="anna-one"))
    await open_world.pass_time(1)
    may_read.set()
    await anna.do("refer", G, "cleo")
    await open_world.pass_time(1)
    assert [e["EvtType"] for e in ben.got("message", "join")] == ["join"]
    assert await delivered(open_world, "ben", G) == 3


@pytest.mark.parametrize("hides", ["anna", "ben"])
@pytest.mark.parametrize("kinds", [("delivery", "display"), ("display",)])
async def test_a_display_that_is_kept_is_hidden_if_one_of_both_hides_them_by_then(
    hides: str, kinds: tuple[str, ...]
) -> None:
    world = World(KEPT)
    anna, ben = await talk(world)
    anna.leave()
    for kind in kinds:
        await name(ben, kind, "one")
    await world.profiles.change(hides, {"display_receipts": False})
    assert heard(await seed(world, "anna")) == [("delivery", "anna-one")]
    await world.chat.close()


async def test_a_display_is_kept_as_it_is() -> None:
    world = World(KEPT)
    anna, ben = await talk(world)
    anna.leave()
    await name(ben, "display", "one")
    assert heard(await seed(world, "anna")) == [("display", "anna-one")]
    await world.chat.close()


async def slow_one(world: World) -> Person:
    """A connection of anna's, whom something is kept for, that takes nothing yet."""
    anna, ben = await talk(world)
    anna.leave()
    await name(ben, "delivery", "one")
    phone = await world.person("anna")
    phone.socket.takes.clear()
    assert (await phone.ask("join", "anna"))["ok"]
    return phone


async def test_what_is_kept_stays_so_if_a_connection_ends_before_it_has_taken_it() -> None:
    world = World(KEPT)
    phone = await slow_one(world)
    phone.leave()
    phone.socket.takes.set()
    await world.pass_time(1)
    assert heard(phone) == []
    assert heard(await seed(world, "anna")) == [("delivery", "anna-one")]
    await world.chat.close()


async def test_what_is_kept_stays_so_if_a_connection_ends_while_the_store_is_away() -> None:
    world = World(KEPT)
    phone = await slow_one(world)
    world.store.is_down = True
    phone.socket.takes.set()
    await world.pass_time(1)
    phone.leave()
    world.store.is_down = False
    again = await seed(world, "anna")
    await world.pass_time(2)
    assert heard(again) == [("delivery", "anna-one")]
    await world.chat.close()


async def test_all_that_is_kept_is_handed_over_where_the_store_gives_it_one_by_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(KEPT)
    take = world.store.kept.take
    monkeypatch.setattr(world.store.kept, "take", lambda uid, _: take(uid, 1))
    anna, ben = await talk(world)
    anna.leave()
    for kind in ("delivery", "display"):
        await name(ben, kind, "one")
    again = await seed(world, "anna")
    assert heard(again) == [("delivery", "anna-one"), ("display", "anna-one")]
    await world.chat.close()


@pytest.mark.parametrize("is_alone", [True, False])
async def test_what_was_acknowledged_when_a_node_ends_is_kept(is_alone: bool) -> None:
    other = World(KEPT)
    store = WatchedStore(other.store)
    world = World(beside=other, store=store)
    anna, ben = await talk(world)
    anna.leave()
    if is_alone:
        await other.bus.close()
    else:
        world.bus.withhold()
    ack_id = ben.say("chat", ben.message("anna", "", EvtType="display", MsgID="anna-one"))
    world.chat.drain()
    ending = asyncio.create_task(world.chat.finish(within_s=5.0))
    await settle()
    assert ben.socket.acks[ack_id]["ok"]
    assert not ending.done()
    if not is_alone:
        world.bus.answer()
        await settle()
        assert not ending.done()
    store.kept.may_keep.set()
    await ending
    await world.chat.close()
    assert heard(await seed(other, "anna")) == [("display", "anna-one")]
    await other.chat.close()


async def test_a_node_ends_all_the_same_where_nothing_can_be_kept() -> None:
    before = World(KEPT)
    world = World(beside=before, store=WatchedStore(before.store))  # it never keeps
    anna, ben = await talk(world)
    anna.leave()
    await name(ben, "display", "one")
    await world.chat.finish(within_s=0.01)
    for node in (world, before):
        await node.chat.close()
