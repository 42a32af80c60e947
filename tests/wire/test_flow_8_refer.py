"""Seed flow 8: a member brings in another; all learn of it, the new one from there on."""

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


async def test_all_present_members_get_join_and_the_new_one_too(town: Town) -> None:
    three = await trio(town)
    dora = await town.device(town.person("d"))
    ack = await done(three.a, act("refer", three.group, three.a.uid, [dora.uid]))
    assert ack["Seq"] == 2
    for device in (three.a, three.b, three.c, dora):
        join = await device.hear("join", ConvID=three.group)
        assert (join["Seq"], join["Originated"]) == (2, three.a.uid)
        assert body_of(join) == [dora.uid]
    await done(dora, said(three.group, dora.uid, "hello"))
    for device in (three.a, three.b, three.c):
        assert (await device.hear("message"))["Originated"] == dora.uid


async def test_the_seeds_form_gets_join_and_the_new_one_notify(open_town: Town) -> None:
    three = await trio(open_town, seed_form=True)
    dora = await open_town.seed_device(open_town.person("d"))
    await done(three.a, act("refer", three.group, three.a.uid, [dora.uid]))
    for device in (three.a, three.b, three.c):
        assert body_of(await device.hear("join")) == [dora.uid]
    assert sorted(body_of(await dora.hear("notify"))) == sorted([*three.uids, dora.uid])


async def test_what_came_before_is_not_the_new_ones_and_never_unread(town: Town) -> None:
    three = await trio(town)
    await done(three.a, said(three.group, three.a.uid, "before"))
    dora = await town.device(town.person("d"))
    await done(three.a, act("refer", three.group, three.a.uid, [dora.uid]))
    await dora.hear("join")
    page = town.rest(dora.uid, "GET", f"/conversations/{three.group}/events").json()
    assert [entry["EvtType"] for entry in page["items"]] == ["join"]
    (listed,) = town.rest(dora.uid, "GET", "/conversations").json()["items"]
    assert listed["unread"] == 0
    back = await town.device(dora.uid)
    await done(three.a, said(three.group, three.a.uid, "after"))
    assert (await back.hear("message"))["Body"] == "after"
    assert back.unheard("message") == []


async def test_an_unknown_user_changes_nothing(town: Town) -> None:
    three = await trio(town)
    dora = town.person("d")
    wrong = act("refer", three.group, three.a.uid, [dora, "no-such-user"])
    assert await refused(three.a, wrong) == "unknown_user"
    members = town.rest(three.a.uid, "GET", f"/conversations/{three.group}/members").json()
    assert dora not in [member["uid"] for member in members["items"]]


async def test_who_is_in_already_is_left_out_and_nobody_left_appends_nothing(town: Town) -> None:
    three = await trio(town)
    dora = await town.device(town.person("d"))
    people = [three.b.uid, dora.uid, dora.uid, three.a.uid]
    await done(three.a, act("refer", three.group, three.a.uid, people))
    assert body_of(await dora.hear("join")) == [dora.uid]
    ack = await done(three.a, act("refer", three.group, three.a.uid, [three.b.uid]))
    assert "Seq" not in ack
    assert await refused(three.a, act("refer", three.group, three.a.uid, [])) == "bad_request"


@pytest.mark.parametrize("kind", KINDS)
async def test_both_forms_hear_who_comes_and_talk_on(each_town: Town, kind: Kind) -> None:
    three = await trio(each_town, kind)
    group = three.group
    old_bob = await each_town.seed_device(three.b.uid, kind)
    dora = await each_town.seed_device(each_town.person("d"), kind)
    ack = await do(three.a, "refer", group, [dora.uid])
    for device in (three.a, three.b, three.c):
        join = await device.hear("join", ConvID=group)
        assert (join["Seq"], body_of(join)) == (ack["Seq"], [dora.uid])
    assert body_of(await old_bob.hear("join", From=group)) == [dora.uid]
    await heard_list(dora, group, *three.uids, dora.uid)
    await say(three.a, group, "welcome")
    for device in (three.b, three.c, old_bob, dora):
        assert await bodies(device, group, 1) == ["welcome"]
    await say(dora, group, "thank you")
    for device in (three.a, three.b, three.c, old_bob):
        assert await bodies(device, group, 1) == ["thank you"]


@pytest.mark.parametrize("kind", KINDS)
async def test_the_new_one_may_be_away(each_town: Town, kind: Kind) -> None:
    three = await trio(each_town, kind)
    d, e = each_town.person("d"), each_town.person("e")
    await say(three.a, three.group, "before")
    await do(three.a, "refer", three.group, [d, e])
    await say(three.b, three.group, "after")

    dora = await each_town.device(d, kind)
    assert body_of(await dora.hear("join", ConvID=three.group)) == [d, e]
    assert await bodies(dora, three.group, 1) == ["after"]
    eve = await each_town.seed_device(e, kind)
    await heard_list(eve, three.group, *three.uids, d, e)
    assert await bodies(eve, three.group, 1) == ["after"]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_member_may_be_away(each_town: Town, kind: Kind) -> None:
    three = await trio(each_town, kind)
    d = each_town.person("d")
    await each_town.leave(three.b)
    await do(three.a, "refer", three.group, [d])
    await say(three.a, three.group, "without you")
    bob = await each_town.device(three.b.uid, kind, cursors={three.group: 1})
    assert body_of(await bob.hear("join", ConvID=three.group)) == [d]
    assert await bodies(bob, three.group, 1) == ["without you"]


@pytest.mark.parametrize("kind", KINDS)
async def test_who_refers_and_is_cut_off_sends_again(each_town: Town, kind: Kind) -> None:
    three = await trio(each_town, kind)
    dora = await each_town.device(each_town.person("d"), kind)
    refer = act("refer", three.group, three.a.uid, [dora.uid], MsgID="referred-once")
    await three.a.wire.emit("chat", refer)
    await dora.hear("join", ConvID=three.group)
    await each_town.leave(three.a)
    again = await each_town.device(three.a.uid, kind, cursors={three.group: 1})
    assert (await again.hear("join", ConvID=three.group))["Seq"] == 2
    assert (await done(again, refer))["Seq"] == 2
    await say(again, three.group, "end")
    await three.b.hear("message", Body="end")
    assert len(three.b.unheard("join")) == 1


async def test_many_at_once_end_in_one_list(each_town: Town) -> None:
    three = await trio(each_town)
    group = three.group
    people = [each_town.person(f"p{number}") for number in range(12)]
    adders = (three.a, three.b, three.c)
    added = [
        do(adders[number % 3], "refer", group, people[number : number + 2])
        for number in range(len(people))
    ]
    await asyncio.gather(*added)
    await say(three.a, group, "end")
    for device in (three.b, three.c):
        await device.hear("message", Body="end")
    lists = [[uid for join in device.unheard("join") for uid in body_of(join)] for device in adders]
    assert lists[0] == lists[1] == lists[2]
    assert sorted(lists[0]) == sorted(people)
    assert members(each_town, three.c.uid, group) == sorted([*three.uids, *people])
