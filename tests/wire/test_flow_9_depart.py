"""Seed flow 9: a member leaves; the rest are told, and its view ends there."""

from __future__ import annotations

import asyncio

import pytest

from tests.wire.groups import (
    KINDS,
    act,
    bodies,
    do,
    done,
    heard_list,
    members,
    refused,
    said,
    say,
    trio,
)
from tests.wire.people import Kind, Town, body_of


async def test_the_rest_get_depart_and_the_leaver_its_ack(town: Town) -> None:
    three = await trio(town)
    ack = await done(three.a, act("depart", three.group, three.a.uid))
    assert ack["Seq"] == 2
    for device in (three.b, three.c):
        left = await device.hear("depart", ConvID=three.group)
        assert (left["Seq"], left["Originated"]) == (2, three.a.uid)
    assert three.a.unheard("depart") == []
    left_too = await three.a.hear("conversation", ConvID=f"user:{three.a.uid}", Seq=2)
    assert body_of(left_too) == {"Conv": three.group, "state": "left", "Seq": 2}


async def test_the_seeds_form_gets_depart(open_town: Town) -> None:
    three = await trio(open_town, seed_form=True)
    await done(three.a, act("depart", three.group, three.a.uid))
    for device in (three.b, three.c):
        assert (await device.hear("depart"))["Originated"] == three.a.uid


async def test_the_leavers_view_ends_with_its_own_depart(town: Town) -> None:
    three = await trio(town)
    await done(three.a, act("depart", three.group, three.a.uid))
    await done(three.b, said(three.group, three.b.uid, "gone?"))
    await three.c.hear("message")
    assert await refused(three.a, said(three.group, three.a.uid, "x")) == "not_a_member"
    path = f"/conversations/{three.group}/events"
    page = town.rest(three.a.uid, "GET", path).json()
    assert [entry["Seq"] for entry in page["items"]] == [1, 2]
    (listed,) = town.rest(three.a.uid, "GET", "/conversations").json()["items"]
    assert (listed["left"], listed["unread"], listed["last"]["EvtType"]) == (True, 0, "depart")
    back = await town.device(three.a.uid, cursors={three.group: 0})
    await back.hear("depart")
    assert back.unheard("message") == []
    assert three.a.unheard("message") == []


async def test_coming_back_begins_a_second_span(town: Town) -> None:
    three = await trio(town)
    await done(three.a, act("depart", three.group, three.a.uid))
    await done(three.b, said(three.group, three.b.uid, "in between"))
    await done(three.b, act("refer", three.group, three.b.uid, [three.a.uid]))
    await three.a.hear("join", ConvID=three.group)
    await done(three.b, said(three.group, three.b.uid, "welcome back"))
    assert (await three.a.hear("message"))["Body"] == "welcome back"
    page = town.rest(three.a.uid, "GET", f"/conversations/{three.group}/events").json()
    assert [entry["Seq"] for entry in page["items"]] == [1, 2, 4, 5]
    (listed,) = town.rest(three.a.uid, "GET", "/conversations").json()["items"]
    assert (listed["left"], listed["unread"]) == (False, 1)


async def test_one_member_alone_can_go_on_and_the_last_one_closes_the_group(town: Town) -> None:
    three = await trio(town)
    for device in (three.a, three.b):
        await done(device, act("depart", three.group, device.uid))
    await done(three.c, said(three.group, three.c.uid, "alone"))
    await done(three.c, act("depart", three.group, three.c.uid))
    assert await refused(three.c, said(three.group, three.c.uid, "x")) == "group_closed"
    again = await refused(three.a, said(three.group, three.a.uid, "x"))
    assert again in {"group_closed", "not_a_member"}
    assert await refused(three.a, act("create", three.group, three.a.uid)) == "conflict"


async def test_a_resend_after_a_depart_still_gets_its_seq(town: Town) -> None:
    three = await trio(town)
    sent = said(three.group, three.a.uid, "last words")
    ack = await done(three.a, sent)
    await done(three.a, act("depart", three.group, three.a.uid))
    assert await done(three.a, sent) == ack


@pytest.mark.parametrize("kind", KINDS)
async def test_both_forms_hear_who_left_and_talk_on(each_town: Town, kind: Kind) -> None:
    three = await trio(each_town, kind)
    group = three.group
    old_bob = await each_town.seed_device(three.b.uid, kind)
    ack = await do(three.a, "depart", group, Body="")
    for device in (three.b, three.c):
        assert (await device.hear("depart", ConvID=group))["Seq"] == ack["Seq"]
    assert (await old_bob.hear("depart", From=group))["Originated"] == three.a.uid
    await say(three.c, group, "among us")
    for device in (three.b, old_bob):
        assert await bodies(device, group, 1) == ["among us"]
    assert three.a.unheard("depart", "message") == []


@pytest.mark.parametrize("kind", KINDS)
async def test_the_leavers_other_device_hears_of_it_and_nothing_after(
    each_town: Town, kind: Kind
) -> None:
    three = await trio(each_town, kind)
    phone = await each_town.device(three.a.uid, kind, cursors={three.group: 1})
    await do(three.a, "depart", three.group)
    assert (await phone.hear("depart", ConvID=three.group))["Originated"] == three.a.uid
    await say(three.b, three.group, "gone?")
    await three.c.hear("message")
    for device in (three.a, phone):
        await device.tell(device.uid, "a note to myself")
    await three.a.hear("message", Body="a note to myself")
    await phone.hear("message", Body="a note to myself")
    assert phone.unheard("message") == three.a.unheard("message") == []


@pytest.mark.parametrize("kind", KINDS)
async def test_a_member_may_be_away(each_town: Town, kind: Kind) -> None:
    three = await trio(each_town, kind)
    group = three.group
    await each_town.leave(three.b)
    await say(three.a, group, "farewell")
    await do(three.a, "depart", group)
    await say(three.c, group, "she left")
    bob = await each_town.device(three.b.uid, kind, cursors={group: 1})
    assert await bodies(bob, group, 2) == ["farewell", "she left"]
    assert (await bob.hear("depart", ConvID=group))["Seq"] == 3

    old_bob = await each_town.seed_device(three.b.uid, kind)
    await heard_list(old_bob, group, *three.uids)
    assert (await old_bob.hear("depart", From=group))["Originated"] == three.a.uid
    await do(old_bob, "rejoin", group, Body="")
    await heard_list(old_bob, group, three.b.uid, three.c.uid)


@pytest.mark.parametrize("kind", KINDS)
async def test_the_leaver_may_go_away_at_once(each_town: Town, kind: Kind) -> None:
    three = await trio(each_town, kind)
    group = three.group
    depart = act("depart", group, three.a.uid, MsgID="left-once")
    await say(three.b, group, "one")
    await three.a.wire.emit("chat", depart)
    await three.b.hear("depart", ConvID=group)
    await each_town.leave(three.a)
    await say(three.b, group, "two")

    alice = await each_town.device(three.a.uid, kind, cursors={group: 1})
    assert await bodies(alice, group, 1) == ["one"]
    assert (await alice.hear("depart", ConvID=group))["Seq"] == 3
    assert (await done(alice, depart))["Seq"] == 3
    assert await refused(alice, act("depart", group, three.a.uid)) == "not_a_member"
    assert alice.unheard("message") == []


@pytest.mark.parametrize("kind", KINDS)
async def test_who_comes_back_while_away_gets_both_spans(each_town: Town, kind: Kind) -> None:
    three = await trio(each_town, kind)
    group = three.group
    await say(three.b, group, "one")
    await do(three.a, "depart", group)
    await each_town.leave(three.a)
    await say(three.b, group, "not for Alice")
    await do(three.b, "refer", group, [three.a.uid])
    await say(three.b, group, "welcome back")

    old = await each_town.seed_device(three.a.uid, kind)
    await heard_list(old, group, *three.uids)
    assert (await old.hear("message", Body="welcome back"))["From"] == group
    alice = await each_town.device(three.a.uid, kind, cursors={group: 1})
    await alice.hear("message", Body="welcome back")
    for device in (old, alice):
        assert "not for Alice" not in [e["Body"] for e in device.unheard("message")]


async def test_many_at_once_end_in_one_list(each_town: Town) -> None:
    three = await trio(each_town)
    group = three.group
    people = [await each_town.device(each_town.person(f"p{number}")) for number in range(4)]
    late = [each_town.person(f"q{number}") for number in range(4)]
    await do(three.a, "refer", group, [device.uid for device in people])
    for device in people:
        await device.hear("join", ConvID=group)
    await asyncio.gather(
        *(do(device, "depart", group) for device in people),
        *(do(three.b, "refer", group, [uid]) for uid in late),
    )
    await say(three.a, group, "end")
    orders = []
    for device in (three.b, three.c):
        await device.hear("message", Body="end")
        orders.append([(e["Seq"], e["EvtType"]) for e in device.unheard("join", "depart")])
    assert orders[0] == orders[1]
    assert members(each_town, three.c.uid, group) == sorted([*three.uids, *late])
