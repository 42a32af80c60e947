"""Seed flow 9: a member leaves; the rest are told, and its view ends there."""

from __future__ import annotations

from tests.wire.groups import act, done, refused, said, trio
from tests.wire.people import Town, body_of


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
