"""Seed flow 2: both online; the message, then `delivery`, then `display` go the way back."""

from __future__ import annotations

import json
from typing import get_args

import pytest

from tests.wire.people import Kind, Town, message, pair, receipt

KINDS: tuple[Kind, ...] = get_args(Kind)


@pytest.mark.parametrize("kind", KINDS)
async def test_message_delivery_and_display_in_the_full_form(town: Town, kind: Kind) -> None:
    a, b = town.person("a"), town.person("b")
    alice, bob = await town.device(a, kind), await town.device(b, kind)
    conv = pair(a, b)
    sent = message(a, b, "안녕 👋 <b>bold</b>")

    ack = await alice.chat(sent)
    assert ack == {
        "ok": True, "MsgID": sent["MsgID"], "ConvID": conv, "Seq": 1, "N": 1,
        "StoredAt": ack["StoredAt"],
    }  # fmt: skip
    heard = await bob.hear("message")
    assert heard == sent | {"ConvID": conv, "Seq": 1, "N": 1, "StoredAt": ack["StoredAt"]}

    await bob.confirm("delivery", a, ConvID=conv, Seq=1)
    delivery = await alice.hear("delivery")
    assert (delivery["From"], delivery["ConvID"], delivery["Seq"]) == (b, conv, 1)

    await bob.confirm("display", a, ConvID=conv, Seq=1)
    display = await alice.hear("display")
    assert (display["From"], display["ConvID"], display["Seq"]) == (b, conv, 1)


@pytest.mark.parametrize("kind", KINDS)
async def test_message_delivery_and_display_in_the_seeds_form(open_town: Town, kind: Kind) -> None:
    a, b = open_town.person("a"), open_town.person("b")
    alice, bob = await open_town.seed_device(a, kind), await open_town.seed_device(b, kind)
    sent = message(a, b, "hello")

    await alice.chat(json.dumps(sent))
    heard = await bob.hear("message")
    assert {key: heard[key] for key in sent} == sent

    for event in ("delivery", "display"):
        await bob.chat(json.dumps(receipt(event, b, a, MsgID=sent["MsgID"])))
        back = await alice.hear(event)
        assert (back["From"], back["To"], back["MsgID"]) == (b, a, sent["MsgID"])


async def test_an_upgraded_connection_ends_on_websocket(town: Town) -> None:
    alice = await town.device(town.person("a"), "node-upgrade")
    _, args = await alice.wire.inbox.take("upgrade", lambda heard: heard[0] == "upgrade")
    assert args == ["websocket"]
    await alice.tell(alice.uid, "a note to myself")


async def test_messages_of_one_sender_keep_their_order_through_an_upgrade(town: Town) -> None:
    a, b = town.person("a"), town.person("b")
    bob = await town.device(b)
    alice = await town.device(a, "node-upgrade")
    for number in range(50):
        await alice.wire.emit("chat", message(a, b, str(number)))
    assert [(await bob.hear("message"))["Body"] for _ in range(50)] == [str(n) for n in range(50)]


async def test_libraries_and_forms_understand_each_other(open_town: Town) -> None:
    a, b = open_town.person("a"), open_town.person("b")
    alice = await open_town.device(a, "node-websocket")
    bob = await open_town.seed_device(b, "python-upgrade")
    await alice.tell(b, "full to seed")
    assert (await bob.hear("message"))["Body"] == "full to seed"
    await bob.tell(a, "seed to full")
    assert (await alice.hear("message"))["Seq"] == 2


async def test_the_sender_hears_its_ack_and_never_its_own_message(town: Town) -> None:
    a, b = town.person("a"), town.person("b")
    alice, bob = await town.device(a), await town.device(b)
    await alice.tell(b, "one")
    await bob.tell(a, "two")
    await alice.hear("message", Body="two")
    assert alice.unheard("message") == []


async def test_without_an_ack_asked_for_the_entry_itself_comes(town: Town) -> None:
    a, b = town.person("a"), town.person("b")
    alice = await town.device(a)
    await alice.wire.emit("chat", message(a, b, "no ack"))
    assert (await alice.hear("message", Body="no ack"))["Seq"] == 1


async def test_unknown_optional_fields_are_passed_on_and_the_servers_are_dropped(
    town: Town,
) -> None:
    a, b = town.person("a"), town.person("b")
    alice, bob = await town.device(a), await town.device(b)
    await alice.tell(b, "x", Colour={"h": 1}, Seq=77, N=9, StoredAt=1, Edited=3, Deleted=4)
    heard = await bob.hear("message")
    assert heard["Colour"] == {"h": 1}
    assert (heard["Seq"], heard["N"]) == (1, 1)
    assert not {"Edited", "Deleted"} & heard.keys()


async def test_the_same_msgid_again_gets_its_first_seq_and_is_delivered_once(town: Town) -> None:
    a, b = town.person("a"), town.person("b")
    alice, bob = await town.device(a), await town.device(b)
    first = message(a, b, "once")
    ack = await alice.chat(first)
    assert await alice.chat(first) == ack
    await alice.tell(b, "after")
    assert (await bob.hear("message"))["Body"] == "once"
    assert (await bob.hear("message"))["Body"] == "after"


async def test_notes_to_oneself_reach_the_other_devices(town: Town) -> None:
    a = town.person("a")
    laptop, phone = await town.device(a), await town.device(a, token=town.log_in(a))
    ack = await laptop.tell(a, "milk")
    assert ack["ConvID"] == pair(a, a)
    assert (await phone.hear("message"))["Body"] == "milk"
