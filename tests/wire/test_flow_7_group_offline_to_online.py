"""Seed flow 7: a member was away; it gets what was said, asks for the list, and confirms."""

from __future__ import annotations

from tests.wire.groups import act, done, said, trio
from tests.wire.people import Town, body_of


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
