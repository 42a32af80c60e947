"""A device's arrival: what it and those that come with it read, and whose turn it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from tests.chat.watched import WatchedStore
from tests.chat.world import World, settle
from webchat.chat.cursors import Cursors
from webchat.chat.seed import SeedDevice


async def test_a_store_that_is_down_refuses_the_join_and_lets_it_be_sent_again(
    world: World,
) -> None:
    ben = await world.person("ben")
    world.store.is_down = True
    ack = await ben.join()
    assert ack["error"]["code"] == "unavailable"
    world.store.is_down = False
    assert (await ben.join())["ok"]


async def test_devices_that_come_together_share_one_read_and_what_it_is_refused_with(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [await world.person("ben") for _ in range(3)]
    reads = 0
    read = world.store.following.of

    async def counted(uid: str) -> Any:
        nonlocal reads
        reads += 1
        await asyncio.sleep(0)
        return await read(uid)

    monkeypatch.setattr(world.store.following, "of", counted)
    world.store.is_down = True
    acks = await asyncio.gather(*(person.join() for person in people))
    assert [ack["error"]["code"] for ack in acks] == ["unavailable"] * 3
    world.store.is_down = False
    acks = await asyncio.gather(*(person.join() for person in people))
    assert all(ack["ok"] for ack in acks)
    assert reads == 2
    assert len(world.chat.roster.users["ben"].devices) == 3


async def test_where_the_first_of_several_devices_is_cut_off_the_next_one_reads(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    arriving, never = world.chat.handler._joining._arriving, asyncio.Event()
    following = world.store.following
    read = following.of
    monkeypatch.setattr(following, "of", lambda uid: never.wait())
    first = asyncio.create_task(arriving.arrive("ben"))
    await settle()
    others = [asyncio.create_task(arriving.arrive("ben")) for _ in range(2)]
    await settle()
    monkeypatch.setattr(following, "of", read)
    first.cancel()
    users = await asyncio.gather(*others)
    assert users[0] is users[1] is world.chat.roster.arrived("ben")


@pytest.mark.parametrize("lost", ["dm:anna:ben", "group_x", "user:ben"])
async def test_a_log_whose_end_cannot_be_read_keeps_nobody_from_joining(
    world: World, near: World, watched: WatchedStore, lost: str
) -> None:
    anna, cleo = await world.joined("anna"), await world.joined("cleo")
    for group in ("group_x", "group_y"):
        await anna.do("create", group, "ben")
        await anna.say_in(group, f"in {group}")
    await anna.send("ben", "of anna")
    await cleo.send("ben", "of cleo")
    watched.log.headless.add(lost)
    cursors = {"dm:anna:ben": 0, "dm:ben:cleo": 0, "group_x": 1, "group_y": 1} | {lost: 1}
    for _ in range(2):
        ben = await near.joined("ben", cursors)
        said = {"dm:anna:ben": "of anna", "group_x": "in group_x"}
        expected = {"of anna", "of cleo", "in group_x", "in group_y"} - {said.get(lost)}
        assert set(ben.bodies()) == expected
        assert (await ben.ask("sync", {"cursors": cursors}))["ok"]
        assert ben.order(lost) == []
    await cleo.send("ben", "live")
    assert ben.bodies()[-1] == "live"


@pytest.mark.parametrize("form", ["full", "seed"])
async def test_devices_of_many_conversations_come_in_one_in_a_turn_of_the_loop(
    world: World, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    peers = [f"peer-{at}" for at in range(501)]
    await world.register(*peers)
    await write_to_all(world, "anna", peers)
    turn, turns = 0, list[int]()

    def watched(method: Callable[..., None]) -> Callable[..., None]:
        def call(*args: Any, **options: Any) -> None:
            turns.append(turn)
            method(*args, **options)

        return call

    monkeypatch.setattr(Cursors, "join", watched(Cursors.join))
    monkeypatch.setattr(SeedDevice, "begin", watched(SeedDevice.begin))
    devices = [await world.person("anna") for _ in range(10)]
    for device in devices:
        device.say("join", {"cursors": {}} if form == "full" else "anna")
    while len(turns) < len(devices):
        await asyncio.sleep(0)
        turn += 1
    assert len(set(turns)) == len(devices)
    await settle()
    assert all(device.socket.acks for device in devices)


async def write_to_all(world: World, who: str, others: Sequence[str]) -> None:
    """A message to each of them."""
    writer = await world.joined(who)
    for at, other in enumerate(others):
        writer.say("chat", writer.message(other, "hello"))
        if at % 200 == 199:
            await world.pass_time(10)
    await world.pass_time(10)
    writer.leave()
