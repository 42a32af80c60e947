"""`edit`, `delete` and `react`, in pairs and in groups."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tests.chat.watched import WatchedStore
from tests.chat.world import Person, World, settle
from tests.service.late import answers_late
from webchat.ports.log import Append, AppendDone

CONV = "dm:anna:ben"
G = "group_1"


async def talk(world: World) -> tuple[Person, Person]:
    anna, ben = await world.joined("anna"), await world.joined("ben")
    await anna.send("ben", "helo")
    return anna, ben


async def amend(person: Person, kind: str, to: str, seq: int, body: str = "", **more: Any) -> Any:
    said = {"EvtType": kind, "Refers": seq, "Body": body, "MsgID": f"{kind}-{body}"} | more
    if to.startswith("group_"):
        return await person.ask("chat", person.act(kind, to) | said)
    return await person.ask("chat", {"From": person.uid, "To": to, "Timestamp": 1} | said)


async def test_an_edit_is_an_entry_and_changes_the_one_meant(world: World) -> None:
    anna, ben = await talk(world)
    ack = await amend(anna, "edit", "ben", 1, "hello")
    assert (ack["Seq"], ack["N"]) == (2, 1)
    (edit,) = ben.got("edit")
    assert (edit["Refers"], edit["Body"], edit["Seq"]) == (1, "hello", 2)
    again = await world.joined("ben")
    (message,) = again.got("message")
    assert (message["Body"], message["Edited"], message["Seq"]) == ("hello", 2, 1)


async def test_a_deleted_message_is_blank_and_still_counts(world: World) -> None:
    anna, ben = await talk(world)
    await amend(anna, "delete", "ben", 1)
    (deleted,) = ben.got("delete")
    assert deleted["Refers"] == 1
    again = await world.joined("ben")
    (message,) = again.got("message")
    assert (message["Body"], message["Deleted"], message["N"]) == ("", 2, 1)


async def test_the_texts_of_its_edits_go_with_a_deleted_message(world: World) -> None:
    anna, ben = await talk(world)
    await amend(anna, "edit", "ben", 1, "hell")
    await ben.send("anna", "what?")
    await amend(anna, "edit", "ben", 1, "hello")
    await amend(anna, "delete", "ben", 1)
    again = await world.joined("ben")
    assert [edit["Body"] for edit in again.got("edit")] == ["", ""]
    assert again.bodies() == ["", "what?"]


@pytest.mark.parametrize("kind", ["edit", "delete", "react"])
async def test_a_deleted_message_cannot_be_amended(world: World, kind: str) -> None:
    anna, _ = await talk(world)
    await amend(anna, "delete", "ben", 1)
    ack = await amend(anna, kind, "ben", 1, "x")
    assert ack["error"]["code"] == "bad_request"


async def test_a_reaction_can_be_taken_back(world: World) -> None:
    anna, ben = await talk(world)
    await amend(ben, "react", "anna", 1, "👍")
    assert await world.store.log.reactions(CONV, [1], 99) == {1: {"ben": "👍"}}
    (reaction,) = anna.got("react")
    assert (reaction["Body"], reaction["Refers"]) == ("👍", 1)
    await amend(ben, "react", "anna", 1, "")
    assert await world.store.log.reactions(CONV, [1], 99) == {}


async def test_a_resent_edit_gets_its_first_place(world: World) -> None:
    anna, _ = await talk(world)
    first = await amend(anna, "edit", "ben", 1, "hello")
    assert (await amend(anna, "edit", "ben", 1, "hello")) == first


@pytest.mark.parametrize(
    ("kind", "more", "code"),
    [
        ("edit", {}, "forbidden"),
        ("delete", {}, "forbidden"),
        ("edit", {"MsgID": ""}, "bad_request"),
        ("edit", {"Refers": 0}, "bad_request"),
        ("edit", {"Refers": 99}, "bad_request"),
        ("react", {"Body": "x" * 65}, "bad_request"),
        ("edit", {"Body": "x" * 20_000}, "too_large"),
        ("react", {"From": "anna"}, "forbidden"),
        ("react", {"To": "cleo"}, "not_a_member"),
        ("react", {"To": "no body"}, "bad_request"),
    ],
)
async def test_a_wrong_amendment_is_refused(
    world: World, kind: str, more: dict[str, Any], code: str
) -> None:
    _, ben = await talk(world)
    ack = await amend(ben, kind, "anna", 1, "x", **more)
    assert ack["error"]["code"] == code


async def test_a_notice_cannot_be_amended(world: World) -> None:
    anna = await world.joined("anna")
    await anna.do("create", G, "ben")
    ack = await amend(anna, "edit", G, 1, "x")
    assert ack["error"]["code"] == "bad_request"


async def test_what_came_before_one_cannot_be_amended(world: World) -> None:
    anna, ben = await world.joined("anna"), await world.joined("ben")
    await anna.do("create", G, "cleo")
    await anna.say_in(G, "before")
    await anna.do("refer", G, "ben")
    assert (await amend(ben, "react", G, 2, "👍"))["error"]["code"] == "bad_request"


async def test_a_groups_owner_deletes_others_messages_and_members_do_not(world: World) -> None:
    anna, ben = await world.joined("anna"), await world.joined("ben")
    await anna.do("create", G, "ben", "cleo")
    await ben.say_in(G, "rude")
    cleo = await world.joined("cleo")
    assert (await amend(cleo, "delete", G, 2))["error"]["code"] == "forbidden"
    assert (await amend(anna, "delete", G, 2))["ok"]
    assert (await amend(anna, "edit", G, 2, "polite"))["error"]["code"] == "forbidden"


@pytest.mark.parametrize(("kind", "body"), [("edit", "hello"), ("delete", ""), ("react", "👍")])
@pytest.mark.parametrize("to", ["cleo", G])
async def test_what_was_just_sent_can_be_amended_before_its_ack(
    near: World, watched: WatchedStore, to: str, kind: str, body: str
) -> None:
    anna, _ = await talk(near)
    await anna.do("create", G, "ben")
    watched.log.outcomes = []
    how = {"From": "anna", "Originated": "", "To": to} if to != G else {}
    last = 1 if to == G else 0
    anna.say("chat", anna.act("message", G, MsgID="m", Body="helo", **how))
    ack_id = anna.say("chat", anna.act(kind, G, MsgID="a", Refers=last + 1, Body=body, **how))
    await settle()
    assert ack_id not in anna.socket.acks
    watched.log.tell()
    await settle()
    assert anna.socket.acks[ack_id]["Seq"] == last + 2


async def test_edits_are_not_sought_of_what_may_not_be_deleted(
    world: World, near: World, watched: WatchedStore
) -> None:
    """They may lie far behind the message, and whoever is refused can ask again and again."""
    anna, _ = await talk(world)
    ben = await near.joined("ben")
    await amend(anna, "edit", "ben", 1, "hello")
    watched.log.reads.clear()
    assert (await amend(ben, "delete", "anna", 1))["error"]["code"] == "forbidden"
    assert watched.log.reads == [CONV]  # the message itself
    await amend(anna, "delete", "ben", 1)
    again = await near.joined("anna", {CONV: 3})
    watched.log.reads.clear()
    ack = await amend(again, "delete", "ben", 1, MsgID="again")
    assert ack["error"]["code"] == "bad_request"
    assert watched.log.reads == [CONV]


async def test_an_act_sent_again_while_it_is_decided_waits_for_what_becomes_of_it(
    world: World, near: World, watched: WatchedStore
) -> None:
    """Else it would be refused, and the first one, decided later, done after all."""
    anna, ben = await near.joined("anna"), await near.joined("ben")
    await anna.do("create", G, "ben")
    await ben.say_in(G, "helo")
    said = ben.act("delete", G, Refers=2, MsgID="m")
    watched.log.find_waits = found = asyncio.Event()
    ben.say("chat", said)
    await settle()
    ben.leave()
    watched.log.find_waits = None
    await (await world.joined("ben")).do("depart", G)
    back = await near.joined("ben")
    ack_id = back.say("chat", said)
    await settle()
    await anna.do("refer", G, "ben")
    found.set()
    await settle()
    assert (back.socket.acks[ack_id]["ok"], back.socket.acks[ack_id].get("Seq")) == (True, 5)


@pytest.mark.parametrize("kinds", [("edit", "delete"), ("delete", "edit")])
@pytest.mark.parametrize("to", ["ben", G])
async def test_of_an_edit_and_a_deletion_on_two_nodes_at_once_no_text_stays(
    world: World, other: World, kinds: tuple[str, str], to: str
) -> None:
    anna, _ = await talk(world)
    await anna.do("create", G, "ben")
    await anna.say_in(G, "helo")
    conv, seq = (G, 2) if to == G else (CONV, 1)
    devices = {
        kind: await node.joined("anna", {CONV: 1, G: 2})
        for kind, node in zip(kinds, (world, other), strict=True)
    }
    answers_late(world.store.log, world.store.members)
    for kind, device in devices.items():
        said = {"Refers": seq, "Body": "secret" * (kind == "edit"), "MsgID": kind}
        whom = {"From": "anna", "Originated": "", "To": to} if to != G else {}
        device.say("chat", device.act(kind, to, **said | whom))
    while not all(device.socket.acks.get(2) for device in devices.values()):
        await settle()
    entries = await world.store.log.read(conv, 0, 9)
    assert [entry for entry in entries if b"secret" in entry.envelope] == []
    assert b'"Deleted"' in entries[seq - 1].envelope
    assert devices["delete"].socket.acks[2]["ok"]


async def test_a_reaction_that_is_overtaken_by_the_deletion_is_refused(
    world: World, other: World
) -> None:
    anna, _ = await talk(world)
    ben = await other.joined("ben")
    answers_late(world.store.log)
    said = {"EvtType": "react", "From": "ben", "To": "anna", "Refers": 1, "Timestamp": 1}
    ack_id = ben.say("chat", said | {"MsgID": "r", "Body": "👍"})
    deleted = world.store.log.append

    def after_the_deletion(request: Append, done: AppendDone) -> None:
        world.store.log.append = deleted  # type: ignore[method-assign]
        anna.say("chat", {"EvtType": "delete", "From": "anna", "To": "ben", "Refers": 1,
                          "Timestamp": 1, "MsgID": "d", "Body": ""})  # fmt: skip
        asyncio.get_running_loop().create_task(_later(lambda: deleted(request, done)))

    world.store.log.append = after_the_deletion  # type: ignore[method-assign]
    while not ben.socket.acks.get(ack_id):
        await settle()
    assert ben.socket.acks[ack_id]["error"]["code"] == "bad_request"
    assert await world.store.log.reactions(CONV, [1], 99) == {}


async def _later(call: Callable[[], None]) -> None:
    for _ in range(5):
        await settle()
    call()
