"""Seed flow 7: a member was away; it gets what was said, asks for the list, and confirms."""

from __future__ import annotations

import pytest

from tests.wire.groups import (
    KINDS,
    act,
    bodies,
    confirm,
    do,
    done,
    heard_list,
    said,
    say,
    trio,
)
from tests.wire.people import Kind, Town, body_of


async def test_the_seeds_form_gets_the_message_then_the_list_and_its_delivery_is_told(
    open_town: Town,
) -> None:
    three = await trio(open_town, seed_form=True)
    await open_town.leave(three.a)
    sent = said(three.group, three.b.uid, "while you were away")
    await done(three.b, sent)

    alice = await open_town.seed_device(three.a.uid)
    heard = await alice.hear("message")
    assert (heard["MsgID"], heard["Originated"]) == (sent["MsgID"], three.b.uid)
    await done(alice, act("rejoin", three.group, alice.uid) | {"Body": ""})
    assert sorted(body_of(await alice.hear("notify"))) == sorted(three.uids)
    delivery = act("delivery", three.group, alice.uid) | {
        "To": three.b.uid,
        "MsgID": sent["MsgID"],
    }
    await done(alice, delivery)
    told = await three.b.hear("delivery")
    assert (told["Originated"], told["MsgID"]) == (alice.uid, sent["MsgID"])


async def test_the_full_form_gets_everything_after_its_cursor(town: Town) -> None:
    three = await trio(town)
    await town.leave(three.a)
    for number in range(5):
        await done(three.b, said(three.group, three.b.uid, str(number)))
    alice = await town.device(three.a.uid, cursors={three.group: 3})
    heard = [await alice.hear("message") for _ in range(3)]
    assert [(entry["Seq"], entry["Body"]) for entry in heard] == [(4, "2"), (5, "3"), (6, "4")]


async def test_rejoin_is_answered_with_the_list_for_the_full_form_too(town: Town) -> None:
    three = await trio(town)
    ack = await done(three.a, act("rejoin", three.group, three.a.uid))
    assert "Seq" not in ack
    notify = await three.a.hear("notify")
    assert (sorted(body_of(notify)), notify["Members"]) == (sorted(three.uids), 3)


async def test_a_snapshot_of_a_group_has_each_members_positions(town: Town) -> None:
    three = await trio(town)
    ack = await done(three.a, said(three.group, three.a.uid, "x"))
    await done(
        three.b, act("display", three.group, three.b.uid, ConvID=three.group, Seq=ack["Seq"])
    )
    await three.a.hear("display")
    await three.a.sync(cursors={}, receipts=[three.group])
    positions = body_of(await three.a.hear("receipts", ConvID=three.group))
    assert [three.b.uid, 2, 2] in positions
    assert [three.c.uid, 0, 0] in positions


@pytest.mark.parametrize("kind", KINDS)
async def test_in_the_seeds_form_list_and_delivery_follow_the_message(
    each_town: Town, kind: Kind
) -> None:
    three = await trio(each_town, kind, seed_form=True)
    await each_town.leave(three.a)
    sent = await say(three.b, three.group, "잘 지내?")

    alice = await each_town.seed_device(three.a.uid, kind)
    assert (await alice.hear("message"))["MsgID"] == sent["MsgID"]
    await do(alice, "rejoin", three.group, Body="")
    await heard_list(alice, three.group, *three.uids)
    await confirm(alice, "delivery", three.group, three.b.uid, MsgID=sent["MsgID"])
    told = await three.b.hear("delivery", From=three.group)
    assert (told["Originated"], told["MsgID"]) == (alice.uid, sent["MsgID"])
    # The lists that the join and the rejoin brought are all: nothing comes again.
    assert alice.unheard("notify", "message") == []


@pytest.mark.parametrize("kind", KINDS)
async def test_a_device_cut_off_amid_its_backlog_goes_on_where_it_was(
    each_town: Town, kind: Kind
) -> None:
    three = await trio(each_town, kind)
    await each_town.leave(three.a)
    for number in range(20):
        await say(three.b, three.group, str(number))
    alice = await each_town.device(three.a.uid, kind, cursors={three.group: 1})
    assert await bodies(alice, three.group, 7) == [str(number) for number in range(7)]
    await each_town.leave(alice)
    await say(three.c, three.group, "20")

    again = await each_town.device(three.a.uid, kind, cursors={three.group: 8})
    assert await bodies(again, three.group, 14) == [str(number) for number in range(7, 21)]
    await confirm(again, "delivery", three.group, three.c.uid, ConvID=three.group, Seq=22)
    for author in (three.b, three.c):
        told = await author.hear("delivery", ConvID=three.group)
        assert (told["Originated"], told["Seq"]) == (again.uid, 22)


@pytest.mark.parametrize("kind", KINDS)
async def test_what_the_seeds_form_did_not_confirm_comes_again(each_town: Town, kind: Kind) -> None:
    three = await trio(each_town, kind, seed_form=True)
    await each_town.leave(three.a)
    one = await say(three.b, three.group, "one")
    await say(three.b, three.group, "two")
    alice = await each_town.seed_device(three.a.uid, kind)
    assert await bodies(alice, three.group, 2) == ["one", "two"]
    await confirm(alice, "delivery", three.group, three.b.uid, MsgID=one["MsgID"])
    await each_town.leave(alice)
    again = await each_town.seed_device(three.a.uid, kind)
    assert await bodies(again, three.group, 1) == ["two"]
    assert again.unheard("message") == []


@pytest.mark.parametrize("kind", KINDS)
async def test_an_author_who_is_away_hears_of_the_delivery_when_back(
    open_town: Town, kind: Kind
) -> None:
    three = await trio(open_town, kind, seed_form=True)
    sent = await say(three.b, three.group, "read me later")
    await open_town.leave(three.b)
    for event in ("delivery", "display"):
        await confirm(three.a, event, three.group, three.b.uid, MsgID=sent["MsgID"])
    bob = await open_town.seed_device(three.b.uid, kind)
    for event in ("delivery", "display"):
        told = await bob.hear(event, From=three.group)
        assert (told["Originated"], told["MsgID"]) == (three.a.uid, sent["MsgID"])
    await open_town.leave(bob)
    again = await open_town.seed_device(three.b.uid, kind)
    await say(three.a, three.group, "end")
    await again.hear("message", Body="end")
    assert again.unheard("delivery", "display") == []


async def test_an_author_of_the_full_form_asks_for_the_positions_when_back(
    each_town: Town,
) -> None:
    three = await trio(each_town)
    group = three.group
    await say(three.b, group, "read me later")
    await each_town.leave(three.b)
    await confirm(three.a, "display", group, three.b.uid, ConvID=group, Seq=2)
    await confirm(three.c, "delivery", group, three.b.uid, ConvID=group, Seq=2)
    bob = await each_town.device(three.b.uid, cursors={group: 2}, receipts=[group])
    rows = body_of(await bob.hear("receipts", ConvID=group))
    assert [three.a.uid, 2, 2] in rows
    assert [three.c.uid, 2, 0] in rows


async def test_all_that_happened_meanwhile_comes_in_the_logs_order(each_town: Town) -> None:
    three = await trio(each_town)
    group, dora = three.group, each_town.person("d")
    await each_town.leave(three.a)
    first = await say(three.b, group, "frist")
    await do(three.b, "refer", group, [dora])
    edit = said(group, three.b.uid, "first", EvtType="edit", Refers=first["Seq"])
    await done(three.b, edit)
    await do(three.c, "depart", group)
    await say(three.b, group, "end")

    alice = await each_town.device(three.a.uid, cursors={group: 1})
    await alice.hear("message", Body="end")
    kinds = ("message", "join", "edit", "depart")
    heard = [(e["EvtType"], e["Seq"]) for e in alice.unheard(*kinds)]
    assert heard == [("message", 2), ("join", 3), ("edit", 4), ("depart", 5)]
    assert (await alice.hear("message"))["Body"] == "first"


async def test_who_came_and_who_left_meanwhile_in_the_seeds_form(each_town: Town) -> None:
    three = await trio(each_town, seed_form=True)
    group, dora = three.group, each_town.person("d")
    await each_town.leave(three.a)
    await say(three.b, group, "one")
    await do(three.b, "refer", group, [dora])
    await do(three.c, "depart", group)
    await say(three.b, group, "two")
    alice = await each_town.seed_device(three.a.uid)
    await alice.hear("message", Body="two")
    heard = [e["EvtType"] for e in alice.unheard("message", "join", "depart", "notify")]
    assert heard == ["message", "join", "depart"]
    await do(alice, "rejoin", group, Body="")
    await heard_list(alice, group, three.a.uid, three.b.uid, dora)
