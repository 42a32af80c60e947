"""What a client must not send is refused with a code; the connection and everybody else go on."""

from __future__ import annotations

from typing import Any

import pytest

from tests.wire.people import Device, Town, message, pair, receipt


async def refusal(device: Device, envelope: Any) -> dict[str, Any]:
    """The `error` of an envelope that must be refused."""
    ack = await device.chat(envelope)
    assert ack["ok"] is False, ack
    assert isinstance(ack["error"]["message"], str)
    return dict(ack["error"])


async def test_a_chat_before_join_is_unauthenticated(town: Town) -> None:
    a = town.person("a")
    alice = await town.connect(a)
    assert (await refusal(alice, message(a, town.person("b"), "x")))["code"] == "unauthenticated"


async def test_a_sync_before_join_is_unauthenticated(town: Town) -> None:
    alice = await town.connect(town.person("a"))
    ack = await alice.sync(cursors={})
    assert (ack["ok"], ack["error"]["code"]) == (False, "unauthenticated")


async def test_another_sender_is_forbidden_and_nobody_hears_it(town: Town) -> None:
    a, b, c = town.person("a"), town.person("b"), town.person("c")
    alice, bob = await town.device(a), await town.device(b)
    ack = await alice.chat(forged := message(c, b, "I am c"))
    assert (ack["ok"], ack["MsgID"]) == (False, forged["MsgID"])
    assert ack["error"]["code"] == "forbidden"
    await alice.tell(b, "I am a")
    assert (await bob.hear("message"))["From"] == a


async def test_a_receipt_in_anothers_name_is_forbidden(town: Town) -> None:
    a, b, c = town.person("a"), town.person("b"), town.person("c")
    alice, bob = await town.device(a), await town.device(b)
    await alice.tell(b, "x")
    forged = receipt("display", c, a, ConvID=pair(a, b), Seq=1)
    assert (await refusal(bob, forged))["code"] == "forbidden"


async def test_an_unknown_receiver_is_unknown_user(town: Town) -> None:
    alice = await town.device(town.person("a"))
    assert (await refusal(alice, message(alice.uid, "nobody-here", "x")))["code"] == "unknown_user"


@pytest.mark.parametrize(
    "change",
    [
        {"EvtType": "teleport"},
        {"EvtType": ""},
        {"EvtType": 7},
        {"EvtType": None},
        {"EvtType": "notify"},
        {"EvtType": "skip"},
        {"EvtType": "conversation"},
        {"MsgID": ""},
        {"MsgID": "m" * 65},
        {"MsgID": 5},
        {"To": ""},
        {"To": "no spaces allowed"},
        {"To": "u" * 65},
        {"To": ["a"]},
        {"To": "dm:a:b"},
        {"Body": 5},
        {"Body": {"a": 1}},
        {"Timestamp": "now"},
        {"Timestamp": {}},
        {"Bulk": "x" * 5_000},
    ],
    ids=lambda change: " ".join(f"{key}={str(value)[:20]}" for key, value in change.items()),
)
async def test_envelopes_of_wrong_shape_are_bad_requests(
    town: Town, change: dict[str, object]
) -> None:
    a, b = town.person("a"), town.person("b")
    alice = await town.device(a)
    assert (await refusal(alice, message(a, b, "x") | change))["code"] in {
        "bad_request",
        "too_large",
    }
    await alice.tell(b, "still here")


@pytest.mark.parametrize("data", [None, 5, True, [], ["a"], "", "{", "null", '"x"', "{}", {}])
async def test_what_is_no_envelope_is_a_bad_request(town: Town, data: object) -> None:
    a = town.person("a")
    alice = await town.device(a)
    assert (await refusal(alice, data))["code"] == "bad_request"
    await alice.tell(a, "still here")


async def test_a_text_of_the_limit_passes_and_one_byte_more_is_too_large(town: Town) -> None:
    a, b = town.person("a"), town.person("b")
    alice, bob = await town.device(a), await town.device(b)
    await alice.tell(b, "x" * 16_384)
    too_long = message(a, b, "é" * 8_192 + "x")
    assert (await refusal(alice, too_long))["code"] == "too_large"
    await alice.tell(b, "still here")
    assert len((await bob.hear("message"))["Body"]) == 16_384
    assert (await bob.hear("message"))["Body"] == "still here"


async def test_without_an_ack_a_refusal_comes_as_an_error_event(town: Town) -> None:
    a, b = town.person("a"), town.person("b")
    alice = await town.device(a)
    await alice.wire.emit("chat", message(b, a, "forged"))
    assert (await alice.hear_error())["code"] == "forbidden"


@pytest.mark.parametrize("change", [{"Bulk": "x" * 5_000}, {"Body": 5}, {"To": ""}])
async def test_a_refusal_names_the_message(town: Town, change: dict[str, object]) -> None:
    a, b = town.person("a"), town.person("b")
    alice = await town.device(a)
    ack = await alice.chat(message(a, b, "x") | change | {"MsgID": "m-1"})
    assert (ack["ok"], ack["MsgID"]) == (False, "m-1")


async def test_a_group_one_is_not_in_is_not_a_member(town: Town) -> None:
    alice = await town.device(town.person("a"))
    stranger = message("group_x", "group_x", "x", Originated=alice.uid)
    assert (await refusal(alice, stranger))["code"] == "not_a_member"


@pytest.mark.parametrize(
    "form",
    [
        None,
        5,
        [],
        "",
        "no spaces allowed",
        {"cursors": []},
        {"cursors": {"dm:a:b": "one"}},
        {"cursors": {"dm:a:b": -1}},
        {"cursors": {"dm:a:b": 1.5}},
        {"cursors": {}, "receipts": "all"},
        {"cursors": {}, "receipts": [f"dm:a:b{number}" for number in range(51)]},
        {"cursors": {f"dm:a:b{number}": 0 for number in range(1_001)}},
        {"cursors": {}, "more": "yes"},
    ],
    ids=lambda form: str(form)[:40],
)
async def test_a_join_of_wrong_shape_is_refused_and_can_be_mended(town: Town, form: Any) -> None:
    alice = await town.connect(town.person("a"))
    ack = await alice.join(form)
    assert ack["ok"] is False
    assert ack["error"]["code"] in {"bad_request", "too_large", "forbidden"}
    assert (await alice.join({"device": "d", "cursors": {}}))["ok"] is True


async def test_a_join_in_anothers_name_is_forbidden(town: Town) -> None:
    alice = await town.connect(town.person("a"))
    ack = await alice.join(town.person("b"))
    assert (ack["ok"], ack["error"]["code"]) == (False, "forbidden")


async def test_a_second_join_of_the_other_form_is_a_bad_request(town: Town) -> None:
    alice = await town.device(town.person("a"))
    ack = await alice.join(alice.uid)
    assert (ack["ok"], ack["error"]["code"]) == (False, "bad_request")
    await alice.tell(alice.uid, "still joined")


async def test_a_second_join_for_another_user_is_forbidden(open_town: Town) -> None:
    alice = await open_town.seed_device(open_town.person("a"))
    ack = await alice.join(open_town.person("b"))
    assert (ack["ok"], ack["error"]["code"]) == (False, "forbidden")


async def test_an_unknown_event_hurts_nobody(town: Town) -> None:
    a = town.person("a")
    alice = await town.device(a)
    await alice.wire.emit("dance", {"x": 1})
    await alice.tell(a, "still here")


async def test_binary_data_in_an_envelope_is_refused_and_the_connection_stays(town: Town) -> None:
    a, b = town.person("a"), town.person("b")
    alice = await town.device(a)
    assert (await refusal(alice, message(a, b, "x") | {"Body": b"\x00\x01"}))["code"] == (
        "bad_request"
    )
    await alice.tell(b, "still here")
