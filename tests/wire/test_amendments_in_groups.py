"""`edit`, `delete` and `react` in groups: by whom, to whom, and with somebody away meanwhile."""

from __future__ import annotations

import pytest

from tests.wire.clients import Envelope
from tests.wire.groups import KINDS, bodies, do, done, refused, said, say, trio
from tests.wire.people import Device, Kind, Town


def amendment(kind: str, device: Device, group: str, refers: int, body: str = "") -> Envelope:
    """An `edit`, `delete` or `react` in a group."""
    return said(group, device.uid, body, EvtType=kind, Refers=refers)


def logged(town: Town, uid: str, group: str) -> dict[int, Envelope]:
    """A group's entries by REST, by Seq."""
    items = town.rest(uid, "GET", f"/conversations/{group}/events").json()["items"]
    return {entry["Seq"]: entry for entry in items}


@pytest.mark.parametrize("kind", KINDS)
async def test_all_members_hear_them_and_the_log_is_changed(each_town: Town, kind: Kind) -> None:
    three = await trio(each_town, kind)
    group = three.group
    first = await say(three.a, group, "frist")
    second = await say(three.a, group, "a secret")
    edit = await done(three.a, amendment("edit", three.a, group, first["Seq"], "첫째"))
    await done(three.a, amendment("delete", three.a, group, second["Seq"]))
    await done(three.b, amendment("react", three.b, group, first["Seq"], "👍"))
    for device in (three.b, three.c):
        heard = await device.hear("edit", ConvID=group)
        assert (heard["Refers"], heard["Body"], heard["Seq"]) == (2, "첫째", edit["Seq"])
        gone = await device.hear("delete", ConvID=group)
        assert (gone["Refers"], gone["Body"], gone["Originated"]) == (3, "", three.a.uid)
    for device in (three.a, three.c):
        react = await device.hear("react", ConvID=group)
        assert (react["Originated"], react["Refers"], react["Body"]) == (three.b.uid, 2, "👍")
    for uid in three.uids:
        log = logged(each_town, uid, group)
        assert (log[2]["Body"], log[2]["Edited"]) == ("첫째", 4)
        assert (log[3]["Body"], log[3]["Deleted"]) == ("", 5)
        assert log[2]["Reactions"] == {three.b.uid: "👍"}
        assert "secret" not in str(log)

    await done(three.b, amendment("react", three.b, group, first["Seq"], ""))
    await done(three.c, amendment("react", three.c, group, first["Seq"], "🎉"))
    assert logged(each_town, three.a.uid, group)[2]["Reactions"] == {three.c.uid: "🎉"}


@pytest.mark.parametrize("kind", KINDS)
async def test_who_is_behind_gets_the_changed_entry_and_who_is_past_it_the_new_one(
    each_town: Town, kind: Kind
) -> None:
    three = await trio(each_town, kind)
    group = three.group
    await each_town.leave(three.b)
    first = await say(three.a, group, "frist")
    assert await bodies(three.c, group, 1) == ["frist"]
    await each_town.leave(three.c)
    await done(three.a, amendment("edit", three.a, group, first["Seq"], "first"))

    behind = await each_town.device(three.b.uid, kind, cursors={group: 1})
    assert (await behind.hear("message"))["Body"] == "first"
    assert (await behind.hear("edit"))["Refers"] == 2
    past = await each_town.device(three.c.uid, kind, cursors={group: 2})
    assert (await past.hear("edit"))["Body"] == "first"
    assert past.unheard("message") == []


@pytest.mark.parametrize("kind", KINDS)
async def test_an_author_cut_off_before_the_ack_sends_again(each_town: Town, kind: Kind) -> None:
    three = await trio(each_town, kind)
    group = three.group
    first = await say(three.a, group, "frist")
    edit = amendment("edit", three.a, group, first["Seq"], "first")
    await three.a.wire.emit("chat", edit)
    await three.b.hear("edit")
    await each_town.leave(three.a)
    again = await each_town.device(three.a.uid, kind, cursors={group: 2})
    assert (await again.hear("edit"))["Seq"] == 3
    assert (await done(again, edit))["Seq"] == 3
    await say(again, group, "end")
    await three.c.hear("message", Body="end")
    assert len(three.c.unheard("edit")) == 1


async def test_the_maker_may_delete_what_others_wrote_and_nobody_else(each_town: Town) -> None:
    three = await trio(each_town)
    group = three.group
    spam = await say(three.b, group, "spam")
    for wrong in ("edit", "delete"):
        theirs = amendment(wrong, three.c, group, spam["Seq"], "x")
        assert await refused(three.c, theirs) == "forbidden"
    edit = amendment("edit", three.a, group, spam["Seq"], "ham")
    assert await refused(three.a, edit) == "forbidden"
    await done(three.a, amendment("delete", three.a, group, spam["Seq"]))
    assert (await three.b.hear("delete"))["Originated"] == three.a.uid
    assert logged(each_town, three.c.uid, group)[2]["Body"] == ""


async def test_who_has_left_changes_nothing_any_more(each_town: Town) -> None:
    three = await trio(each_town)
    group = three.group
    mine = await say(three.b, group, "mine")
    await do(three.b, "depart", group)
    for kind in ("edit", "delete", "react"):
        late = amendment(kind, three.b, group, mine["Seq"], "x")
        assert await refused(three.b, late) == "not_a_member"
    await do(three.a, "refer", group, [three.b.uid])
    await done(three.b, amendment("edit", three.b, group, mine["Seq"], "mine again"))
    assert logged(each_town, three.c.uid, group)[2]["Body"] == "mine again"


async def test_the_seeds_form_gets_what_is_left_of_a_changed_message(open_town: Town) -> None:
    three = await trio(open_town)
    group = three.group
    first, second = await say(three.a, group, "frist"), await say(three.a, group, "secret")
    await done(three.a, amendment("edit", three.a, group, first["Seq"], "first"))
    await done(three.a, amendment("delete", three.a, group, second["Seq"]))
    old = await open_town.seed_device(three.b.uid)
    assert await bodies(old, group, 2) == ["first", ""]
    await say(three.a, group, "end")
    assert await bodies(old, group, 1) == ["end"]
    assert old.unheard("edit", "delete", "react") == []
