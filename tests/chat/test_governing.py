"""What owners and admins do: roles, succession, removing, name and settings, closing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.chat.world import Person, World, settle, three

G = "group_1"
OUTCOMES = ("role", "remove", "group", "close", "depart", "join", "message")


async def trio(world: World) -> tuple[Person, Person, Person]:
    """anna owns a group with ben and cleo in it."""
    return await three(world, G, "ben", "cleo")


async def make(owner: Person, uid: str, role: str, **more: Any) -> Any:
    return await owner.do("role", G, Body=json.dumps({"uid": uid, "role": role}), **more)


async def change(person: Person, **what: Any) -> Any:
    return await person.do("group", G, Body=json.dumps(what))


async def roles(world: World) -> dict[str, str]:
    return {span.uid: span.role for span in await world.store.members.page(G, "", 9)}


def code(ack: Any) -> str:
    return str(ack["error"]["code"])


def seen(person: Person) -> list[tuple[str, int]]:
    return [(e["EvtType"], e["Seq"]) for e in person.got(*OUTCOMES) if e["ConvID"] == G]


# Roles


async def test_the_owner_makes_admins_and_everybody_hears_of_it(world: World) -> None:
    anna, ben, cleo = await trio(world)
    ack = await make(anna, "ben", "admin")
    assert (ack["Seq"], ack["N"]) == (2, 0)
    for person in (ben, cleo):
        (entry,) = person.got("role")
        assert json.loads(entry["Body"]) == {"uid": "ben", "role": "admin"}
        assert (entry["From"], entry["To"], entry["Originated"]) == (G, G, "anna")
    assert anna.got("role") == []
    assert await roles(world) == {"anna": "owner", "ben": "admin", "cleo": "member"}


async def test_handing_over_leaves_one_owner(world: World) -> None:
    anna, ben, _ = await trio(world)
    assert (await make(anna, "ben", "owner"))["ok"]
    assert await roles(world) == {"anna": "admin", "ben": "owner", "cleo": "member"}
    assert code(await make(anna, "cleo", "admin")) == "forbidden"
    assert (await make(ben, "anna", "member"))["ok"]
    assert await roles(world) == {"anna": "member", "ben": "owner", "cleo": "member"}


async def test_only_the_owner_changes_roles(world: World) -> None:
    anna, ben, cleo = await trio(world)
    dora = await world.joined("dora")
    await make(anna, "ben", "admin")
    assert code(await make(ben, "cleo", "admin")) == "forbidden"
    assert code(await make(cleo, "cleo", "owner")) == "forbidden"
    assert code(await make(cleo, "dora", "admin")) == "forbidden"
    assert code(await make(dora, "dora", "owner")) == "not_a_member"
    assert code(await make(anna, "dora", "admin")) == "unknown_user"
    assert code(await make(anna, "anna", "member")) == "bad_request"


async def test_a_role_that_is_so_already_is_ok_without_seq(world: World) -> None:
    anna, ben, _ = await trio(world)
    assert await make(anna, "ben", "member") == {"ok": True, "MsgID": "", "ConvID": G}
    assert ben.got("role") == []


async def test_a_resent_change_is_made_once(world: World) -> None:
    anna, ben, _ = await trio(world)
    first = await make(anna, "ben", "admin", MsgID="r-1")
    await make(anna, "ben", "member", MsgID="r-2")
    assert await make(anna, "ben", "admin", MsgID="r-1") == first
    assert [e["Seq"] for e in ben.got("role")] == [2, 3]
    assert (await roles(world))["ben"] == "member"


@pytest.mark.parametrize(
    "body",
    ["", "ben", "[]", "{}", '{"uid":"ben"}', '{"uid":"ben","role":"king"}', '{"role":"admin"}',
     '{"uid":"ben","role":"admin","x":1}', '{"uid":1,"role":"admin"}', "[" * 9_000],
)  # fmt: skip
async def test_a_body_that_is_no_change_of_a_role_is_refused(world: World, body: str) -> None:
    anna, ben, _ = await trio(world)
    assert code(await anna.do("role", G, Body=body)) == "bad_request"
    assert ben.got("role") == []


# Succession


async def test_when_the_owner_leaves_the_first_admin_owns_the_group(world: World) -> None:
    anna, ben, cleo = await trio(world)
    await make(anna, "cleo", "admin")
    await anna.do("depart", G, Owner="ben")
    assert await roles(world) == {"ben": "member", "cleo": "owner"}
    for person in (ben, cleo):
        (entry,) = person.got("depart")
        assert entry["Owner"] == "cleo"
    assert (await make(cleo, "ben", "admin"))["ok"]


async def test_without_an_admin_the_first_member_owns_it(world: World) -> None:
    anna, ben, _ = await trio(world)
    await ben.do("depart", G)
    assert await roles(world) == {"anna": "owner", "cleo": "member"}
    await anna.do("refer", G, "ben")
    await anna.do("depart", G)
    assert await roles(world) == {"ben": "member", "cleo": "owner"}


async def test_a_member_who_leaves_changes_no_role(world: World) -> None:
    anna, ben, _ = await trio(world)
    await ben.do("depart", G)
    (entry,) = anna.got("depart")
    assert "Owner" not in entry


async def test_an_owner_who_comes_back_is_a_member(world: World) -> None:
    anna, ben, _ = await trio(world)
    await anna.do("depart", G)
    await ben.do("refer", G, "anna")
    assert await roles(world) == {"anna": "member", "ben": "owner", "cleo": "member"}


async def test_the_last_one_to_leave_has_no_successor(world: World) -> None:
    anna, ben, cleo = await trio(world)
    for person in (anna, ben, cleo):
        assert (await person.do("depart", G))["ok"]
    group = await world.store.members.group(G)
    assert group is not None
    assert group.closed
    assert code(await cleo.say_in(G, "hello")) == "group_closed"


# Removing


async def test_who_is_put_out_sees_up_to_there(world: World) -> None:
    anna, ben, cleo = await trio(world)
    ack = await anna.do("remove", G, "ben")
    assert ack["Seq"] == 2
    await anna.say_in(G, "without ben")
    assert seen(ben) == [("remove", 2)]
    assert seen(cleo) == [("remove", 2), ("message", 3)]
    (entry,) = cleo.got("remove")
    assert (entry["Originated"], json.loads(entry["Body"])) == ("anna", ["ben"])
    assert code(await ben.say_in(G, "hello")) == "not_a_member"
    told = [json.loads(e["Body"]) for e in ben.got("conversation")]
    assert told[-1] == {"Conv": G, "state": "left", "Seq": 2}


async def test_who_was_away_when_put_out_learns_of_it(world: World) -> None:
    anna, ben, _ = await trio(world)
    ben.leave()
    await anna.say_in(G, "still with ben")
    await anna.do("remove", G, "ben")
    await anna.say_in(G, "without ben")
    back = await world.joined("ben", {G: 1})
    assert seen(back) == [("message", 2), ("remove", 3)]


async def test_who_was_put_out_can_be_brought_back(world: World) -> None:
    anna, ben, _ = await trio(world)
    await anna.do("remove", G, "ben")
    await anna.do("refer", G, "ben")
    assert seen(ben) == [("remove", 2), ("join", 3)]
    assert (await ben.say_in(G, "again"))["ok"]


async def test_admins_put_out_members_and_the_owner_anybody(world: World) -> None:
    anna, ben, cleo = await trio(world)
    dora = await world.joined("dora")
    await anna.do("refer", G, "dora")
    await make(anna, "ben", "admin")
    await make(anna, "cleo", "admin")
    assert code(await ben.do("remove", G, "anna")) == "forbidden"
    assert code(await ben.do("remove", G, "dora", "cleo")) == "forbidden"
    assert code(await dora.do("remove", G, "ben")) == "forbidden"
    assert code(await dora.do("remove", G, "nobody")) == "forbidden"
    assert (await ben.do("remove", G, "dora"))["ok"]
    assert (await anna.do("remove", G, "ben", "cleo"))["ok"]
    assert await roles(world) == {"anna": "owner"}
    assert code(await cleo.do("remove", G, "anna")) == "not_a_member"


async def test_what_remove_leaves_out_and_refuses(world: World) -> None:
    anna, _, cleo = await trio(world)
    assert await anna.do("remove", G, "dora") == {"ok": True, "MsgID": "", "ConvID": G}
    assert code(await anna.do("remove", G, "anna")) == "bad_request"
    assert code(await anna.do("remove", G, Body="[]")) == "bad_request"
    assert code(await anna.do("remove", G, Body="ben")) == "bad_request"
    assert (await anna.do("remove", G, "dora", "ben", "ben"))["ok"]
    (entry,) = cleo.got("remove")
    assert json.loads(entry["Body"]) == ["ben"]


async def test_a_remove_reaches_people_on_another_node(world: World) -> None:
    other = World(beside=world)
    anna, ben = await world.joined("anna"), await other.joined("ben")
    await anna.do("create", G, "ben")
    await anna.do("remove", G, "ben")
    await anna.say_in(G, "without ben")
    assert seen(ben) == [("remove", 2)]
    assert G not in other.chat.roster.logs
    await other.chat.close()


async def test_concurrent_acts_of_two_admins_are_decided_one_after_the_other(
    world: World,
) -> None:
    anna, ben, cleo = await trio(world)
    await make(anna, "ben", "admin")
    put_out = anna.say("chat", anna.act("remove", G, Body='["ben"]'))
    refused = ben.say("chat", ben.act("remove", G, Body='["cleo"]'))
    await settle()
    assert anna.socket.acks[put_out]["ok"]
    assert code(ben.socket.acks[refused]) == "not_a_member"
    assert await roles(world) == {"anna": "owner", "cleo": "member"}
    assert seen(cleo)[-1] == ("remove", 3)


async def test_the_seeds_form_gets_the_list_when_somebody_was_put_out(open_world: World) -> None:
    anna, ben = await open_world.joined("anna"), await open_world.person("ben")
    await ben.ask("join", "ben")
    await anna.do("create", G, "ben", "cleo")
    await anna.do("remove", G, "cleo")
    lists = [json.loads(e["Body"]) for e in ben.got("notify")]
    assert lists == [["anna", "ben", "cleo"], ["anna", "ben"]]
    await anna.do("remove", G, "ben")
    await anna.say_in(G, "alone")
    assert json.loads(ben.got("notify")[-1]["Body"]) == ["anna"]
    assert ben.bodies() == []


# Name and settings


async def test_an_admin_changes_name_picture_and_settings(world: World) -> None:
    anna, ben, cleo = await trio(world)
    await make(anna, "ben", "admin")
    ack = await change(ben, name="  Trip ", picture="file-1", history_open=True)
    assert ack["Seq"] == 3
    for person in (anna, cleo):
        (entry,) = person.got("group")
        said = {"name": "Trip", "picture": "file-1", "history_open": True}
        assert (entry["Originated"], json.loads(entry["Body"])) == ("ben", said)
    await change(anna, announcements=False, public=True)
    group = await world.store.members.group(G)
    assert group is not None
    assert (group.name, group.picture, group.history_open, group.public) == (
        "Trip", "file-1", True, True,
    )  # fmt: skip


async def test_who_is_no_admin_changes_nothing(world: World) -> None:
    _, ben, _ = await trio(world)
    dora = await world.joined("dora")
    assert code(await change(ben, name="Mine")) == "forbidden"
    assert code(await change(dora, name="Mine")) == "not_a_member"


async def test_a_change_to_what_is_so_already_is_ok_without_seq(world: World) -> None:
    anna, ben, _ = await trio(world)
    assert await change(anna, public=False) == {"ok": True, "MsgID": "", "ConvID": G}
    assert ben.got("group") == []


@pytest.mark.parametrize(
    "body",
    ["", "[]", "{}", '{"nam":"x"}', '{"closed":true}', '{"name":1}', '{"public":"yes"}',
     '{"name":"a\\u202eb"}', json.dumps({"name": "x" * 65}), json.dumps({"picture": "x" * 129})],
)  # fmt: skip
async def test_a_body_that_is_no_change_of_a_group_is_refused(world: World, body: str) -> None:
    anna, ben, _ = await trio(world)
    assert code(await anna.do("group", G, Body=body)) == "bad_request"
    assert ben.got("group") == []


async def test_concurrent_changes_both_hold(world: World) -> None:
    anna, ben, _ = await trio(world)
    await make(anna, "ben", "admin")
    acts = [
        person.say("chat", person.act("group", G, Body=json.dumps(what)))
        for person, what in ((anna, {"name": "Trip"}), (ben, {"public": True}))
    ]
    await settle()
    assert all(p.socket.acks[a]["ok"] for p, a in zip((anna, ben), acts, strict=True))
    group = await world.store.members.group(G)
    assert group is not None
    assert (group.name, group.public) == ("Trip", True)


async def test_an_open_history_is_sent_to_who_comes_in_and_not_to_who_left(world: World) -> None:
    anna, ben, _ = await trio(world)
    await change(anna, history_open=True)
    await anna.say_in(G, "before")
    dora = await world.joined("dora")
    await anna.do("refer", G, "dora")
    again = await world.joined("dora", {G: 0})
    assert again.bodies() == ["before"]
    await ben.do("depart", G)
    await anna.do("refer", G, "ben")
    await anna.do("remove", G, "ben", "dora")
    assert dora.bodies() == ["before"]
    gone = await world.joined("dora", {G: 0})
    assert seen(gone) == [("join", 4), ("depart", 5), ("join", 6), ("remove", 7)]


# Closing


async def test_the_owner_closes_the_group_and_nothing_more_is_said(world: World) -> None:
    anna, ben, cleo = await trio(world)
    await make(anna, "ben", "admin")
    assert code(await ben.do("close", G)) == "forbidden"
    assert (await anna.do("close", G))["Seq"] == 3
    assert seen(cleo) == [("role", 2), ("close", 3)]
    for act in (
        anna.say_in(G, "one more"),
        anna.do("refer", G, "dora"),
        anna.do("remove", G, "ben"),
        change(anna, name="New"),
        make(anna, "ben", "member"),
        anna.do("close", G),
        ben.do("react", G, Body="👍", Refers=1, MsgID="x"),
    ):
        assert code(await act) == "group_closed"
    assert len(seen(cleo)) == 2


async def test_a_closed_group_is_still_read_and_left(world: World) -> None:
    anna, ben, cleo = await trio(world)
    await anna.say_in(G, "one")
    await anna.do("close", G)
    back = await world.joined("ben", {G: 1})
    assert seen(back) == [("message", 2), ("close", 3)]
    assert (await cleo.do("rejoin", G))["ok"]
    assert (await anna.do("depart", G))["Seq"] == 4
    assert (await roles(world))["ben"] == "owner"
    assert seen(ben)[-1] == ("depart", 4)


async def test_the_id_of_a_closed_group_stays_taken(world: World) -> None:
    anna, *_ = await trio(world)
    dora = await world.joined("dora")
    await anna.do("close", G)
    assert code(await dora.do("create", G, "cleo")) == "conflict"
    assert code(await dora.say_in(G, "hello")) == "not_a_member"
