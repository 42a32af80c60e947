"""Seed flow 5: a group is made, its members learn of it, and messages reach all of them."""

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
    new_group,
    refused,
    said,
    say,
    trio,
)
from tests.wire.people import Kind, Town, body_of


@pytest.mark.parametrize("kind", KINDS)
async def test_members_get_the_create_and_the_maker_its_ack(town: Town, kind: Kind) -> None:
    a, b, c = (town.person(name) for name in ("a", "b", "c"))
    alice, bob, carol = [await town.device(uid, kind) for uid in (a, b, c)]
    group = new_group()
    ack = await done(alice, act("create", group, a, [b, c], Name="Tea"))
    assert (ack["ConvID"], ack["Seq"], ack["N"]) == (group, 1, 0)
    for device in (bob, carol):
        made = await device.hear("create", ConvID=group)
        assert (made["Seq"], made["N"], made["Originated"]) == (1, 0, a)
        assert (made["From"], made["To"], made["Name"]) == (group, group, "Tea")
        assert sorted(body_of(made)) == sorted([b, c])
        told = await device.hear("conversation")
        assert body_of(told) == {"Conv": group, "state": "added", "Seq": 1}
    assert alice.unheard("create") == []


@pytest.mark.parametrize("kind", KINDS)
async def test_the_seeds_form_gets_notify_with_everybody(open_town: Town, kind: Kind) -> None:
    names = [open_town.person(name) for name in ("a", "b", "c")]
    alice, bob, carol = [await open_town.seed_device(uid, kind) for uid in names]
    group = new_group()
    await done(alice, act("create", group, alice.uid, names))
    for device in (bob, carol):
        notify = await device.hear("notify")
        assert (notify["From"], notify["To"], notify["MsgID"]) == (group, group, "")
        assert sorted(body_of(notify)) == sorted(names)
    await done(alice, said(group, alice.uid, "hello all"))
    for device in (bob, carol):
        heard = await device.hear("message")
        assert (heard["From"], heard["Originated"]) == (group, alice.uid)
        assert heard["Body"] == "hello all"


async def test_messages_reach_all_members_in_one_order(town: Town) -> None:
    three = await trio(town)
    for number in range(5):
        for device in (three.a, three.b, three.c):
            await done(device, said(three.group, device.uid, str(number)))
    other_two = {three.a.uid: 10, three.b.uid: 10, three.c.uid: 10}
    for device in (three.a, three.b, three.c):
        heard = [await device.hear("message") for _ in range(other_two[device.uid])]
        places = [entry["Seq"] for entry in heard]
        assert places == sorted(places)
        assert device.uid not in {entry["Originated"] for entry in heard}
    page = town.rest(three.a.uid, "GET", f"/conversations/{three.group}/events").json()
    assert [entry["Seq"] for entry in page["items"]] == list(range(1, 17))


async def test_only_messages_count_in_n_and_the_create_is_never_unread(town: Town) -> None:
    three = await trio(town)
    ack = await done(three.a, said(three.group, three.a.uid, "x"))
    assert (ack["Seq"], ack["N"]) == (2, 1)
    (listed,) = town.rest(three.b.uid, "GET", "/conversations").json()["items"]
    assert (listed["N"], listed["unread"]) == (1, 1)


async def test_an_id_that_is_taken_is_a_conflict_and_a_resend_gets_its_first_seq(
    town: Town,
) -> None:
    alice = await town.device(town.person("a"))
    bob = await town.device(town.person("b"))
    group = new_group()
    first = act("create", group, alice.uid, [bob.uid], MsgID="once")
    ack = await done(alice, first)
    assert await done(alice, first) == ack
    assert await refused(alice, act("create", group, alice.uid, [bob.uid])) == "conflict"
    assert await refused(bob, act("create", group, bob.uid, [alice.uid])) == "conflict"


async def test_a_list_that_leaves_nobody_makes_a_group_of_its_sender(town: Town) -> None:
    alice = await town.device(town.person("a"))
    group = new_group()
    await done(alice, act("create", group, alice.uid, [alice.uid, alice.uid]))
    members = town.rest(alice.uid, "GET", f"/conversations/{group}/members").json()["items"]
    assert [member["uid"] for member in members] == [alice.uid]


async def test_lists_that_cannot_be_are_refused_and_make_nothing(town: Town) -> None:
    alice = await town.device(town.person("a"))
    group = new_group()
    assert await refused(alice, act("create", group, alice.uid, ["no-such-user"])) == "unknown_user"
    many = [f"u{number}" for number in range(1_001)]
    assert await refused(alice, act("create", group, alice.uid, many)) == "too_large"
    for body in ("", "{}", "[1]", '["no blanks"]', "[[]]", '["group_x"]', 5):
        wrong = act("create", group, alice.uid) | {"Body": body}
        assert await refused(alice, wrong) == "bad_request"
    nameless = act("create", group, alice.uid, Name="x" * 65)
    assert await refused(alice, nameless) == "bad_request"
    assert await refused(alice, said(group, alice.uid, "x")) == "not_a_member"


async def test_only_groups_have_group_ids(town: Town) -> None:
    alice = await town.device(town.person("a"))
    for group in ("g1", "group", "group_", "group_" + "x" * 65, "group_no blanks"):
        assert await refused(alice, act("create", group, alice.uid)) in {"bad_request", "forbidden"}


@pytest.mark.parametrize("kind", ["message", "refer", "depart", "rejoin", "display"])
async def test_who_is_not_in_a_group_can_do_nothing_in_it(town: Town, kind: str) -> None:
    three = await trio(town)
    dora = await town.device(town.person("d"))
    foreign = act(kind, three.group, dora.uid, [dora.uid], MsgID="m", Seq=1)
    assert await refused(dora, foreign) == "not_a_member"
    missing = act(kind, new_group(), dora.uid, [dora.uid], MsgID="n", Seq=1)
    assert await refused(dora, missing) == "not_a_member"
    path = f"/conversations/{three.group}"
    for more in ("", "/events", "/members", "/receipts?seq=1"):
        assert town.rest(dora.uid, "GET", path + more).status_code == 404


async def test_a_group_act_in_anothers_name_is_forbidden(town: Town) -> None:
    three = await trio(town)
    assert await refused(three.b, said(three.group, three.a.uid, "x")) == "forbidden"
    leave = act("depart", three.group, three.a.uid)
    assert await refused(three.b, leave) == "forbidden"
    await done(three.a, said(three.group, three.a.uid, "still a member"))


async def test_receipts_of_a_group_go_to_the_author_alone(town: Town) -> None:
    three = await trio(town)
    ack = await done(three.a, said(three.group, three.a.uid, "x"))
    shown = act("display", three.group, three.b.uid, ConvID=three.group, Seq=ack["Seq"])
    await done(three.b, shown)
    display = await three.a.hear("display", ConvID=three.group)
    assert (display["Originated"], display["Seq"]) == (three.b.uid, ack["Seq"])
    await done(three.a, said(three.group, three.a.uid, "end"))
    await three.c.hear("message", Body="end")
    assert three.c.unheard("display", "delivery") == []


@pytest.mark.parametrize("kind", KINDS)
async def test_receipts_find_their_author_in_both_forms(each_town: Town, kind: Kind) -> None:
    a, b, c = (each_town.person(name) for name in "abc")
    alice, bob = await each_town.seed_device(a, kind), await each_town.seed_device(b, kind)
    carol = await each_town.device(c, kind)
    group = new_group()
    await do(alice, "create", group, [b, c])
    await heard_list(bob, group, a, b, c)
    await carol.hear("create", ConvID=group)
    sent = await say(alice, group, "모두 안녕 👋")
    for device in (bob, carol):
        assert await bodies(device, group, 1) == ["모두 안녕 👋"]
    for event in ("delivery", "display"):
        await confirm(bob, event, group, a, MsgID=sent["MsgID"])
        back = await alice.hear(event, From=group)
        assert (back["Originated"], back["To"], back["MsgID"]) == (b, a, sent["MsgID"])

    await say(carol, group, "from the full form")
    assert await bodies(alice, group, 1) == ["from the full form"]
    await confirm(alice, "display", group, c, ConvID=group, Seq=3)
    display = await carol.hear("display", ConvID=group)
    assert (display["From"], display["Originated"], display["Seq"]) == (group, a, 3)
    assert alice.unheard("notify", "create") == []


@pytest.mark.parametrize("kind", KINDS)
async def test_a_member_who_is_away_hears_of_it_when_back(each_town: Town, kind: Kind) -> None:
    a, b, c = (each_town.person(name) for name in "abc")
    alice, group = await each_town.device(a, kind), new_group()
    await do(alice, "create", group, [b, c])
    await say(alice, group, "before you came")

    bob, carol = await each_town.device(b, kind), await each_town.seed_device(c, kind)
    assert (await bob.hear("create", ConvID=group))["Seq"] == 1
    assert (await bob.hear("message", ConvID=group))["Seq"] == 2
    await heard_list(carol, group, a, b, c)
    assert await bodies(carol, group, 1) == ["before you came"]
    await say(carol, group, "here I am")
    assert await bodies(bob, group, 1) == await bodies(alice, group, 1) == ["here I am"]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_member_who_reconnects_goes_on_from_its_cursor(each_town: Town, kind: Kind) -> None:
    three = await trio(each_town, kind)
    await say(three.a, three.group, "one")
    assert await bodies(three.b, three.group, 1) == ["one"]
    await each_town.leave(three.b)
    await say(three.a, three.group, "two")

    again = await each_town.device(three.b.uid, kind, cursors={three.group: 2})
    await say(three.a, three.group, "three")
    assert await bodies(again, three.group, 2) == ["two", "three"]
    assert again.unheard("create", "message") == []


@pytest.mark.parametrize("kind", KINDS)
async def test_a_maker_cut_off_before_its_ack_sends_again(each_town: Town, kind: Kind) -> None:
    a, b = each_town.person("a"), each_town.person("b")
    alice, bob = await each_town.device(a, kind), await each_town.device(b, kind)
    group = new_group()
    create = act("create", group, a, [b], MsgID="made-once")
    await alice.wire.emit("chat", create)
    await bob.hear("create", ConvID=group)
    await each_town.leave(alice)

    again = await each_town.device(a, kind, cursors={group: 1})
    assert (await done(again, create))["Seq"] == 1
    await say(again, group, "still here")
    assert await bodies(bob, group, 1) == ["still here"]
    assert bob.unheard("create") == []


async def test_the_makers_other_device_hears_of_it_too(each_town: Town) -> None:
    a, b = each_town.person("a"), each_town.person("b")
    laptop, phone, bob = [await each_town.device(uid) for uid in (a, a, b)]
    group = new_group()
    await do(laptop, "create", group, [b])
    await phone.hear("create", ConvID=group)
    await say(phone, group, "from the phone")
    assert await bodies(laptop, group, 1) == await bodies(bob, group, 1) == ["from the phone"]
