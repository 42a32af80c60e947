"""The store does not answer for some logs, or users, alone: the others hear what they missed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence

import pytest

from tests.chat.watched import WatchedStore
from tests.chat.world import Person, World, settle
from webchat.chat.assembly import Settings
from webchat.chat.settings import RepairSettings
from webchat.errors import Code, WebchatError
from webchat.model import Position

CONV = "dm:anna:ben"


@pytest.fixture(params=[1_000, 3, 1])
async def paged(
    world: World, watched: WatchedStore, request: pytest.FixtureRequest
) -> AsyncIterator[World]:
    """A node beside the secured one that reads so many heads at once; its store is watched."""
    settings = Settings(repair=RepairSettings(heads_page=request.param))
    made = World(settings, beside=world, store=watched)
    yield made
    await made.chat.close()


async def test_a_head_that_cannot_be_read_keeps_no_other_log_from_being_compared(
    world: World, paged: World, watched: WatchedStore
) -> None:
    people = [await world.joined(uid) for uid in ("anna", "cleo", "dora")]
    ben = await paged.joined("ben")
    await say(people, "before")
    paged.bus.cut_off()
    await say(people, "missed")
    watched.log.headless.add(CONV)
    paged.bus.reconnect()
    await pass_seconds(world, 5)
    assert sorted(ben.bodies()[3:]) == ["missed of cleo", "missed of dora"]
    paged.bus.cut_off()
    await say(people, "again")
    paged.bus.reconnect()
    await settle()
    assert sorted(ben.bodies()[5:]) == ["again of cleo", "again of dora"]
    watched.log.headless.clear()
    await pass_seconds(world, 1)
    assert ben.bodies()[7:] == ["missed of anna", "again of anna"]


async def test_a_head_that_cannot_be_read_is_tried_once_a_second_while_it_is_followed(
    world: World, near: World, watched: WatchedStore
) -> None:
    anna, ben = await world.joined("anna"), await near.joined("ben")
    await anna.send("ben", "hello")
    watched.log.headless.add(CONV)
    near.chat.compare()
    await pass_seconds(world, 5)
    watched.log.heads_of.clear()
    for _ in range(3):
        near.chat.compare()
        await pass_seconds(world, 1)
    assert watched.log.heads_of.count((CONV,)) == 3
    ben.leave()
    await pass_seconds(world, 1)
    watched.log.heads_of.clear()
    await pass_seconds(world, 3)
    assert watched.log.heads_of == []


async def test_positions_that_cannot_be_read_keep_nobody_else_from_hearing_theirs(
    world: World, other: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    cleo = await world.joined("cleo")
    phones = [await world.joined(uid) for uid in ("anna", "ben")]
    laptops = [await other.joined(uid) for uid in ("anna", "ben")]
    for phone in phones:
        await cleo.send(phone.uid, "hello")
    other.bus.cut_off()
    for phone in phones:
        await phone.confirm("display", "cleo", ConvID=f"dm:{phone.uid}:cleo", Seq=1)
    of_user, unreadable = world.store.positions.of_user, {"anna"}

    async def of_some(uid: str, convs: Sequence[str]) -> Mapping[str, Position]:
        if uid in unreadable:
            raise WebchatError(Code.INTERNAL, "the store failed")
        return await of_user(uid, convs)

    monkeypatch.setattr(world.store.positions, "of_user", of_some)
    other.bus.reconnect()
    await settle()
    assert [len(laptop.got("position")) for laptop in laptops] == [0, 1]
    unreadable.clear()
    await pass_seconds(world, 1)
    assert [len(laptop.got("position")) for laptop in laptops] == [1, 1]


async def say(people: Sequence[Person], body: str) -> None:
    for person in people:
        assert (await person.send("ben", f"{body} of {person.uid}"))["ok"]


async def pass_seconds(world: World, count: int) -> None:
    for _ in range(count):
        await world.pass_time(1.0)
