"""What cannot be done in groups is refused with a code: nothing changes, nothing is given away."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.wire.clients import Envelope
from tests.wire.groups import (
    act,
    bodies,
    do,
    heard_list,
    members,
    new_group,
    refused,
    said,
    say,
    trio,
)
from tests.wire.people import Device, Town, body_of

NO_LISTS = [
    "", "null", "{}", "1", '"a"', "[1]", "[null]", "[[]]", '[""]', '["a b"]', '["ü"]', '["a/b"]',
    '["group_x"]', '["' + "x" * 65 + '"]', "[", '["a",]', "[" * 5_000,
]  # fmt: skip


async def refusal(device: Device, envelope: Envelope | str) -> dict[str, Any]:
    """The `error` of an envelope that must be refused."""
    ack = await device.chat(envelope)
    assert ack["ok"] is False, ack
    return dict(ack["error"])


@pytest.mark.parametrize("kind", ["create", "refer"])
async def test_unknown_users_are_named_and_nothing_changes(town: Town, kind: str) -> None:
    three = await trio(town)
    group = new_group() if kind == "create" else three.group
    people = [town.person("d"), "nobody-1", "nobody-2"]
    error = await refusal(three.a, act(kind, group, three.a.uid, people))
    assert error["code"] == "unknown_user"
    assert "nobody-1" in error["message"]
    assert "nobody-2" in error["message"]
    assert people[0] not in error["message"]
    await say(three.a, three.group, "unchanged")
    assert (await three.b.hear("message"))["Seq"] == 2
    assert members(town, three.a.uid, three.group) == sorted(three.uids)


async def test_a_taken_id_gives_nothing_away_and_the_group_is_untouched(each_town: Town) -> None:
    three = await trio(each_town)
    dora = await each_town.device(each_town.person("d"))
    error = await refusal(dora, act("create", three.group, dora.uid, [three.a.uid]))
    assert error["code"] == "conflict"
    assert not [uid for uid in three.uids if uid in error["message"]]
    await say(three.a, three.group, "among us")
    assert await bodies(three.b, three.group, 1) == ["among us"]
    assert members(each_town, three.a.uid, three.group) == sorted(three.uids)
    assert await refused(dora, said(three.group, dora.uid, "x")) == "not_a_member"
    assert dora.unheard("message", "create", "notify") == []


@pytest.mark.parametrize("kind", ["refer", "depart", "edit", "delete", "react"])
async def test_a_group_one_is_not_in_answers_as_one_that_does_not_exist(
    each_town: Town, kind: str
) -> None:
    three = await trio(each_town)
    await say(three.a, three.group, "ours")
    dora = await each_town.device(each_town.person("d"))
    answers = []
    for group in (three.group, new_group()):
        envelope = act(kind, group, dora.uid, [three.a.uid], MsgID="m", Refers=2)
        answers.append(await refusal(dora, envelope))
    assert answers[0] == answers[1]
    assert answers[0]["code"] == "not_a_member"


async def test_a_second_depart_is_refused_and_tells_nobody(each_town: Town) -> None:
    three = await trio(each_town)
    await do(three.a, "depart", three.group)
    assert await refused(three.a, act("depart", three.group, three.a.uid)) == "not_a_member"
    await say(three.b, three.group, "end")
    await three.c.hear("message", Body="end")
    assert len(three.c.unheard("depart")) == 1


@pytest.mark.parametrize("kind", ["create", "refer"])
async def test_lists_that_are_none(open_town: Town, kind: str) -> None:
    three = await trio(open_town)
    group = new_group() if kind == "create" else three.group
    for body in NO_LISTS:
        wrong = act(kind, group, three.a.uid, Body=body)
        assert await refused(three.a, wrong) == "bad_request"
        assert await refused(three.a, json.dumps(wrong)) == "bad_request"
    assert members(open_town, three.a.uid, three.group) == sorted(three.uids)


async def test_a_thousand_a_packet_and_the_rest_in_pages(open_town: Town) -> None:
    alice = await open_town.device(open_town.person("a"))
    old = await open_town.seed_device(open_town.person("b"))
    people = [old.uid, *(f"{alice.uid}-{number}" for number in range(2_000))]
    group = new_group()
    too_many = act("create", group, alice.uid, people[:1_001])
    assert await refused(alice, too_many) == "too_large"
    await do(alice, "create", group, people[:1_000])
    assert await refused(alice, act("refer", group, alice.uid, people[1_000:])) == "too_large"
    await do(alice, "refer", group, people[1_000:2_000])
    await do(alice, "refer", group, people[2_000:])
    assert len(body_of(await alice.hear("join"))) == 1_000

    first = await old.hear("notify")
    assert (len(body_of(first)), first["Members"]) == (1_000, 1_001)
    await do(alice, "rejoin", group)
    notify = await alice.hear("notify")
    assert (len(body_of(notify)), notify["Members"]) == (1_000, 2_002)
    await say(alice, group, "to all")
    assert await bodies(old, group, 1) == ["to all"]
    page: dict[str, Any] = {"next": ""}
    listed: list[str] = []
    while page["next"] is not None:
        path = f"/conversations/{group}/members?limit=200&after={page['next']}"
        page = open_town.rest(alice.uid, "GET", path).json()
        listed += [item["uid"] for item in page["items"]]
    assert sorted(listed) == sorted([alice.uid, *people])


@pytest.mark.parametrize("kind", ["edit", "delete", "react"])
async def test_amending_a_notice_nothing_or_what_one_does_not_see(
    each_town: Town, kind: str
) -> None:
    three = await trio(each_town)
    hidden = await say(three.b, three.group, "before Dora")
    dora = await each_town.device(each_town.person("d"))
    join = await do(three.b, "refer", three.group, [dora.uid])
    for refers in (1, hidden["Seq"], join["Seq"], 99):
        wrong = said(three.group, dora.uid, "x", EvtType=kind, Refers=refers)
        assert await refused(dora, wrong) == "bad_request"
    await say(three.b, three.group, "unchanged")
    assert (await dora.hear("message"))["Seq"] == join["Seq"] + 1


@pytest.mark.parametrize(
    "change",
    [
        {"From": "somebody"},
        {"Originated": "somebody"},
        {"Originated": ""},
        {"From": "group_other"},
    ],
)
async def test_a_senders_name_that_does_not_fit(each_town: Town, change: dict[str, str]) -> None:
    three = await trio(each_town)
    assert await refused(three.a, said(three.group, three.a.uid, "x", **change)) == "forbidden"
    leave = act("depart", three.group, three.a.uid) | change
    assert await refused(three.a, leave) == "forbidden"
    await say(three.a, three.group, "still in")
    assert await bodies(three.b, three.group, 1) == ["still in"]


async def test_the_seeds_form_hears_refusals_without_acks_and_goes_on(open_town: Town) -> None:
    three = await trio(open_town, seed_form=True)
    wrong = act("refer", three.group, three.a.uid, [])
    await three.a.wire.emit("chat", json.dumps(wrong))
    assert (await three.a.hear_error())["code"] == "bad_request"
    await three.a.wire.emit("chat", json.dumps(act("create", three.group, three.a.uid)))
    assert (await three.a.hear_error())["code"] == "conflict"
    await do(three.a, "rejoin", three.group, Body="")
    await heard_list(three.a, three.group, *three.uids)
