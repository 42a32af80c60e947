"""Messages of a pair: order, acknowledgement, resending, refusals."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.chat.world import World, settle
from webchat.protocol.socketio import Event

CONV = "dm:anna:ben"
HUGE = "1" + "0" * 309
"""More than a double holds."""
ENDLESS = "1" * 5_000
"""More than Python reads."""


async def test_a_message_reaches_the_other_and_is_acknowledged_with_its_place(world: World) -> None:
    anna, ben = await world.joined("anna"), await world.joined("ben")
    ack = await anna.send("ben", "hello")
    assert ack == {
        "ok": True,
        "MsgID": "anna-hello",
        "ConvID": CONV,
        "Seq": 1,
        "N": 1,
        "StoredAt": world.clock.now_ms(),
    }
    (entry,) = ben.got("message")
    assert entry["Body"] == "hello"
    assert (entry["Seq"], entry["N"], entry["ConvID"]) == (1, 1, CONV)
    assert anna.got("message") == []


async def test_the_senders_other_device_gets_it_too(world: World) -> None:
    phone, laptop = await world.joined("anna"), await world.joined("anna")
    await phone.send("ben", "from the phone")
    assert laptop.bodies() == ["from the phone"]
    assert phone.bodies() == []


async def test_without_an_ack_the_entry_itself_comes_back(world: World) -> None:
    anna = await world.joined("anna")
    anna.say("chat", anna.message("ben", "hi"), ack=False)
    await settle()
    assert anna.bodies() == ["hi"]


async def test_a_resent_message_gets_its_first_place_and_is_not_delivered_twice(
    world: World,
) -> None:
    anna, ben = await world.joined("anna"), await world.joined("ben")
    first = await anna.send("ben", "once")
    again = await anna.send("ben", "once")
    assert again == first
    assert ben.bodies() == ["once"]


async def test_a_new_conversation_is_told_in_both_user_logs(world: World) -> None:
    anna, ben = await world.joined("anna"), await world.joined("ben")
    await anna.send("ben", "hello")
    await ben.send("anna", "hi")
    for person in (anna, ben):
        (told,) = person.got("conversation")
        assert told["ConvID"] == f"user:{person.uid}"
        assert told["Seq"] == 1
        assert told["Body"] == '{"Conv":"dm:anna:ben","state":"added","Seq":1}'
        assert "N" not in told


async def test_notes_to_oneself_are_a_conversation_of_one(world: World) -> None:
    phone, laptop = await world.joined("anna"), await world.joined("anna")
    ack = await phone.send("anna", "milk")
    assert ack["ConvID"] == "dm:anna:anna"
    assert laptop.bodies() == ["milk"]


async def test_optional_fields_are_passed_on_and_the_servers_own_are_not(world: World) -> None:
    anna, ben = await world.joined("anna"), await world.joined("ben")
    again = {"Deleted\0": 6, "Body\0x": "another"}  # the same to who reads names up to a NUL
    await anna.send("ben", "hello", Mentions=["ben"], N=77, Edited=5, Originated="cleo", **again)
    (entry,) = ben.got("message")
    assert entry["Mentions"] == ["ben"]
    assert entry["N"] == 1
    assert "Edited" not in entry
    assert not any("\0" in key for key in entry)
    assert entry["Originated"] == ""


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"From": "ben"}, "forbidden"),
        ({"To": "nobody"}, "unknown_user"),
        ({"To": "no body"}, "bad_request"),
        ({"To": "group_x", "From": "group_x", "Originated": "anna"}, "not_a_member"),
        ({"To": "group_x", "From": "group_x", "Originated": "ben"}, "forbidden"),
        ({"MsgID": ""}, "bad_request"),
        ({"MsgID": "m" * 65}, "bad_request"),
        ({"Body": "é" * 8_193}, "too_large"),
        ({"Body": ["a"]}, "bad_request"),
        ({"EvtType": "shout"}, "bad_request"),
        ({"EvtType": None}, "bad_request"),
        ({"Timestamp": "now"}, "bad_request"),
        ({"Extra": "x" * 5_000}, "too_large"),
        ({"Extra": json.loads("[" * 70 + "]" * 70)}, "bad_request"),
    ],
)
async def test_what_is_wrong_is_refused_with_a_code(
    world: World, change: dict[str, object], code: str
) -> None:
    anna, ben = await world.joined("anna"), await world.joined("ben")
    ack = await anna.send("ben", "hello", **change)
    assert ack["ok"] is False
    assert ack["error"]["code"] == code
    assert (await anna.send("ben", "still here"))["ok"]
    assert ben.bodies() == ["still here"]


@pytest.mark.parametrize("looked_up", [False, True])
async def test_with_a_disabled_account_nobody_begins_a_conversation(
    world: World, looked_up: bool
) -> None:
    anna, cleo = await world.joined("anna"), await world.joined("cleo")
    await anna.send("ben", "hello")
    await world.store.accounts.change_profile("ben", {"disabled": True}, 0)
    await world.profiles.forget("ben")
    if looked_up:
        await world.profiles.get("ben")
    assert (await cleo.send("ben", "hello"))["error"]["code"] == "unknown_user"
    assert (await anna.send("ben", "in one that there is"))["ok"]
    await world.store.accounts.change_profile("ben", {"disabled": False}, 0)
    await world.profiles.forget("ben")
    assert (await cleo.send("ben", "again"))["ok"]


async def test_a_refusal_without_an_ack_comes_as_an_error_event(world: World) -> None:
    anna = await world.joined("anna")
    anna.say("chat", anna.message("nobody", "hello"), ack=False)
    await settle()
    ((name, error),) = [packet for packet in anna.socket.packets if packet[0] == "error"]
    assert name == "error"
    assert error["MsgID"] == "anna-hello"
    assert error["error"]["code"] == "unknown_user"


async def test_a_text_of_exactly_the_limit_is_taken(world: World) -> None:
    anna = await world.joined("anna")
    assert (await anna.send("ben", "é" * 8_192))["ok"] is False  # its MsgID is too long
    assert (await anna.send("ben", "é" * 8_192, MsgID="m"))["ok"]


async def test_messages_keep_the_order_they_were_sent_in(world: World) -> None:
    anna, ben = await world.joined("anna"), await world.joined("ben")
    for i in range(50):
        anna.say("chat", anna.message("ben", str(i)))
    await settle()
    assert ben.bodies() == [str(i) for i in range(50)]
    assert [entry["Seq"] for entry in ben.got("message")] == list(range(1, 51))


async def test_chat_before_join_is_unauthenticated(world: World) -> None:
    anna = await world.person("anna")
    ack = await anna.send("ben", "too soon")
    assert ack["error"]["code"] == "unauthenticated"


async def test_beyond_its_rate_a_session_is_refused_until_it_waited(world: World) -> None:
    anna = await world.joined("anna")
    acks = [anna.say("chat", anna.message("ben", str(i))) for i in range(400)]
    await settle()
    refused = [anna.socket.acks[a]["error"] for a in acks if not anna.socket.acks[a]["ok"]]
    assert len(refused) == 101  # the burst of 300 and the join
    assert refused[0]["code"] == "rate_limited"
    await world.pass_time(refused[0]["retry_after_ms"] / 1000)
    assert (await anna.send("ben", "later"))["ok"]


async def test_a_store_that_does_not_answer_is_said_and_the_socket_stays(world: World) -> None:
    anna, ben = await world.joined("anna"), await world.joined("ben")
    world.store.is_down = True
    ack = await anna.send("ben", "hello")
    assert ack["error"]["code"] == "unavailable"
    world.store.is_down = False
    assert (await anna.send("ben", "hello"))["Seq"] == 1
    assert ben.bodies() == ["hello"]
    assert not anna.socket.closed


async def test_a_message_reaches_people_on_another_node(world: World) -> None:
    other = World(beside=world)
    anna, ben = await world.joined("anna"), await other.joined("ben")
    laptop = await other.joined("anna")
    await anna.send("ben", "across")
    await ben.send("anna", "back")
    assert ben.bodies() == ["across"]
    assert anna.bodies() == ["back"]
    assert laptop.bodies() == ["across", "back"]
    await other.chat.close()


async def test_a_lost_publish_is_read_from_the_log_with_the_next_entry(world: World) -> None:
    other = World(beside=world)
    anna, ben = await world.joined("anna"), await other.joined("ben")
    await anna.send("ben", "one")
    world.buses.go_down()
    await anna.send("ben", "two")
    world.buses.come_back()
    await anna.send("ben", "three")
    assert ben.bodies() == ["one", "two", "three"]
    await other.chat.close()


@pytest.mark.parametrize(
    "number",
    [
        "NaN",
        "Infinity",
        "-Infinity",
        "1e999",
        pytest.param(HUGE, id="huge"),
        pytest.param(f'{{"is": [-{HUGE}]}}', id="hidden"),
        pytest.param(ENDLESS, id="endless"),
    ],
)
async def test_a_number_that_would_be_null_or_an_infinity_for_others_is_refused(
    world: World, number: str
) -> None:
    anna, ben = await world.joined("anna"), await world.joined("ben")
    said = json.dumps(anna.message("ben", "x", Size=[0])).replace("[0]", f"[{number}]")
    world.chat.handler.event(anna.socket, Event(f'["chat",{said}]', 99, ()))
    await settle()
    assert anna.socket.acks[99]["error"]["code"] == "bad_request"
    assert anna.socket.why is None
    assert ben.got("message") == []


async def test_a_whole_number_that_a_double_holds_is_passed_on(world: World) -> None:
    anna, ben = await world.joined("anna"), await world.joined("ben")
    await anna.send("ben", "x", Size=[10**308, -(10**308)])
    assert [said["Size"] for said in ben.got("message")] == [[10**308, -(10**308)]]


@pytest.mark.parametrize("as_text", [False, True])
@pytest.mark.parametrize(
    ("there", "put"),
    [
        ('"x"', '"\\ud83d"'),
        ("[0]", "[NaN]"),
        ("[0]", "[1e999]"),
        pytest.param("[0]", HUGE, id="huge"),
        pytest.param("[0]", ENDLESS, id="endless"),
        pytest.param('"Timestamp": 1', f'"Timestamp": {ENDLESS}', id="endless time"),
    ],
)
async def test_what_cannot_be_passed_on_is_refused_with_its_msg_id(
    world: World, as_text: bool, there: str, put: str
) -> None:
    anna = await world.joined("anna")
    said = json.dumps(anna.message("ben", "x", MsgID="m", Size=[0])).replace(there, put)
    argument = json.dumps(said) if as_text else said
    world.chat.handler.event(anna.socket, Event(f'["chat",{argument}]', None, ()))
    await settle()
    assert anna.socket.why is None
    ((_, error),) = [packet for packet in anna.socket.packets if packet[0] == "error"]
    assert error["MsgID"] == "m"
    assert error["error"]["code"] == "bad_request"
    assert error["error"]["message"] != "the envelope is not JSON"


async def test_a_msg_id_that_is_no_unicode_is_quoted_without_what_is_wrong_in_it(
    world: World,
) -> None:
    anna = await world.joined("anna")
    said = json.dumps(anna.message("ben", "x", MsgID="m\ud83d"))
    world.chat.handler.event(anna.socket, Event(f'["chat",{said}]', 99, ()))
    await settle()
    assert anna.socket.acks[99]["MsgID"] == "m"


async def test_a_join_that_is_no_unicode_is_refused_as_any_join(world: World) -> None:
    anna = await world.person("anna")
    refusal = await anna.join({"\ud83d": 1})
    assert refusal["error"]["code"] == "bad_request"
    assert set(refusal) == {"ok", "error"}


async def test_what_comes_while_the_server_goes_is_refused_with_its_msg_id(world: World) -> None:
    anna = await world.joined("anna")
    world.chat.handler.drain()
    refusal = await anna.send("ben", "late")
    assert refusal["error"]["code"] == "unavailable"
    assert refusal["MsgID"] == "anna-late"
    assert "MsgID" not in await anna.join()


@pytest.mark.parametrize("wrong", [{"Seq": None}, {"Seq": -1}, {"Seq": "x"}, {"ConvID": 5}])
@pytest.mark.parametrize("as_text", [False, True])
async def test_fields_of_the_server_are_dropped_from_a_message_whatever_they_are(
    world: World, wrong: dict[str, Any], as_text: bool
) -> None:
    anna = await world.joined("anna")
    message = anna.message("ben", "hello") | wrong
    ack = await anna.ask("chat", json.dumps(message) if as_text else message)
    assert (ack["ok"], ack["Seq"], ack["ConvID"]) == (True, 1, CONV)
