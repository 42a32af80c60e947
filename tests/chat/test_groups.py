"""Groups in the full form: create, refer, depart, messages, who sees what (seed flows 5 to 9)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.chat.watched import WatchedStore
from tests.chat.world import Person, World, settle, three
from webchat.chat.assembly import Settings
from webchat.chat.handlers import ChatSettings
from webchat.model import Membership

G = "group_1"
ENTRIES = ("create", "join", "depart", "message")


async def trio(world: World) -> tuple[Person, Person, Person]:
    """anna has made a group with ben; cleo is there, and not in it."""
    return await three(world, G, "ben")


def in_group(person: Person, conv: str = G) -> list[tuple[str, int]]:
    """(kind, Seq) of a group's entries a person was sent."""
    return [
        (e["EvtType"], e["Seq"])
        for e in person.got()
        if e["ConvID"] == conv and e["EvtType"] in ENTRIES
    ]


async def test_create_reaches_all_members_and_its_ack_takes_the_entrys_place(world: World) -> None:
    anna, ben = await world.joined("anna"), await world.joined("ben")
    ack = await anna.do("create", G, "ben", "anna", "ben", Name="Trip")
    assert (ack["ConvID"], ack["Seq"], ack["N"]) == (G, 1, 0)
    (entry,) = ben.got("create")
    assert json.loads(entry["Body"]) == ["ben"]
    assert (entry["From"], entry["To"], entry["Originated"], entry["Name"]) == (
        G,
        G,
        "anna",
        "Trip",
    )
    assert in_group(anna) == []
    for person in (anna, ben):
        assert [json.loads(e["Body"])["Conv"] for e in person.got("conversation")] == [G]


async def test_a_message_reaches_the_members_and_nobody_else(world: World) -> None:
    anna, ben, cleo = await trio(world)
    ack = await anna.say_in(G, "hello")
    assert (ack["Seq"], ack["N"]) == (2, 1)
    assert ben.bodies() == ["hello"]
    assert cleo.got() == []
    assert (await cleo.say_in(G, "me too"))["error"]["code"] == "not_a_member"


async def test_texts_may_be_as_long_in_groups_as_in_pairs() -> None:
    world = World(Settings(chat=ChatSettings(text_bytes=10)))
    await world.register("anna", "ben")
    anna = await world.joined("anna")
    await anna.do("create", G, "ben")
    for length, code in ((10, None), (11, "too_large")):
        for ack in (await anna.say_in(G, "x" * length), await anna.send("ben", "x" * length)):
            assert ack.get("error", {}).get("code") == code
    await world.chat.close()


async def test_refer_comes_to_everybody_and_then_the_ack_with_the_same_seq(world: World) -> None:
    anna, ben, cleo = await trio(world)
    ack = await anna.do("refer", G, "cleo", "ben", "anna")
    assert ack["Seq"] == 2
    for person in (anna, ben, cleo):
        (joined,) = person.got("join")
        assert (json.loads(joined["Body"]), joined["Originated"]) == (["cleo"], "anna")
    assert anna.socket.packets[-2][1]["EvtType"] == "join" or anna.got("join")
    place = anna.socket.packets.index(("ack", ack))
    assert anna.socket.packets[place - 1][1]["EvtType"] == "join"


async def test_who_comes_in_sees_from_there_on(world: World) -> None:
    anna, _, cleo = await trio(world)
    await anna.say_in(G, "before")
    await anna.do("refer", G, "cleo")
    await anna.say_in(G, "after")
    assert in_group(cleo) == [("join", 3), ("message", 4)]
    again = await world.joined("cleo")
    assert in_group(again) == [("join", 3), ("message", 4)]
    assert {"EvtType": "skip", "ConvID": G, "Seq": 2, "N": 1, "more": False} in again.got("skip")


async def test_who_departs_sees_up_to_there(world: World) -> None:
    anna, ben, _ = await trio(world)
    laptop = await world.joined("ben", {G: 1})
    await anna.say_in(G, "one")
    ack = await ben.do("depart", G)
    assert ack["Seq"] == 3
    await anna.say_in(G, "two")
    assert in_group(ben) == [("create", 1), ("message", 2)]
    assert in_group(laptop) == [("message", 2), ("depart", 3)]
    assert in_group(anna) == [("depart", 3)]
    assert (await ben.say_in(G, "three"))["error"]["code"] == "not_a_member"
    assert (await ben.do("depart", G))["error"]["code"] == "not_a_member"


async def test_a_former_member_is_sent_its_span_if_it_names_the_group(world: World) -> None:
    anna, ben, _ = await trio(world)
    await anna.say_in(G, "one")
    await ben.do("depart", G)
    await anna.say_in(G, "two")
    again = await world.joined("ben", {G: 1})
    assert in_group(again) == [("message", 2), ("depart", 3)]
    assert in_group(await world.joined("ben")) == []


async def test_leaving_and_coming_back_makes_two_spans(world: World) -> None:
    anna, ben, _ = await trio(world)
    await ben.do("depart", G)
    await anna.say_in(G, "without ben")
    await anna.do("refer", G, "ben")
    await anna.say_in(G, "with ben")
    assert in_group(ben) == [("create", 1), ("join", 4), ("message", 5)]
    again = await world.joined("ben")
    assert in_group(again) == [("create", 1), ("depart", 2), ("join", 4), ("message", 5)]
    assert [(s["Seq"], s["more"]) for s in again.got("skip") if s["ConvID"] == G] == [(3, False)]


async def test_members_who_are_away_get_all_of_it_in_order_when_back(world: World) -> None:
    anna = await world.joined("anna")
    await anna.do("create", G, "ben")
    await anna.say_in(G, "one")
    await anna.do("refer", G, "cleo")
    await anna.do("depart", G)
    ben = await world.joined("ben", {"user:ben": 0})
    assert in_group(ben) == [("create", 1), ("message", 2), ("join", 3), ("depart", 4)]


async def test_a_group_closes_when_its_last_member_leaves(world: World) -> None:
    anna, ben, cleo = await trio(world)
    await ben.do("depart", G)
    assert (await anna.say_in(G, "alone"))["ok"]
    await anna.do("depart", G)
    assert (await anna.say_in(G, "late"))["error"]["code"] == "group_closed"
    assert (await ben.say_in(G, "late"))["error"]["code"] in ("group_closed", "not_a_member")
    assert (await cleo.do("create", G, "ben"))["error"]["code"] == "conflict"


async def test_of_those_who_leave_the_owner_alone_has_its_successor_sought(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna, ben, cleo = await three(world, G, "ben", "cleo", "dora")
    successor, sought = world.store.members.successor, []

    async def counted(conv: str, uid: str) -> Membership | None:
        sought.append(uid)
        return await successor(conv, uid)

    monkeypatch.setattr(world.store.members, "successor", counted)
    for person in (cleo, anna, ben):
        assert (await person.do("depart", G))["ok"]
    assert sought == ["anna", "ben"]


async def test_one_left_alone_can_refer(world: World) -> None:
    anna, ben, cleo = await trio(world)
    await ben.do("depart", G)
    assert (await anna.do("refer", G, "cleo"))["ok"]
    await anna.say_in(G, "hello")
    assert cleo.bodies() == ["hello"]


async def test_two_who_leave_last_at_once_close_the_group(world: World) -> None:
    anna, ben, _ = await trio(world)
    acks = [person.say("chat", person.act("depart", G)) for person in (anna, ben)]
    await settle()
    assert anna.socket.acks[acks[0]]["ok"]
    assert ben.socket.acks[acks[1]]["ok"]
    group = await world.store.members.group(G)
    assert group is not None
    assert group.closed


async def test_resends_of_group_acts_get_their_first_place(world: World) -> None:
    anna, ben, _ = await trio(world)
    joined = await anna.do("refer", G, "cleo", MsgID="r1")
    left = await ben.do("depart", G, MsgID="d1")
    assert (await anna.do("refer", G, "cleo", MsgID="r1")) == joined
    assert (await ben.do("depart", G, MsgID="d1")) == left
    said = await anna.say_in(G, "hello")
    await anna.do("depart", G)
    assert (await anna.say_in(G, "hello")) == said


class SlowMembers:
    """`store`, which reads the spans of members only once `go` is set."""

    def __init__(self, store: Any) -> None:
        self.go = asyncio.Event()
        self.members = self
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name, None) or getattr(self._store.members, name)

    async def spans(self, conv: str, uid: str) -> Any:
        await self.go.wait()
        return await self._store.members.spans(conv, uid)


async def test_a_depart_that_is_sent_again_while_it_is_under_way_gets_its_place(
    world: World,
) -> None:
    _, ben, _ = await trio(world)
    slow = SlowMembers(world.store)
    node = World(beside=world, store=slow)
    again = await node.person("ben")
    assert (await again.join({G: 1}))["ok"]
    ack_id = again.say("chat", ben.act("depart", G, MsgID="d1"))
    await settle()
    left = await ben.do("depart", G, MsgID="d1")
    slow.go.set()
    await settle()
    assert again.socket.acks[ack_id] == left
    await node.chat.close()


async def test_a_delete_that_is_sent_again_while_it_is_under_way_gets_its_place(
    world: World,
) -> None:
    _, ben, _ = await trio(world)
    said = await ben.say_in(G, "wrong")
    slow = SlowMembers(world.store)
    node = World(beside=world, store=slow)
    again = await node.person("ben")
    assert (await again.join({G: said["Seq"]}))["ok"]
    delete = ben.act("delete", G, MsgID="d1", Refers=said["Seq"])
    ack_id = again.say("chat", delete)
    await settle()
    deleted = await ben.ask("chat", delete)
    slow.go.set()
    await settle()
    assert again.socket.acks[ack_id] == deleted
    assert deleted["ok"]
    await node.chat.close()


async def test_a_resent_create_gets_its_own_place_instead_of_conflict(world: World) -> None:
    anna = await world.joined("anna")
    first = await anna.do("create", G, "ben", MsgID="c1")
    assert (await anna.do("create", G, "ben", MsgID="c1")) == first
    assert (await anna.do("create", G, "ben", MsgID="c2"))["error"]["code"] == "conflict"


async def test_referring_who_is_in_already_appends_nothing(world: World) -> None:
    anna, ben, _ = await trio(world)
    ack = await anna.do("refer", G, "ben", "anna")
    assert ack == {"ok": True, "MsgID": "", "ConvID": G}
    assert ben.got("join") == []


async def test_messages_on_the_heels_of_a_refer_keep_their_order(world: World) -> None:
    anna, ben, _ = await trio(world)
    for i in range(5):
        anna.say("chat", anna.act("message", G, MsgID=f"a{i}", Body=f"a{i}"))
        ben.say("chat", ben.act("refer", G, Body='["cleo","dora"]'))
        ben.say("chat", ben.act("message", G, MsgID=f"b{i}", Body=f"b{i}"))
    await settle()
    bodies = anna.bodies() + ben.bodies()
    assert [b for b in bodies if b[0] == "a"] == [f"a{i}" for i in range(5)]
    assert [b for b in bodies if b[0] == "b"] == [f"b{i}" for i in range(5)]
    assert len(anna.got("join")) == 1


async def test_what_waits_for_the_store_elsewhere_holds_no_group_back(
    near: World, watched: WatchedStore
) -> None:
    anna, _, _ = await trio(near)
    watched.log.outcomes = []
    anna.say("chat", anna.message("ben", "slow"))
    anna.say("chat", anna.act("message", G, MsgID="m", Body="m"))
    await settle()
    assert len(watched.log.outcomes) == 2
    watched.log.tell()


@pytest.mark.parametrize(("kind", "body"), [("message", "last"), ("depart", "")])
async def test_what_is_decided_anew_comes_before_what_was_sent_after_it(
    near: World, watched: WatchedStore, kind: str, body: str
) -> None:
    anna, ben, _ = await trio(near)
    await ben.say_in(G, "it is known who may write")
    outcomes: list[Callable[[Any], None]] = []
    watched.log.outcomes = outcomes
    anna.say("chat", anna.act("refer", G, Body='["cleo"]'))
    await settle()
    ben.say("chat", ben.act("message", G, MsgID="first", Body="first"))
    await settle()
    referred, refused = outcomes
    watched.log.outcomes = None
    referred(None)
    last = ben.say("chat", ben.act(kind, G, MsgID="last", Body=body))
    await settle()
    refused(None)
    await settle()
    assert [(said["EvtType"], said["Body"]) for said in anna.got()][-2:] == [
        ("message", "first"),
        (kind, body),
    ]
    assert ben.socket.acks[last]["Seq"] == 5


async def test_unknown_users_are_named_and_nothing_is_changed(world: World) -> None:
    anna, ben, _ = await trio(world)
    ack = await anna.do("refer", G, "cleo", "ghost")
    assert ack["error"]["code"] == "unknown_user"
    assert "ghost" in ack["error"]["message"]
    assert ben.got("join") == []


async def test_a_create_that_lists_nobody_makes_a_group_of_its_sender(world: World) -> None:
    anna = await world.joined("anna")
    assert (await anna.ask("chat", anna.act("create", G, Body="[]")))["ok"]
    assert (await anna.say_in(G, "hello, me"))["ok"]


async def test_rejoin_is_answered_with_the_list(world: World) -> None:
    _, ben, _ = await trio(world)
    ack = await ben.do("rejoin", G)
    assert ack == {"ok": True, "MsgID": "", "ConvID": G}
    (notify,) = ben.got("notify")
    assert sorted(json.loads(notify["Body"])) == ["anna", "ben"]
    assert (notify["Members"], notify["Seq"], notify["From"]) == (2, 1, G)


async def test_a_group_of_people_on_several_nodes_is_told_everything(world: World) -> None:
    other = World(beside=world)
    anna, ben = await world.joined("anna"), await other.joined("ben")
    cleo = await other.joined("cleo")
    await anna.do("create", G, "ben")
    await anna.say_in(G, "one")
    await ben.say_in(G, "two")
    await ben.do("refer", G, "cleo")
    await anna.say_in(G, "three")
    await anna.do("depart", G)
    await cleo.say_in(G, "four")
    assert ben.bodies() == ["one", "three", "four"]
    assert anna.bodies() == ["two"]
    assert in_group(cleo) == [("join", 4), ("message", 5), ("depart", 6)]
    assert in_group(ben) == [
        ("create", 1), ("message", 2), ("join", 4), ("message", 5), ("depart", 6), ("message", 7),
    ]  # fmt: skip
    assert in_group(anna) == [("message", 3), ("join", 4)]
    await other.chat.close()


async def test_a_channel_is_held_while_a_member_is_here(world: World) -> None:
    anna, ben, _ = await trio(world)
    assert world.bus.holds(G)
    anna.leave()
    assert world.bus.holds(G)
    ben.leave()
    assert not world.bus.holds(G)
    back = await world.joined("ben")
    assert world.bus.holds(G)
    await back.do("depart", G)
    assert not world.bus.holds(G)


async def test_what_lands_on_another_node_while_the_only_member_here_arrives_is_not_missed(
    world: World,
) -> None:
    other = World(beside=world)
    anna = await world.joined("anna")
    await anna.do("create", G, "ben")
    ben = await other.person("ben")
    ben.say("join", {"cursors": {}})
    for i in range(20):
        anna.say("chat", anna.act("message", G, MsgID=f"{i}", Body=f"{i}"))
        await asyncio.sleep(0)
    await settle()
    assert ben.bodies() == [f"{i}" for i in range(20)]
    await other.chat.close()
