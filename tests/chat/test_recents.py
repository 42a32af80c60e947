"""Who came in last is the same on all nodes (open mode, `GET /getall`)."""

from __future__ import annotations

import pytest

from tests.chat.world import World, settle


async def recent(world: World) -> list[str]:
    return [profile.uid for profile in await world.profiles.recent()]


async def come_in(world: World, *uids: str) -> None:
    for uid in uids:
        await world.joined(uid)
        await world.pass_time(1.0)


async def test_who_comes_in_on_several_nodes_is_in_one_order_on_all(open_world: World) -> None:
    other = World(beside=open_world)
    for uid, node in (("anna", open_world), ("ben", other), ("cleo", open_world), ("anna", other)):
        await come_in(node, uid)
    await other.profiles.change("dora", {"name": "Dora"})
    await settle()
    assert await recent(open_world) == await recent(other) == ["dora", "anna", "cleo", "ben"]
    await other.chat.close()


async def test_a_node_that_starts_later_asks_who_came_in(open_world: World) -> None:
    await come_in(open_world, "anna", "ben")
    later = World(beside=open_world)
    await settle()
    assert await recent(later) == ["ben", "anna"]
    await later.chat.close()


async def test_after_an_outage_of_the_bus_nodes_are_of_one_mind_again(open_world: World) -> None:
    other = World(beside=open_world)
    await settle()
    other.bus.cut_off()
    await come_in(open_world, "anna")
    await come_in(other, "ben")
    assert (await recent(open_world), await recent(other)) == (["anna"], ["ben"])
    other.bus.reconnect()
    await other.pass_time(1.0)
    assert await recent(open_world) == await recent(other) == ["ben", "anna"]
    await other.chat.close()


async def test_many_who_come_in_at_once_are_told_of_a_few_times(
    open_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = World(beside=open_world)
    await settle()
    heard: list[object] = []
    monkeypatch.setattr(other.profiles, "heard_recent", heard.append)
    for number in range(50):
        await open_world.joined(f"uid{number}")
    await open_world.pass_time(1.0)
    assert 1 <= len(heard) <= 2
    await other.chat.close()
