"""`edit`, `delete` and `react`: they change the entry meant, whose place stays."""

from __future__ import annotations

from typing import Any

import pytest

from tests.wire.clients import Envelope
from tests.wire.groups import done, refused, said, trio
from tests.wire.people import Device, Town, message, pair


def amend(kind: str, device: Device, to: str, refers: int, body: str = "", **more: Any) -> Envelope:
    """An amendment in a pair."""
    return message(device.uid, to, body, EvtType=kind, Refers=refers, **more)


async def couple(town: Town) -> tuple[Device, Device, str]:
    """Two people, the first of whom has sent one message."""
    alice, bob = await town.device(town.person("a")), await town.device(town.person("b"))
    await alice.tell(bob.uid, "frist")
    await bob.hear("message")
    return alice, bob, pair(alice.uid, bob.uid)


def logged(town: Town, uid: str, conv: str) -> list[Envelope]:
    """A conversation's entries by REST."""
    return list(town.rest(uid, "GET", f"/conversations/{conv}/events").json()["items"])


async def test_an_edit_changes_the_text_in_the_log_and_is_told(town: Town) -> None:
    alice, bob, conv = await couple(town)
    ack = await done(alice, amend("edit", alice, bob.uid, 1, "first"))
    assert (ack["Seq"], ack["N"]) == (2, 1)
    edit = await bob.hear("edit")
    assert (edit["Refers"], edit["Body"], edit["Seq"]) == (1, "first", 2)
    first, second = logged(town, bob.uid, conv)
    assert (first["Seq"], first["Body"], first["Edited"]) == (1, "first", 2)
    assert second["EvtType"] == "edit"


async def test_a_delete_leaves_a_blank_that_still_counts(town: Town) -> None:
    alice, bob, conv = await couple(town)
    await done(alice, amend("delete", alice, bob.uid, 1))
    assert (await bob.hear("delete"))["Refers"] == 1
    first, _ = logged(town, bob.uid, conv)
    assert (first["Body"], first["Deleted"], first["N"]) == ("", 2, 1)
    assert "frist" not in str(logged(town, alice.uid, conv))


async def test_a_device_that_was_away_gets_the_changed_entry(town: Town) -> None:
    alice, bob, _ = await couple(town)
    await done(alice, amend("edit", alice, bob.uid, 1, "first"))
    back = await town.device(bob.uid)
    assert (await back.hear("message"))["Body"] == "first"
    assert (await back.hear("edit"))["Seq"] == 2


async def test_a_reaction_is_told_when_set_and_when_taken_back(town: Town) -> None:
    alice, bob, conv = await couple(town)
    for emoji in ("👍", "🎉", ""):
        await done(bob, amend("react", bob, alice.uid, 1, emoji))
        react = await alice.hear("react")
        assert (react["From"], react["Refers"], react["Body"]) == (bob.uid, 1, emoji)
    assert logged(town, alice.uid, conv)[0]["Body"] == "frist"


@pytest.mark.parametrize("kind", ["edit", "delete"])
async def test_the_others_message_is_not_ones_own_to_change(town: Town, kind: str) -> None:
    alice, bob, conv = await couple(town)
    assert await refused(bob, amend(kind, bob, alice.uid, 1, "hacked")) == "forbidden"
    assert [entry["Body"] for entry in logged(town, alice.uid, conv)] == ["frist"]


@pytest.mark.parametrize("refers", [0, -1, 2, 99, "1", None])
async def test_what_refers_to_no_message_is_a_bad_request(town: Town, refers: Any) -> None:
    alice, bob, _ = await couple(town)
    assert await refused(alice, amend("edit", alice, bob.uid, refers, "x")) == "bad_request"


async def test_an_edit_of_the_seq_of_an_edit_is_a_bad_request(town: Town) -> None:
    alice, bob, _ = await couple(town)
    await done(alice, amend("edit", alice, bob.uid, 1, "first"))
    assert await refused(alice, amend("edit", alice, bob.uid, 2, "x")) == "bad_request"


async def test_amendments_are_idempotent_and_need_a_msgid(town: Town) -> None:
    alice, bob, conv = await couple(town)
    edit = amend("edit", alice, bob.uid, 1, "first")
    assert await done(alice, edit) == await done(alice, edit)
    assert len(logged(town, alice.uid, conv)) == 2
    assert await refused(alice, edit | {"MsgID": ""}) == "bad_request"


async def test_they_do_not_make_anything_unread(town: Town) -> None:
    alice, bob, conv = await couple(town)
    await bob.confirm("display", alice.uid, ConvID=conv, Seq=1)
    await done(alice, amend("edit", alice, bob.uid, 1, "first"))
    (listed,) = town.rest(bob.uid, "GET", "/conversations").json()["items"]
    assert (listed["N"], listed["unread"]) == (1, 0)


async def test_who_made_a_group_may_delete_there_and_others_may_not(town: Town) -> None:
    three = await trio(town)
    ack = await done(three.b, said(three.group, three.b.uid, "spam"))
    delete = {"EvtType": "delete", "Refers": ack["Seq"], "Body": ""}
    assert await refused(three.c, said(three.group, three.c.uid, "") | delete) == "forbidden"
    await done(three.a, said(three.group, three.a.uid, "") | delete)
    for device in (three.b, three.c):
        assert (await device.hear("delete"))["Originated"] == three.a.uid


async def test_the_seeds_form_hears_none_of_it(open_town: Town) -> None:
    a, b = open_town.person("a"), open_town.person("b")
    alice, bob = await open_town.device(a), await open_town.seed_device(b)
    await alice.tell(b, "frist")
    await done(alice, amend("edit", alice, b, 1, "first"))
    await alice.tell(b, "end")
    await bob.hear("message", Body="end")
    assert bob.unheard("edit", "delete", "react") == []
