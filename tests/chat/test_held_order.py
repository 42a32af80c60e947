"""What is held for a group (open mode) is appended when its sender comes in, before its next."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.chat.world import Person, World, settle
from webchat.errors import Code, WebchatError

G = "group_1"


async def bodies(world: World) -> list[str]:
    """Which messages are in the group's log, in order."""
    return [e.msg_id for e in await world.store.log.read(G, 0, 100) if e.kind == "message"]


def say_in(person: Person, body: str) -> None:
    person.say("chat", person.act("message", G, MsgID=f"{person.uid}-{body}", Body=body))


def in_its_time(
    call: Callable[..., Awaitable[object]], turns: int
) -> Callable[..., Awaitable[object]]:
    """The same, answered so many turns of the loop later."""

    async def late(*given: Any) -> object:
        found = await call(*given)
        for _ in range(turns):
            await asyncio.sleep(0)
        return found

    return late


def without_an_answer(call: Callable[..., Awaitable[object]]) -> Callable[..., Awaitable[None]]:
    """The same, done by a store that does not say so."""

    async def unanswered(*given: Any) -> None:
        await call(*given)
        raise WebchatError(Code.UNAVAILABLE, "the store is not answering")

    return unanswered


async def holding(world: World, uid: str = "anna") -> Person:
    """Somebody of the seed's form who has written to a group that nobody knows."""
    person = await world.person(uid)
    assert (await person.ask("join", uid))["ok"]
    assert (await person.say_in(G, "held"))["held"]
    return person


async def test_it_is_appended_when_somebody_else_makes_the_group(open_world: World) -> None:
    await holding(open_world)
    ben = await open_world.joined("ben")
    await ben.do("create", G, "anna")
    assert ben.bodies() == ["held"]
    assert await open_world.store.held.of_user("anna", 0) == []


async def test_it_is_appended_when_its_sender_makes_the_group_by_another_act(
    open_world: World,
) -> None:
    anna, ben = await holding(open_world), await open_world.joined("ben")
    await anna.do("create", G, "ben")
    assert ben.bodies() == ["held"]


@pytest.mark.parametrize("turns", range(0, 60, 2))
async def test_it_is_appended_first_however_late_its_sender_comes_in_with_the_next(
    open_world: World, monkeypatch: pytest.MonkeyPatch, turns: int
) -> None:
    anna, ben = await holding(open_world), await open_world.joined("ben")
    await ben.do("create", G, "cleo")
    members, held = open_world.store.members, open_world.store.held
    monkeypatch.setattr(members, "group", in_its_time(members.group, turns=6))
    monkeypatch.setattr(held, "of_user", in_its_time(held.of_user, turns=20))
    say_in(anna, "next")
    for _ in range(turns):
        await asyncio.sleep(0)
    ben.say("chat", ben.act("refer", G, Body='["anna"]'))
    await open_world.pass_time(2)
    written = await bodies(open_world)
    assert written in (["anna-held"], ["anna-held", "anna-next"])


async def test_it_is_appended_when_its_sender_is_added_later(open_world: World) -> None:
    await holding(open_world)
    ben = await open_world.joined("ben")
    await ben.do("create", G, "cleo")
    assert ben.bodies() == []
    await ben.do("refer", G, "anna")
    assert ben.bodies() == ["held"]


async def test_it_is_appended_when_another_node_makes_the_group(open_world: World) -> None:
    other = World(beside=open_world)
    await holding(open_world)
    ben = await other.joined("ben")
    await ben.do("create", G, "anna")
    assert ben.bodies() == ["held"]
    await other.chat.close()


@pytest.mark.parametrize("turns", range(0, 24, 2))
async def test_what_its_sender_writes_next_comes_after_it(open_world: World, turns: int) -> None:
    anna, ben = await holding(open_world), await open_world.joined("ben")
    ben.say("chat", ben.act("create", G, Body='["anna"]'))
    say_in(ben, "hello")
    for _ in range(turns):
        await asyncio.sleep(0)
    say_in(anna, "next")
    await settle()
    assert [each for each in await bodies(open_world) if "anna" in each] == [
        "anna-held", "anna-next",
    ]  # fmt: skip


@pytest.mark.parametrize("act", ["refer", "depart"])
async def test_so_does_what_else_its_sender_does_next(
    open_world: World, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    anna, ben = await holding(open_world), await open_world.joined("ben")
    held = open_world.store.held
    monkeypatch.setattr(held, "of_user", in_its_time(held.of_user, turns=40))
    anna.say("chat", anna.act("create", G, Body='["ben"]'))
    anna.say("chat", anna.act(act, G, Body='["cleo"]' if act == "refer" else ""))
    await open_world.pass_time(2)
    logged = [entry.kind for entry in await open_world.store.log.read(G, 0, 100)]
    assert logged == ["create", "message", "join" if act == "refer" else act]
    assert ben.bodies() == ["held"]


async def test_so_does_what_it_writes_right_after_a_reconnect(open_world: World) -> None:
    anna = await holding(open_world)
    anna.leave()
    ben = await open_world.joined("ben")
    await ben.do("create", G, "anna")
    await ben.say_in(G, "hello")
    again = await open_world.person("anna")
    again.say("join", {"device": "d", "cursors": {G: 2}})
    say_in(again, "next")
    await settle()
    assert await bodies(open_world) == ["ben-hello", "anna-held", "anna-next"]


async def test_it_is_appended_when_the_store_is_back(open_world: World) -> None:
    await holding(open_world)
    ben = await open_world.joined("ben")
    ben.say("chat", ben.act("create", G, Body='["anna"]'))
    for _ in range(60):
        if G not in open_world.chat.roster.logs:
            await asyncio.sleep(0)
    open_world.store.is_down = True
    await settle()
    open_world.store.is_down = False
    await open_world.pass_time(2.0)
    assert await bodies(open_world) == ["anna-held"]


async def test_what_is_held_is_so_when_it_is_sent_again_though_its_sender_was_left_out(
    open_world: World,
) -> None:
    anna, ben = await holding(open_world), await open_world.joined("ben")
    await ben.do("create", G, "cleo")
    assert (await anna.say_in(G, "held"))["held"]
    assert (await anna.say_in(G, "next"))["error"]["code"] == "not_a_member"
    await ben.do("refer", G, "anna")
    assert await bodies(open_world) == ["anna-held"]


async def test_what_may_be_held_is_so_when_it_is_sent_again(
    open_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna, ben = await open_world.joined("anna"), await open_world.joined("ben")
    held = open_world.store.held
    monkeypatch.setattr(held, "hold", without_an_answer(held.hold))
    assert (await anna.say_in(G, "hello"))["error"]["code"] == "unavailable"
    monkeypatch.undo()
    await ben.do("create", G, "cleo")
    assert (await anna.say_in(G, "hello"))["held"]
    await ben.do("refer", G, "anna")
    assert await bodies(open_world) == ["anna-hello"]


async def test_what_is_held_stays_so_when_the_next_is_refused_since_others_just_made_the_group(
    open_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna, ben = await holding(open_world), await open_world.joined("ben")
    held = open_world.store.held
    hold = held.hold

    async def hold_while_the_group_is_made(*given: Any) -> None:
        await hold(*given)
        await ben.do("create", G, "cleo")

    monkeypatch.setattr(held, "hold", hold_while_the_group_is_made)
    ack_id = anna.say("chat", anna.act("message", G, MsgID="next", Body="next"))
    await open_world.pass_time(1.0)
    assert anna.socket.acks[ack_id]["error"]["code"] == "not_a_member"
    monkeypatch.undo()
    await ben.do("refer", G, "anna")
    assert ben.bodies() == ["held"]


async def test_it_stays_held_when_a_list_with_its_sender_comes_right_after_one_without(
    open_world: World,
) -> None:
    """The second list finds what ben wrote in the log already, as if it was sent again."""
    other = World(beside=open_world)
    await holding(open_world)
    ben, elsewhere = await holding(open_world, "ben"), await other.person("ben")
    await elsewhere.ask("join", "ben")
    for device, members in ((ben, '["ben","cleo"]'), (elsewhere, '["anna","ben","cleo"]')):
        device.say("chat", device.act("rejoin", G, Body=members), ack=False)
    await settle()
    assert await bodies(open_world) == ["ben-held"]
    (held,) = await open_world.store.held.of_user("anna", 0)
    assert held.draft.msg_id == "anna-held"
    await ben.do("refer", G, "anna")
    assert await bodies(open_world) == ["ben-held", "anna-held"]
    assert await open_world.store.held.of_user("anna", 0) == []
    await other.chat.close()


@pytest.mark.parametrize("turns", range(0, 60, 2))
async def test_what_is_sent_again_as_its_sender_comes_in_is_written_or_refused_and_no_more_held(
    open_world: World, monkeypatch: pytest.MonkeyPatch, turns: int
) -> None:
    anna, ben = await open_world.joined("anna"), await open_world.joined("ben")
    held, log = open_world.store.held, open_world.store.log
    monkeypatch.setattr(held, "hold", without_an_answer(held.hold))
    assert (await anna.say_in(G, "hello"))["error"]["code"] == "unavailable"
    monkeypatch.setattr(log, "find", in_its_time(log.find, turns=12))
    await ben.do("create", G, "cleo")
    ack_id = anna.say("chat", anna.act("message", G, MsgID="anna-hello", Body="hello"))
    for _ in range(turns):
        await asyncio.sleep(0)
    ben.say("chat", ben.act("refer", G, Body='["anna"]'))
    await settle()
    ack = anna.socket.acks[ack_id]
    assert ack["ok"] or ack["error"]["code"] == "not_a_member"
    assert await bodies(open_world) == (["anna-hello"] if ack["ok"] else [])
    assert await held.of_user("anna", 0) == []


@pytest.mark.parametrize("turns", range(12))
async def test_what_comes_with_the_group_and_its_sender_is_written_or_refused_and_no_more_held(
    open_world: World, monkeypatch: pytest.MonkeyPatch, turns: int
) -> None:
    anna, ben = await holding(open_world), await open_world.joined("ben")
    held = open_world.store.held
    hold, of_user = held.hold, held.of_user
    is_made = asyncio.Event()

    async def hold_while_the_group_is_made(*given: Any) -> None:
        await hold(*given)
        await ben.do("create", G, "cleo")
        is_made.set()

    monkeypatch.setattr(held, "hold", hold_while_the_group_is_made)
    monkeypatch.setattr(held, "of_user", in_its_time(of_user, turns=6))
    ack_id = anna.say("chat", anna.act("message", G, MsgID="anna-next", Body="next"))
    await is_made.wait()
    for _ in range(turns):
        await asyncio.sleep(0)
    ben.say("chat", ben.act("refer", G, Body='["anna"]'))
    await settle()
    ack = anna.socket.acks[ack_id]
    written = ["anna-held", "anna-next"] if ack["ok"] else ["anna-held"]
    assert ack["ok"] or ack["error"]["code"] == "not_a_member"
    assert await bodies(open_world) == written
    assert await of_user("anna", 0) == []


def told_places(person: Person) -> list[tuple[int, int]]:
    return [(each["delivered"], each["displayed"]) for each in person.got("position")]


@pytest.mark.parametrize("holds_in_full_form", [True, False])
@pytest.mark.parametrize("kind", ["rejoin", "create"])
async def test_its_senders_devices_hear_that_it_has_moved_nothing(
    open_world: World, kind: str, *, holds_in_full_form: bool
) -> None:
    """Of an own message they would think otherwise."""
    anna = await open_world.joined("anna")
    await (anna if holds_in_full_form else await holding(open_world)).say_in(G, "held")
    ben = await open_world.joined("ben")
    await ben.do(kind, G, "anna", "ben")
    assert anna.places(G) == [1, 2]
    assert told_places(anna) == [(0, 0)]
    assert told_places(ben) == []
