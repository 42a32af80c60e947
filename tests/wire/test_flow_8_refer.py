"""Seed flow 8: a member brings in another; all learn of it, the new one from there on."""

from __future__ import annotations

from tests.wire.groups import act, done, refused, said, trio
from tests.wire.people import Town, body_of


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
