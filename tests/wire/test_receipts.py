"""Receipts: to the authors concerned, as snapshots for who was away, and not at all for some."""

from __future__ import annotations

import json

from tests.wire.people import Town, body_of, pair, receipt


async def test_a_display_implies_the_delivery(town: Town) -> None:
    a, b = town.person("a"), town.person("b")
    alice, bob = await town.device(a), await town.device(b)
    await alice.tell(b, "x")
    await bob.confirm("display", a, ConvID=pair(a, b), Seq=1)
    assert (await alice.hear("display"))["Seq"] == 1
    (listed,) = town.rest(b, "GET", "/conversations").json()["items"]
    assert (listed["delivered"], listed["displayed"]) == (1, 1)


async def test_a_snapshot_asked_for_at_join_holds_the_others_positions(town: Town) -> None:
    a, b = town.person("a"), town.person("b")
    conv = pair(a, b)
    alice, bob = await town.device(a), await town.device(b)
    for body in ("one", "two", "three"):
        await alice.tell(b, body)
    await town.leave(alice)
    await bob.confirm("delivery", a, ConvID=conv, Seq=3)
    await bob.confirm("display", a, ConvID=conv, Seq=2)

    back = await town.device(a, cursors={conv: 3}, receipts=[conv])
    position = await back.hear("position", ConvID=conv)
    assert (position["delivered"], position["displayed"], position["N"]) == (3, 3, 3)
    assert [b, 3, 2] in body_of(await back.hear("receipts", ConvID=conv))


async def test_a_snapshot_can_be_asked_for_by_sync(town: Town) -> None:
    a, b = town.person("a"), town.person("b")
    conv = pair(a, b)
    alice = await town.device(a)
    await alice.tell(b, "x")
    assert (await alice.sync(cursors={}, receipts=[conv, "dm:not:mine"]))["ok"] is True
    assert body_of(await alice.hear("receipts", ConvID=conv))
    assert alice.unheard("receipts") == []


async def test_a_receipt_with_a_msgid_covers_up_to_that_message(open_town: Town) -> None:
    a, b = open_town.person("a"), open_town.person("b")
    alice, bob = await open_town.device(a), await open_town.seed_device(b)
    await alice.tell(b, "one")
    second = await alice.tell(b, "two")
    await bob.confirm("display", a, MsgID=second["MsgID"])
    shown = await alice.hear("display")
    assert (shown["From"], shown["ConvID"], shown["Seq"]) == (b, pair(a, b), 2)


async def test_a_receipt_for_an_unknown_msgid_is_ok_and_moves_nothing(open_town: Town) -> None:
    a, b = open_town.person("a"), open_town.person("b")
    alice, bob = await open_town.device(a), await open_town.seed_device(b)
    await alice.tell(b, "x")
    await bob.confirm("display", a, MsgID="never-sent")
    back = await open_town.device(a, receipts=[pair(a, b)])
    assert [b, 0, 0] in body_of(await back.hear("receipts", ConvID=pair(a, b)))


async def test_the_ack_of_a_receipt_has_no_seq(town: Town) -> None:
    a, b = town.person("a"), town.person("b")
    alice, bob = await town.device(a), await town.device(b)
    await alice.tell(b, "x")
    ack = await bob.chat(receipt("delivery", b, a, ConvID=pair(a, b), Seq=1))
    assert ack["ok"] is True
    assert "Seq" not in ack


async def test_who_turned_display_receipts_off_shows_and_sees_no_display(town: Town) -> None:
    a, b = town.person("a"), town.person("b")
    conv = pair(a, b)
    assert town.rest(b, "PATCH", "/me", json={"display_receipts": False}).status_code == 200
    alice, bob = await town.device(a), await town.device(b)
    await alice.tell(b, "x")
    await bob.confirm("display", a, ConvID=conv, Seq=1)
    assert (await alice.hear("delivery"))["Seq"] == 1

    await bob.tell(a, "y")
    await alice.confirm("display", b, ConvID=conv, Seq=2)
    assert (await bob.hear("delivery", From=a))["Seq"] == 2

    for uid, other, delivered in ((a, b, 2), (b, a, 2)):
        back = await town.device(uid, cursors={conv: 2}, receipts=[conv])
        snapshot = body_of(await back.hear("receipts", ConvID=conv))
        assert [other, delivered, 0] in snapshot
    assert alice.unheard("display") == []
    assert bob.unheard("display") == []


async def test_turning_them_off_hides_earlier_displays_too(town: Town) -> None:
    a, b = town.person("a"), town.person("b")
    conv = pair(a, b)
    alice, bob = await town.device(a), await town.device(b)
    await alice.tell(b, "x")
    await bob.confirm("display", a, ConvID=conv, Seq=1)
    await alice.hear("display")
    town.rest(b, "PATCH", "/me", json={"display_receipts": False})
    await alice.sync(cursors={}, receipts=[conv])
    assert [b, 1, 0] in body_of(await alice.hear("receipts", ConvID=conv))


async def test_ones_own_devices_still_share_the_display_position(town: Town) -> None:
    a, b = town.person("a"), town.person("b")
    town.rest(b, "PATCH", "/me", json={"display_receipts": False})
    alice = await town.device(a)
    laptop, phone = await town.device(b), await town.device(b)
    await alice.tell(b, "x")
    await laptop.confirm("display", a, ConvID=pair(a, b), Seq=1)
    assert (await phone.hear("position", displayed=1))["ConvID"] == pair(a, b)


async def test_a_stranger_learns_nothing_of_a_pair_by_receipts(town: Town) -> None:
    a, b, c = town.person("a"), town.person("b"), town.person("c")
    alice, carol = await town.device(a), await town.device(c)
    await alice.tell(b, "x")
    ack = await carol.chat(receipt("display", c, a, ConvID=pair(a, b), Seq=1))
    assert (ack["ok"], ack["error"]["code"]) == (False, "not_a_member")
    await carol.sync(cursors={}, receipts=[pair(a, b)])
    await carol.tell(a, json.dumps("end"))
    await alice.hear("message")
    assert carol.unheard("receipts", "position") == []
