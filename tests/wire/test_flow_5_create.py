"""Seed flow 5: a group is made, its members learn of it, and messages reach all of them."""

from __future__ import annotations

import pytest

from tests.wire.groups import act, done, new_group, refused, said, trio
from tests.wire.people import Kind, Town, body_of

KINDS: list[Kind] = ["node-websocket", "node-polling", "python-websocket"]


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
