"""Who comes into a group, or leaves it, while its logs are being read for its first device here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.chat.watched import OldMembers, WatchedStore
from tests.chat.world import Person, World, settle
from webchat.model import Head, pair_conv
from webchat.service.entering import Entrance
from webchat.service.standing import Standing, Standings

G = "group_g"


class LateMembers:
    """Members, of which `of_user` is told only when `tells` is set; that of `prompt` at once."""

    prompt = "cleo"

    def __init__(self, members: Any) -> None:
        self._members = members
        self.tells = asyncio.Event()

    def __getattr__(self, method: str) -> Any:
        return getattr(self._members, method)

    async def of_user(self, uid: str) -> Any:
        memberships = await self._members.of_user(uid)
        if uid != self.prompt:
            await self.tells.wait()
        return memberships


Arriving = tuple[World, Person, LateMembers]


@pytest.fixture
async def arriving(world: World) -> AsyncIterator[Arriving]:
    """A node, and ben on his way there: his memberships have been read, and are not known yet."""
    watched = WatchedStore(world.store)
    watched.members = members = LateMembers(world.store.members)
    near = World(beside=world, store=watched)
    ben = await near.person("ben")
    ben.say("join", {"device": "d", "cursors": {}})
    await settle()
    yield near, ben, members
    await near.chat.close()


@pytest.mark.parametrize("is_cut_off", [False, True])
async def test_who_is_added_to_a_group_just_while_arriving_is_in_it(
    world: World, is_cut_off: bool
) -> None:
    watched = WatchedStore(world.store)
    watched.members = members = LateMembers(world.store.members)
    near = World(beside=world, store=watched)
    anna, ben = await world.joined("anna"), await near.person("ben")
    if is_cut_off:
        near.bus.cut_off()
    ben.say("join", {"device": "d", "cursors": {}})
    await settle()
    await anna.do("create", G, "ben")
    await anna.say_in(G, "hello")
    members.tells.set()
    await settle()
    assert ben.places(G) == [1, 2]
    await near.chat.close()


async def test_who_enters_a_group_by_rest_while_arriving_hears_of_it(
    world: World, arriving: Arriving
) -> None:
    near, ben, members = arriving
    anna = await world.joined("anna")
    await anna.do("create", G, "dora")
    standings = Standings(world.store.log, world.store.members)
    await Entrance(standings, near.chat.appends, near.clock).let_in("ben", G, _anyone, by="ben")
    members.tells.set()
    await settle()
    await anna.say_in(G, "hello")
    assert ben.bodies() == ["hello"]


async def _anyone(_: Standing) -> str:
    """They may come in."""
    return ""


async def test_who_is_added_while_arriving_hears_of_it_though_the_last_member_there_leaves(
    world: World, arriving: Arriving
) -> None:
    near, ben, members = arriving
    anna, cleo = await world.joined("anna"), await near.joined("cleo")
    await anna.do("create", G, "cleo")
    await anna.do("refer", G, "ben")
    cleo.leave()
    members.tells.set()
    await settle()
    await anna.say_in(G, "hello")
    assert ben.bodies() == ["hello"]


@pytest.mark.parametrize("is_pair", [True, False])
async def test_what_the_last_follower_heard_before_it_left_comes_to_who_is_arriving(
    watched: WatchedStore, near: World, is_pair: bool
) -> None:
    anna, ben = await near.joined("anna"), await near.person("ben")
    conv = pair_conv("anna", "ben") if is_pair else G
    await (anna.send("ben", "first") if is_pair else anna.do("create", G, "ben"))
    watched.log.heads_wait = following = asyncio.Event()
    ben.say("join", {"device": "d", "cursors": {conv: 1}})
    await settle()
    watched.log.heads_wait = asyncio.Event()
    if not is_pair:
        following.set()
        await settle()  # they are read once more, when the group is heard of
    await (anna.send("ben", "second") if is_pair else anna.say_in(G, "second"))
    anna.leave()
    await settle()
    following.set()
    watched.log.heads_wait.set()
    await settle()
    assert ben.bodies() == ["second"]


async def test_what_is_noted_for_who_is_arriving_comes_though_others_arrive_at_all_times(
    watched: WatchedStore, near: World
) -> None:
    """Also if it is more than a node remembers."""
    anna, ben = await near.joined("anna"), await near.person("ben")
    conv, roster = pair_conv("anna", "ben"), near.chat.roster
    await anna.send("ben", "first")
    watched.log.heads_wait = asyncio.Event()
    ben.say("join", {"device": "d", "cursors": {conv: 1}})
    await settle()
    await anna.send("ben", "second")
    anna.leave()
    for number in range(120_000):
        roster.note(f"dm:dora{number}:emil", Head(1, 1, 1, 0))
    assert len(roster.moved) <= 50_000
    watched.log.heads_wait.set()
    await settle()
    assert ben.bodies() == ["second"]
    assert not roster.moved


async def test_who_leaves_a_group_just_while_arriving_sees_up_to_there(world: World) -> None:
    watched = WatchedStore(world.store)
    watched.members = members = LateMembers(world.store.members)
    near = World(beside=world, store=watched)
    members.tells.set()
    anna, ben = await near.joined("anna"), await world.joined("ben")
    await anna.do("create", G, "ben")
    members.tells.clear()
    laptop = await near.person("ben")
    laptop.say("join", {"device": "d", "cursors": {G: 1}})
    await settle()  # its memberships have been read, and are not known here yet
    await ben.do("depart", G)
    members.tells.set()
    await settle()
    assert [entry["EvtType"] for entry in laptop.got() if entry["ConvID"] == G] == ["depart"]
    await near.chat.close()


async def test_who_left_between_its_memberships_and_their_heads_being_read_is_let_out(
    world: World,
) -> None:
    watched = WatchedStore(world.store)
    watched.members = members = LateMembers(world.store.members)
    near = World(beside=world, store=watched)
    anna, ben = await world.joined("anna"), await world.joined("ben")
    await anna.do("create", G, "ben")
    near.bus.cut_off()
    laptop = await near.person("ben")
    laptop.say("join", {"device": "d", "cursors": {G: 1, "user:ben": 1}})
    await settle()  # its memberships have been read, and are not known here yet
    await ben.do("depart", G)
    members.tells.set()
    await settle()
    near.bus.reconnect()
    await settle()
    await anna.say_in(G, "after")
    await settle()
    assert [entry["EvtType"] for entry in laptop.got() if entry["ConvID"] == G] == ["depart"]
    assert G not in near.chat.roster.logs
    await near.chat.close()


async def test_who_was_put_out_and_comes_before_all_that_follows_is_written_hears_nothing_more(
    world: World,
) -> None:
    watched = WatchedStore(world.store)
    watched.members = members = OldMembers(world.store.members)
    near = World(beside=world, store=watched)
    anna = await world.joined("anna")
    await anna.do("create", G, "ben")
    members.old = await world.store.members.of_user("ben")
    await anna.say_in(G, "still with ben")
    await anna.do("remove", G, "ben")
    ben = await near.joined("ben", {G: 1})
    await anna.say_in(G, "without ben")
    assert ben.order(G) == [("message", 2), ("remove", 3)]
    assert G not in near.chat.roster.logs
    await anna.do("refer", G, "ben")
    assert ben.order(G)[2:] == [("skip", 4), ("join", 5)]
    await near.chat.close()
