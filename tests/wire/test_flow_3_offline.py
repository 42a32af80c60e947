"""Seed flow 3: the receiver is away; what was stored comes in order once it is back."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.servers import Server
from tests.wire.people import Kind, Town, pair, receipt

KINDS: list[Kind] = ["node-websocket", "node-polling", "python-websocket", "python-polling"]


@pytest.mark.parametrize("kind", KINDS)
async def test_the_backlog_comes_in_order_to_the_full_form(town: Town, kind: Kind) -> None:
    a, b = town.person("a"), town.person("b")
    alice = await town.device(a)
    for number in range(30):
        await alice.tell(b, str(number))

    bob = await town.device(b, kind)
    heard = [await bob.hear("message") for _ in range(30)]
    assert [entry["Seq"] for entry in heard] == list(range(1, 31))
    assert [entry["Body"] for entry in heard] == [str(number) for number in range(30)]

    await bob.confirm("delivery", a, ConvID=pair(a, b), Seq=30)
    assert (await alice.hear("delivery"))["Seq"] == 30


@pytest.mark.parametrize("kind", KINDS)
async def test_the_backlog_comes_in_order_to_the_seeds_form(open_town: Town, kind: Kind) -> None:
    a, b = open_town.person("a"), open_town.person("b")
    alice = await open_town.seed_device(a)
    ids = [(await alice.tell(b, str(number)))["MsgID"] for number in range(10)]

    bob = await open_town.seed_device(b, kind)
    assert [(await bob.hear("message"))["MsgID"] for _ in range(10)] == ids

    for msg_id in ids:
        await bob.chat(receipt("delivery", b, a, MsgID=msg_id))
    assert [(await alice.hear("delivery"))["MsgID"] for _ in ids] == ids


async def test_the_seeds_form_gets_again_what_it_did_not_confirm(open_town: Town) -> None:
    a, b = open_town.person("a"), open_town.person("b")
    alice, bob = await open_town.seed_device(a), await open_town.seed_device(b)
    one, two = await alice.tell(b, "one"), await alice.tell(b, "two")
    await bob.hear("message", Body="two")
    await bob.chat(receipt("delivery", b, a, MsgID=one["MsgID"]))
    await open_town.leave(bob)

    again = await open_town.seed_device(b)
    assert (await again.hear("message"))["MsgID"] == two["MsgID"]


async def test_receipts_wait_for_an_author_of_the_seeds_form(open_town: Town) -> None:
    a, b = open_town.person("a"), open_town.person("b")
    alice, bob = await open_town.seed_device(a), await open_town.seed_device(b)
    sent = await alice.tell(b, "read me later")
    await open_town.leave(alice)
    await bob.chat(receipt("delivery", b, a, MsgID=sent["MsgID"]))
    await bob.chat(receipt("display", b, a, MsgID=sent["MsgID"]))

    back = await open_town.seed_device(a)
    assert (await back.hear("delivery"))["MsgID"] == sent["MsgID"]
    assert (await back.hear("display"))["MsgID"] == sent["MsgID"]


async def test_the_backlog_outlives_the_server(data: Path) -> None:
    with Server(data) as server:
        town = Town(server, open_mode=False)
        a, b = town.person("a"), town.person("b")
        alice = await town.device(a)
        for body in ("one", "two", "three"):
            await alice.tell(b, body)
        token = town.token(b)
        await town.close()
    with Server(data) as server:
        town = Town(server, open_mode=False)
        bob = await town.device(b, token=token)
        assert [(await bob.hear("message"))["Body"] for _ in range(3)] == ["one", "two", "three"]
        await town.close()


async def test_what_comes_during_the_backlog_comes_after_it(town: Town) -> None:
    a, b = town.person("a"), town.person("b")
    alice = await town.device(a)
    for number in range(150):
        await alice.tell(b, str(number))
    bob = await town.device(b)
    await alice.tell(b, "live")
    bodies = [(await bob.hear("message"))["Body"] for _ in range(151)]
    assert bodies == [str(number) for number in range(150)] + ["live"]
