"""Groups in the seed's form: notify, join, depart, restart, rejoin (seed flows 5 to 9)."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.chat.test_seed_form import seed
from tests.chat.world import Person, World, settle
from tests.service.late import answers_late
from webchat.chat.assembly import Settings
from webchat.chat.handlers import ChatSettings
from webchat.model import Draft
from webchat.ports.held import HeldLimits

G = "group_1"


def kinds(person: Person) -> list[str]:
    return [envelope["EvtType"] for envelope in person.got()]


def lists(person: Person) -> list[list[str]]:
    return [sorted(json.loads(notify["Body"])) for notify in person.got("notify")]


async def people(world: World, engine: int = 4) -> list[Person]:
    return [await seed(world, uid, engine) for uid in ("anna", "ben", "cleo")]


async def test_create_comes_as_notify_to_the_others_and_not_to_its_sender(
    open_world: World,
) -> None:
    anna, ben, cleo = await people(open_world)
    anna.say("chat", anna.act("create", G, Body='["ben","anna"]'), ack=False)
    await settle()
    assert lists(ben) == [["anna", "ben"]]
    assert kinds(anna) == kinds(cleo) == []


async def test_who_is_brought_in_gets_the_list_and_the_rest_a_join(open_world: World) -> None:
    anna, ben, cleo = await people(open_world)
    await anna.do("create", G, "ben")
    anna.say("chat", anna.act("refer", G, Body='["cleo"]'), ack=False)
    await settle()
    assert lists(cleo) == [["anna", "ben", "cleo"]]
    assert kinds(ben) == ["notify", "join"]
    assert kinds(anna) == ["join"]


async def test_a_rejoin_lists_as_many_as_being_brought_in_does() -> None:
    world = World(Settings(open_mode=True, chat=ChatSettings(list_uids=2)))
    anna, ben, _ = await people(world)
    await anna.do("create", G, "cleo", "dora")
    await anna.do("refer", G, "ben")
    await ben.do("rejoin", G)
    assert lists(ben) == [["anna", "ben", "cleo", "dora"]] * 2
    await world.chat.close()


async def test_depart_reaches_the_rest_and_not_its_sender(open_world: World) -> None:
    anna, ben, _ = await people(open_world)
    await anna.do("create", G, "ben", "cleo")
    ben.say("chat", ben.act("depart", G), ack=False)
    await settle()
    (left,) = anna.got("depart")
    assert (left["From"], left["Originated"]) == (G, "ben")
    assert kinds(ben) == ["notify"]


async def test_offline_members_get_the_list_as_of_each_entry(open_world: World) -> None:
    anna = await seed(open_world, "anna")
    await anna.do("create", G, "ben")
    await anna.say_in(G, "one")
    await anna.do("refer", G, "cleo")
    ben = await seed(open_world, "ben")
    assert kinds(ben) == ["notify", "message", "join"]
    assert lists(ben) == [["anna", "ben"]]


async def test_over_engine_3_a_backlogs_join_and_depart_come_as_notify(open_world: World) -> None:
    anna = await seed(open_world, "anna")
    await anna.do("create", G, "ben")
    await anna.do("refer", G, "cleo", "dora")
    dora = await seed(open_world, "dora")
    await dora.do("depart", G)
    ben = await seed(open_world, "ben", engine=3)
    assert lists(ben) == [
        ["anna", "ben"],
        ["anna", "ben", "cleo", "dora"],
        ["anna", "ben", "cleo"],
    ]


async def test_over_engine_3_a_join_for_a_page_without_that_window_comes_as_notify(
    open_world: World,
) -> None:
    anna = await seed(open_world, "anna")
    ben = await seed(open_world, "ben", engine=3)
    await anna.do("create", G, "ben")
    await ben.confirm("delivery", "anna", MsgID="none")
    ben.leave()
    again = await seed(open_world, "ben", engine=3)
    again.socket.polling = True
    assert kinds(again) == []
    await anna.do("refer", G, "cleo")
    await anna.say_in(G, "a message makes the window")
    await anna.do("refer", G, "dora")
    assert kinds(again) == ["notify", "message", "join"]
    assert lists(again) == [["anna", "ben", "cleo"]]


async def test_over_engine_3_a_list_or_a_message_is_enough_for_live_changes(
    open_world: World,
) -> None:
    anna = await seed(open_world, "anna")
    ben = await seed(open_world, "ben", engine=3)
    ben.socket.polling = True
    await anna.do("create", G, "ben")
    await anna.do("refer", G, "cleo")
    assert kinds(ben) == ["notify", "join"]
    await ben.confirm("delivery", "anna", MsgID="none")
    ben.leave()
    again = await seed(open_world, "ben", engine=3)
    again.socket.polling = True
    await anna.say_in(G, "hello")
    await anna.do("refer", G, "dora")
    assert kinds(again) == ["message", "join"]


async def test_over_engine_3_by_websocket_live_changes_come_as_they_are(open_world: World) -> None:
    anna = await seed(open_world, "anna")
    ben = await seed(open_world, "ben", engine=3)
    await anna.do("create", G, "ben")
    await anna.do("refer", G, "cleo")
    cleo = await seed(open_world, "cleo", engine=3)
    await cleo.do("depart", G)
    assert kinds(ben) == ["notify", "join", "depart"]


async def test_over_engine_3_a_page_has_the_window_of_the_group_that_it_made(
    open_world: World,
) -> None:
    anna = await seed(open_world, "anna", engine=3)
    await anna.do("create", G, "ben")
    ben = await seed(open_world, "ben")
    await ben.do("refer", G, "cleo")
    assert kinds(anna) == ["join"]


async def test_over_engine_3_a_rejoin_brings_the_list_that_a_join_goes_on_from(
    open_world: World,
) -> None:
    anna = await seed(open_world, "anna")
    await anna.do("create", G, "ben")
    ben = await seed(open_world, "ben", engine=3)
    await ben.confirm("delivery", "anna", MsgID="none")
    ben.leave()
    again = await seed(open_world, "ben", engine=3)
    await anna.say_in(G, "who are we?")
    again.say("chat", again.act("rejoin", G), ack=False)
    await settle()
    await anna.do("refer", G, "cleo")
    assert kinds(again) == ["message", "notify", "join"]


async def away_from(world: World) -> tuple[Person, Person]:
    """anna, who has made the group, and ben, who is away with all of it."""
    anna, ben = await seed(world, "anna"), await seed(world, "ben")
    await anna.do("create", G, "ben")
    await world.pass_time(1)
    ben.leave()
    return anna, await world.person("ben")


async def test_a_rejoin_right_behind_the_join_lists_who_was_in_before_the_backlog(
    open_world: World,
) -> None:
    anna, ben = await away_from(open_world)
    await anna.do("refer", G, "cleo")
    answers_late(open_world.store.positions)
    ben.say("join", "ben")
    ben.say("chat", ben.act("rejoin", G))
    await settle()
    assert ben.order(G) == [("notify", 1), ("join", 2)]
    assert lists(ben) == [["anna", "ben"]]


async def test_whoever_comes_in_while_the_list_is_read_is_not_missing_from_it(
    open_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna, ben = await away_from(open_world)
    await ben.ask("join", "ben")
    at, is_told = open_world.store.members.at, asyncio.Event()

    async def told_late(*given: Any) -> object:
        found = await at(*given)
        await is_told.wait()
        return found

    monkeypatch.setattr(open_world.store.members, "at", told_late)
    ben.say("chat", ben.act("rejoin", G))
    await settle()
    await anna.do("refer", G, "cleo")
    is_told.set()
    await settle()
    assert ben.order(G) == [("join", 2), ("notify", 2)]
    assert lists(ben) == [["anna", "ben", "cleo"]]


async def test_a_message_to_an_unknown_group_is_held_and_answered_by_restart(
    open_world: World,
) -> None:
    anna, ben, cleo = await people(open_world)
    ack = await anna.say_in(G, "are you there?")
    assert ack == {"ok": True, "held": True, "MsgID": "anna-are you there?"}
    (restart,) = anna.got("restart")
    assert restart["From"] == G
    await anna.do("rejoin", G, "anna", "ben", "cleo")
    assert ben.bodies() == cleo.bodies() == ["are you there?"]
    assert lists(ben) == lists(anna)[:1] == [["anna", "ben", "cleo"]]
    assert anna.bodies() == []


async def test_an_empty_list_makes_a_group_of_who_rejoins(open_world: World) -> None:
    anna, _, cleo = await people(open_world)
    await anna.say_in(G, "are you there?")
    assert (await anna.ask("chat", anna.act("rejoin", G, Body="[]")))["ok"]
    assert (await anna.say_in(G, "nobody is"))["Seq"] == 3
    assert cleo.bodies() == []


async def test_a_held_message_that_is_resent_is_held_once(open_world: World) -> None:
    anna, ben, _ = await people(open_world)
    await anna.say_in(G, "hello")
    assert (await anna.say_in(G, "hello"))["held"]
    await anna.do("rejoin", G, "ben")
    assert ben.bodies() == ["hello"]
    ack = await anna.say_in(G, "hello")
    assert ack["Seq"] == 2


async def test_a_list_may_come_under_the_msgid_of_what_is_held(open_world: World) -> None:
    anna, ben, _ = await people(open_world)
    await anna.say_in(G, "hello")
    (restart,) = anna.got("restart")
    assert (await anna.do("rejoin", G, "ben", MsgID=restart["MsgID"]))["ok"]
    assert ben.bodies() == ["hello"]
    assert (await anna.say_in(G, "hello"))["Seq"] == 2


async def test_of_two_lists_the_first_counts(open_world: World) -> None:
    anna, ben, cleo = await people(open_world)
    first = anna.say("chat", anna.act("rejoin", G, Body='["ben"]'))
    second = cleo.say("chat", cleo.act("rejoin", G, Body='["dora"]'))
    await settle()
    assert anna.socket.acks[first]["ok"]
    assert cleo.socket.acks[second]["error"]["code"] == "not_a_member"
    assert lists(ben) == [["anna", "ben"]]


async def hold_bens(world: World, at_ms: int) -> None:
    """Hold the message `m` of ben's to the group since that time."""
    said = Person(world, "ben").act("message", G, MsgID="m", Body="m")
    draft = Draft("message", "ben", "m", json.dumps(said).encode())
    await world.store.held.hold(G, draft, at_ms, HeldLimits())


async def test_what_a_member_still_holds_is_appended_once_when_it_joins(
    open_world: World,
) -> None:
    anna = await seed(open_world, "anna")
    await anna.do("create", G, "ben")
    held = open_world.store.held
    for _ in range(2):  # the second time as if the process had died before it was dropped
        await hold_bens(open_world, open_world.clock.now_ms())
        (await seed(open_world, "ben")).leave()
        await settle()
        assert await held.of_user("ben", 0) == []
    assert anna.bodies() == ["m"]


async def test_what_a_member_has_held_for_days_is_appended_when_it_joins(
    open_world: World,
) -> None:
    anna = await seed(open_world, "anna")
    await anna.do("create", G, "ben")
    await hold_bens(open_world, open_world.clock.now_ms() - 3 * 24 * 3_600_000)
    await seed(open_world, "ben")
    await settle()
    assert await open_world.store.held.of_user("ben", 0) == []
    assert anna.bodies() == ["m"]


async def test_rejoin_of_a_known_group_is_answered_with_the_list(open_world: World) -> None:
    anna, ben, cleo = await people(open_world)
    await anna.do("create", G, "ben")
    ben.say("chat", ben.act("rejoin", G), ack=False)
    await settle()
    assert lists(ben) == [["anna", "ben"]] * 2
    assert (await cleo.do("rejoin", G, "cleo"))["error"]["code"] == "not_a_member"


async def test_a_receipt_in_the_seeds_shape_reaches_the_author(open_world: World) -> None:
    anna, ben, _ = await people(open_world)
    await anna.do("create", G, "ben")
    await anna.say_in(G, "one")
    receipt = {"EvtType": "display", "From": G, "Originated": "ben", "To": "anna"}
    ben.say("chat", receipt | {"MsgID": "anna-one", "Timestamp": 1}, ack=False)
    await open_world.pass_time(1)
    (told,) = anna.got("display")
    assert (told["From"], told["Originated"], told["To"], told["MsgID"]) == (
        G, "ben", "anna", "anna-one",
    )  # fmt: skip


async def test_a_group_nobody_knows_is_not_a_members_in_secured_mode(world: World) -> None:
    anna = await world.joined("anna")
    assert (await anna.say_in(G, "hello"))["error"]["code"] == "not_a_member"
    assert anna.got("restart") == []


async def test_a_notice_does_not_come_again_to_who_is_back_at_once(open_world: World) -> None:
    anna, ben, _ = await people(open_world)
    await anna.do("create", G, "ben")
    assert kinds(ben) == ["notify"]
    ben.leave()
    again = await seed(open_world, "ben")
    await settle()
    assert kinds(again) == []


async def test_what_the_user_wrote_elsewhere_in_the_full_form_confirms_what_came_before(
    open_world: World,
) -> None:
    anna, ben = await seed(open_world, "anna"), await seed(open_world, "ben")
    phone = await open_world.joined("ben")
    await anna.do("create", G, "ben")
    await anna.say_in(G, "hello")
    await phone.say_in(G, "hi")
    await anna.do("refer", G, "cleo")
    assert kinds(ben) == ["notify", "message", "join"]
    await open_world.pass_time(1)
    ben.leave()
    again = await seed(open_world, "ben")
    assert kinds(again) == []
