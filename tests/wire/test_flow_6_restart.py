"""Seed flow 6 (open mode): a group the server lost is made again from its members' list."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.servers import Server
from tests.wire.groups import (
    KINDS,
    act,
    bodies,
    do,
    done,
    heard_list,
    new_group,
    refused,
    said,
    say,
)
from tests.wire.people import Device, Kind, Town, body_of


async def held(device: Device, group: str, body: str) -> str:
    """Send to a group that is not known: the ack says held, `restart` comes. Returns the MsgID."""
    ack = await say(device, group, body)
    assert ack == {"ok": True, "held": True, "MsgID": ack["MsgID"]}
    await device.hear("restart", From=group)
    return str(ack["MsgID"])


async def test_a_message_to_an_unknown_group_is_held_and_sent_after_rejoin(
    open_town: Town,
) -> None:
    names = [open_town.person(name) for name in ("a", "b", "c")]
    alice, bob, carol = [await open_town.seed_device(uid) for uid in names]
    group = new_group()
    lost = said(group, alice.uid, "are you still there?")
    ack = await done(alice, lost)
    assert ack == {"ok": True, "held": True, "MsgID": lost["MsgID"]}
    restart = await alice.hear("restart")
    assert (restart["From"], restart["To"]) == (group, group)

    await done(alice, act("rejoin", group, alice.uid, names))
    assert sorted(body_of(await alice.hear("notify"))) == sorted(names)
    for device in (bob, carol):
        assert sorted(body_of(await device.hear("notify"))) == sorted(names)
        assert (await device.hear("message"))["MsgID"] == lost["MsgID"]

    await done(bob, said(group, bob.uid, "yes"))
    assert (await alice.hear("message"))["Body"] == "yes"


async def test_the_same_message_is_held_once(open_town: Town) -> None:
    names = [open_town.person(name) for name in ("a", "b")]
    alice, bob = [await open_town.seed_device(uid) for uid in names]
    group = new_group()
    lost = said(group, alice.uid, "once")
    for _ in range(3):
        await done(alice, lost)
    await done(alice, act("rejoin", group, alice.uid, names))
    await done(alice, said(group, alice.uid, "after"))
    heard = [(await bob.hear("message"))["Body"] for _ in range(2)]
    assert heard == ["once", "after"]


async def test_what_others_held_comes_with_the_first_list(open_town: Town) -> None:
    names = [open_town.person(name) for name in ("a", "b")]
    alice, bob = [await open_town.seed_device(uid) for uid in names]
    group = new_group()
    await done(alice, said(group, alice.uid, "from a"))
    await done(bob, said(group, bob.uid, "from b"))
    await done(alice, act("rejoin", group, alice.uid, names))
    assert (await bob.hear("message"))["Body"] == "from a"
    assert (await alice.hear("message"))["Body"] == "from b"


async def test_the_second_list_changes_nothing(open_town: Town) -> None:
    a, b, c = (open_town.person(name) for name in ("a", "b", "c"))
    alice, bob = await open_town.seed_device(a), await open_town.seed_device(b)
    group = new_group()
    await done(alice, act("rejoin", group, a, [a, b]))
    await bob.hear("notify")
    await done(bob, act("rejoin", group, b, [a, b, c]))
    assert sorted(body_of(await bob.hear("notify"))) == sorted([a, b])


async def test_in_secured_mode_an_unknown_group_is_not_a_member(town: Town) -> None:
    alice = await town.device(town.person("a"))
    group = new_group()
    assert await refused(alice, said(group, alice.uid, "x")) == "not_a_member"
    rejoin = act("rejoin", group, alice.uid, [alice.uid])
    assert await refused(alice, rejoin) == "not_a_member"
    assert alice.unheard("restart", "notify") == []


@pytest.mark.parametrize("kind", KINDS)
async def test_the_full_form_is_told_by_the_entries_the_sender_too(
    open_town: Town, kind: Kind
) -> None:
    names = [open_town.person(name) for name in "abc"]
    alice, bob, carol = [await open_town.device(uid, kind) for uid in names]
    group = new_group()
    await held(alice, group, "are you there?")
    await do(alice, "rejoin", group, names)
    await heard_list(alice, group, *names)
    for device in (alice, bob, carol):
        create = await device.hear("create", ConvID=group)
        assert create["Seq"] == 1
        assert sorted([*body_of(create), create["Originated"]]) == sorted(names)
        assert (await device.hear("message", ConvID=group))["Seq"] == 2
    assert (await say(bob, group, "yes"))["Seq"] == 3
    assert await bodies(alice, group, 1) == ["yes"]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_sender_cut_off_before_its_list_gives_it_after_the_reconnect(
    open_town: Town, kind: Kind
) -> None:
    a, b = open_town.person("a"), open_town.person("b")
    alice, bob = await open_town.device(a, kind), await open_town.seed_device(b, kind)
    group = new_group()
    msg_id = await held(alice, group, "held through a reconnect")
    await open_town.leave(alice)
    again = await open_town.device(a, kind)
    await do(again, "rejoin", group, [a, b])
    assert await bodies(bob, group, 1) == ["held through a reconnect"]
    assert (await say(again, group, "held through a reconnect", MsgID=msg_id))["Seq"] == 2
    await say(again, group, "next")
    assert await bodies(bob, group, 1) == ["next"]


@pytest.mark.parametrize("kind", KINDS)
async def test_members_who_are_away_get_it_when_back(open_town: Town, kind: Kind) -> None:
    a, b, c = (open_town.person(name) for name in "abc")
    alice, group = await open_town.seed_device(a, kind), new_group()
    await held(alice, group, "for who is away")
    await do(alice, "rejoin", group, [a, b, c])
    bob, carol = await open_town.device(b, kind), await open_town.seed_device(c, kind)
    await bob.hear("create", ConvID=group)
    await heard_list(carol, group, a, b, c)
    assert await bodies(bob, group, 1) == await bodies(carol, group, 1) == ["for who is away"]


@pytest.mark.parametrize("kind", KINDS)
async def test_what_is_held_follows_at_the_join_of_who_was_away_when_the_group_was_made(
    open_town: Town, kind: Kind
) -> None:
    a, b = open_town.person("a"), open_town.person("b")
    alice, bob = await open_town.seed_device(a, kind), await open_town.device(b, kind)
    group = new_group()
    await held(alice, group, "mine")
    await open_town.leave(alice)
    await do(bob, "create", group, [a])
    back = await open_town.seed_device(a, kind)
    assert await bodies(bob, group, 1) == ["mine"]
    await say(bob, group, "welcome")
    assert await bodies(back, group, 1) == ["welcome"]


@pytest.mark.parametrize("form", ["full", "seed"])
async def test_what_is_held_outlives_a_kill_of_the_server(data: Path, form: str) -> None:
    group = new_group()
    with Server(data, "--open") as server:
        town = Town(server, open_mode=True)
        a, b = town.person("a"), town.person("b")
        msg_id = await held(await town.device(a), group, "through a crash")
        server.kill()
        await town.close()
    with Server(data, "--open") as server:
        town = Town(server, open_mode=True)
        join = town.seed_device if form == "seed" else town.device
        alice, bob = await join(a), await join(b)
        await do(alice, "rejoin", group, [a, b])
        assert await bodies(bob, group, 1) == ["through a crash"]
        assert (await say(alice, group, "through a crash", MsgID=msg_id))["Seq"] == 2
        await town.close()
