"""Two devices of one user: each has its own place in the log, both share the user's positions."""

from __future__ import annotations

from tests.wire.people import Town, pair


async def test_both_devices_get_what_others_send(town: Town) -> None:
    a, b = town.person("a"), town.person("b")
    alice = await town.device(a)
    laptop, phone = await town.device(b), await town.device(b, "node-polling")
    await alice.tell(b, "to both")
    for device in (laptop, phone):
        assert (await device.hear("message"))["Body"] == "to both"


async def test_the_other_device_gets_what_one_sends(town: Town) -> None:
    a, b = town.person("a"), town.person("b")
    laptop, phone = await town.device(a), await town.device(a)
    ack = await laptop.tell(b, "from the laptop")
    assert (await phone.hear("message"))["Seq"] == ack["Seq"]
    await phone.tell(b, "from the phone")
    assert (await laptop.hear("message"))["Body"] == "from the phone"


async def test_a_display_on_one_device_moves_the_position_on_the_other(town: Town) -> None:
    a, b = town.person("a"), town.person("b")
    alice = await town.device(a)
    laptop, phone = await town.device(b), await town.device(b)
    for body in ("one", "two", "three"):
        await alice.tell(b, body)
    await laptop.confirm("display", a, ConvID=pair(a, b), Seq=2)
    moved = await phone.hear("position", ConvID=pair(a, b), displayed=2)
    assert (moved["delivered"], moved["N"]) == (2, 2)


async def test_an_own_message_moves_the_own_positions(town: Town) -> None:
    a, b = town.person("a"), town.person("b")
    alice, bob = await town.device(a), await town.device(b)
    await alice.tell(b, "question")
    await bob.tell(a, "answer")
    (listed,) = town.rest(b, "GET", "/conversations").json()["items"]
    assert (listed["N"], listed["unread"], listed["displayed"]) == (2, 0, 2)


async def test_positions_never_go_back_and_stop_at_the_last_entry(town: Town) -> None:
    a, b = town.person("a"), town.person("b")
    alice, bob = await town.device(a), await town.device(b)
    await alice.tell(b, "one")
    await alice.tell(b, "two")
    conv = pair(a, b)
    await bob.confirm("display", a, ConvID=conv, Seq=99)
    await bob.confirm("display", a, ConvID=conv, Seq=1)
    (listed,) = town.rest(b, "GET", "/conversations").json()["items"]
    assert (listed["delivered"], listed["displayed"]) == (2, 2)


async def test_a_new_conversation_is_told_in_the_user_log(town: Town) -> None:
    a, b = town.person("a"), town.person("b")
    alice, bob = await town.device(a), await town.device(b)
    await alice.tell(b, "hello")
    told = await bob.hear("conversation", ConvID=f"user:{b}")
    assert told["Seq"] >= 1
    assert "N" not in told
    assert f'"Conv":"{pair(a, b)}"' in told["Body"].replace(" ", "")
    assert (await alice.hear("conversation"))["ConvID"] == f"user:{a}"


async def test_devices_of_both_forms_hear_each_others_people(open_town: Town) -> None:
    a, b = open_town.person("a"), open_town.person("b")
    old, new = await open_town.seed_device(b), await open_town.device(b)
    alice = await open_town.device(a)
    await alice.tell(b, "to both forms")
    assert (await old.hear("message"))["Body"] == "to both forms"
    assert (await new.hear("message"))["Body"] == "to both forms"
    await old.tell(a, "from the old form")
    assert (await new.hear("message"))["Body"] == "from the old form"
    await alice.hear("message", Body="from the old form")
    await alice.tell(b, "end")
    assert (await old.hear("message"))["Body"] == "end"
