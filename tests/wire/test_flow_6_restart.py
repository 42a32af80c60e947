"""Seed flow 6 (open mode): a group the server lost is made again from its members' list."""

from __future__ import annotations

from tests.wire.groups import act, done, new_group, refused, said
from tests.wire.people import Town, body_of


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
