"""The seed's form of `join`: from the delivered position, messages of others only."""

from __future__ import annotations

import pytest

from tests.chat.watched import WatchedStore
from tests.chat.world import Person, World, settle

CONV = "dm:anna:ben"


async def seed(world: World, uid: str, engine: int = 4) -> Person:
    person = await world.person(uid, engine)
    ack = await person.ask("join", uid)
    assert ack["ok"], ack
    return person


def heard(person: Person) -> list[tuple[str, str, str]]:
    return [(e["EvtType"], e["From"], e["MsgID"]) for e in person.got("delivery", "display")]


async def test_messages_come_and_own_ones_never_do(open_world: World) -> None:
    anna, phone, ben = [await seed(open_world, uid) for uid in ("anna", "anna", "ben")]
    await anna.send("ben", "hello")
    await ben.send("anna", "hi")
    assert ben.bodies() == ["hello"]
    assert anna.bodies() == phone.bodies() == ["hi"]
    assert [e["EvtType"] for e in anna.got()] == ["message"]


async def test_an_envelope_may_be_a_json_string(open_world: World) -> None:
    import json

    anna, ben = await seed(open_world, "anna"), await seed(open_world, "ben")
    await anna.ask("chat", json.dumps(anna.message("ben", "as text")))
    assert ben.bodies() == ["as text"]


async def test_what_was_not_confirmed_comes_again(open_world: World) -> None:
    anna, ben = await seed(open_world, "anna"), await seed(open_world, "ben")
    for body in ("one", "two", "three"):
        await anna.send("ben", body)
    await ben.confirm("delivery", "anna", MsgID="anna-one")
    ben.leave()
    again = await seed(open_world, "ben")
    assert again.bodies() == ["two", "three"]


async def test_of_what_was_confirmed_nothing_is_read(
    world: World, near: World, watched: WatchedStore
) -> None:
    anna, cleo, ben = [await seed(world, uid) for uid in ("anna", "cleo", "ben")]
    for sender in (anna, cleo):
        await sender.send("ben", "had")
        await ben.confirm("delivery", sender.uid, MsgID=f"{sender.uid}-had")
    await cleo.send("ben", "not had")
    ben.leave()
    again = await seed(near, "ben")
    assert again.bodies() == ["not had"]
    assert watched.log.read_together == []
    assert watched.log.reads == ["dm:ben:cleo"]
    await anna.send("ben", "live")
    assert again.bodies() == ["not had", "live"]


async def test_offline_messages_come_in_order_and_are_confirmed(open_world: World) -> None:
    anna = await seed(open_world, "anna")
    for i in range(250):
        anna.say("chat", anna.message("ben", str(i)))
    await settle()
    ben = await seed(open_world, "ben")
    assert ben.bodies() == [str(i) for i in range(250)]
    assert heard(anna) == []
    await ben.confirm("delivery", "anna", MsgID="anna-0")
    await ben.confirm("display", "anna", MsgID="anna-0")
    assert heard(anna) == [("delivery", "ben", "anna-0"), ("display", "ben", "anna-0")]


async def test_own_entries_are_confirmed_once_all_before_them_is(open_world: World) -> None:
    anna, ben = await seed(open_world, "anna"), await seed(open_world, "ben")
    await anna.send("ben", "one")
    await ben.send("anna", "two")
    await open_world.pass_time(1)
    before = await open_world.store.positions.of_user("ben", [CONV])
    assert before[CONV].delivered == 0
    await ben.confirm("delivery", "anna", MsgID="anna-one")
    after = await open_world.store.positions.of_user("ben", [CONV])
    assert after[CONV].delivered == 2
    assert after[CONV].displayed == 0


async def test_an_own_message_moves_no_display(open_world: World) -> None:
    anna, ben = await seed(open_world, "anna"), await seed(open_world, "ben")
    await anna.send("ben", "one")
    await ben.send("anna", "two")
    await open_world.pass_time(1)
    assert heard(anna) == []


async def test_the_full_form_device_of_a_seed_sender_hears_what_holds(open_world: World) -> None:
    ben = await seed(open_world, "ben")
    laptop = await open_world.joined("ben")
    await ben.send("anna", "one")
    await settle()
    (place,) = laptop.got("position")
    assert (place["delivered"], place["displayed"], place["N"]) == (0, 0, 0)


async def test_each_message_named_brings_one_receipt_to_a_seed_author(open_world: World) -> None:
    anna, ben = await seed(open_world, "anna"), await seed(open_world, "ben")
    for body in ("one", "two", "three"):
        await anna.send("ben", body)
    for body in ("one", "two", "three"):
        receipt = {"EvtType": "delivery", "From": "ben", "To": "anna", "MsgID": f"anna-{body}"}
        ben.say("chat", receipt)
    await open_world.pass_time(1)
    assert heard(anna) == [("delivery", "ben", f"anna-{body}") for body in ("one", "two", "three")]


async def test_a_receipt_is_for_the_conversation_that_it_names(open_world: World) -> None:
    anna, ben = await seed(open_world, "anna"), await seed(open_world, "ben")
    await anna.do("create", "group_1", "ben")
    await anna.send("ben", "to ben", MsgID="1")
    await anna.say_in("group_1", "to all", MsgID="1")
    ack = await ben.confirm("delivery", "anna", MsgID="1")
    assert ack["ConvID"] == CONV
    assert heard(anna) == [("delivery", "ben", "1")]


async def test_a_message_far_behind_what_is_confirmed_by_it_is_told(open_world: World) -> None:
    anna, ben = await seed(open_world, "anna"), await seed(open_world, "ben")
    await anna.send("ben", "one")
    for number in range(250):
        ben.say("chat", ben.message("anna", str(number)))
    await settle()
    await ben.confirm("delivery", "anna", MsgID="anna-one")
    await ben.confirm("display", "anna", MsgID="anna-one")
    assert heard(anna) == [("delivery", "ben", "anna-one"), ("display", "ben", "anna-one")]


async def test_a_full_reader_brings_a_seed_author_one_receipt_a_message(open_world: World) -> None:
    anna, ben = await seed(open_world, "anna"), await open_world.joined("ben")
    await anna.send("ben", "one")
    await anna.send("ben", "two")
    await ben.confirm("display", "anna", ConvID=CONV, Seq=2)
    assert heard(anna) == [("display", "ben", "anna-one"), ("display", "ben", "anna-two")]
    assert [e["Body"] for e in anna.got("display")] == ["", ""]


async def test_a_seed_reader_tells_a_full_author_its_place(open_world: World) -> None:
    anna, ben = await open_world.joined("anna"), await seed(open_world, "ben")
    await anna.send("ben", "one")
    await ben.confirm("display", "anna", MsgID="anna-one")
    assert [(e["EvtType"], e["ConvID"], e["Seq"]) for e in anna.got("delivery", "display")] == [
        ("display", CONV, 1)
    ]


async def test_a_display_alone_brings_no_delivery_of_what_the_reader_said(
    open_world: World,
) -> None:
    anna, ben = await open_world.joined("anna"), await seed(open_world, "ben")
    await anna.send("ben", "one")
    await ben.send("anna", "two")
    await ben.confirm("display", "anna", MsgID="anna-one")
    assert [(e["EvtType"], e["Seq"]) for e in anna.got("delivery", "display")] == [("display", 1)]


async def test_receipts_for_who_is_away_are_kept_and_come_once(open_world: World) -> None:
    anna, ben = await seed(open_world, "anna"), await seed(open_world, "ben")
    await anna.send("ben", "one")
    anna.leave()
    await ben.confirm("delivery", "anna", MsgID="anna-one")
    await ben.confirm("display", "anna", MsgID="anna-one")
    back = await seed(open_world, "anna")
    assert heard(back) == [("delivery", "ben", "anna-one"), ("display", "ben", "anna-one")]
    back.leave()
    assert heard(await seed(open_world, "anna")) == []


async def test_a_receipt_after_a_reconnect_is_found_by_its_key(open_world: World) -> None:
    anna, ben = await seed(open_world, "anna"), await seed(open_world, "ben")
    await anna.send("ben", "one")
    await ben.confirm("delivery", "anna", MsgID="anna-one")
    ben.leave()
    again = await seed(open_world, "ben")
    ack = await again.confirm("display", "anna", MsgID="anna-one")
    assert ack["ok"]
    assert heard(anna)[-1] == ("display", "ben", "anna-one")


async def test_a_receipt_for_nothing_is_acknowledged(open_world: World) -> None:
    ben = await seed(open_world, "ben")
    assert (await ben.confirm("delivery", "anna", MsgID="never"))["ok"]
    assert (await ben.confirm("delivery", "stranger", MsgID="never"))["ok"]


async def test_sync_does_not_go_with_this_form(open_world: World) -> None:
    ben = await seed(open_world, "ben")
    assert (await ben.ask("sync", {"cursors": {}}))["error"]["code"] == "bad_request"


async def test_it_has_to_be_the_tokens_user_in_secured_mode(world: World) -> None:
    ben = await world.person("ben")
    assert (await ben.ask("join", "anna"))["error"]["code"] == "forbidden"
    assert (await ben.ask("join", "ben"))["ok"]


@pytest.mark.parametrize("uid", ["no body", "group_x", "x" * 65, ""])
async def test_a_uid_that_is_none_cannot_join(open_world: World, uid: str) -> None:
    person = await open_world.person("")
    assert (await person.ask("join", uid))["error"]["code"] == "bad_request"


async def test_the_full_form_names_its_user_in_open_mode(open_world: World) -> None:
    person = await open_world.person("")
    ack = await person.ask("join", {"uid": "anna", "device": "d", "cursors": {}})
    assert ack["uid"] == "anna"


async def test_over_engine_3_chat_before_join_joins_its_sender(open_world: World) -> None:
    ben = await seed(open_world, "ben")
    anna = await open_world.person("", engine=3)
    anna.uid = "anna"
    assert (await anna.send("ben", "typed after a reconnect"))["ok"]
    await ben.send("anna", "I see")
    assert ben.bodies() == ["typed after a reconnect"]
    assert anna.bodies() == ["I see"]


async def test_over_engine_4_chat_before_join_is_unauthenticated(open_world: World) -> None:
    anna = await open_world.person("anna")
    assert (await anna.send("ben", "too soon"))["error"]["code"] == "unauthenticated"
