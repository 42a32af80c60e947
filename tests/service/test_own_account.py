"""What a user changes of its own account is told to its devices, once."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from tests.service.world import World, code_of
from webchat.errors import Code, WebchatError
from webchat.model import user_log
from webchat.service.accounts import ProfileChange
from webchat.service.own_account import OwnAccount


async def told(world: World, uid: str = "ann") -> list[Any]:
    """What the user's log says of settings."""
    entries = await world.store.log.read(user_log(uid), 0, 999)
    said = [msgspec.json.decode(entry.envelope)["Body"] for entry in entries]
    return [msgspec.json.decode(body) for body in said]


async def test_what_is_told_is_as_it_is_kept(world: World) -> None:
    await world.user("ann")
    await world.own_account.change("ann", ProfileChange(name="  Anna ", display_receipts=False))
    assert await told(world) == [{"name": "Anna", "display_receipts": False}]


async def test_settings_that_are_so_already_are_told_once(world: World) -> None:
    await world.user("ann")
    for _ in range(3):
        await world.own_account.change("ann", ProfileChange(name="Anna"))
    await asyncio.gather(
        *[world.own_account.change("ann", ProfileChange(name=" Anna ")) for _ in range(9)]
    )
    assert await told(world) == [{"name": "Anna"}]
    await world.own_account.change("ann", ProfileChange())
    await world.own_account.change("ann", ProfileChange(name="Anna", about="new"))
    assert await told(world) == [{"name": "Anna"}, {"name": "Anna", "about": "new"}]


async def test_what_another_node_changed_and_told_is_told_when_it_changes_back(
    world: World,
) -> None:
    await world.user("ann")
    other = OwnAccount(world.accounts, world.appends, world.clock)
    for node, name in ((world.own_account, "A"), (other, "B"), (world.own_account, "A")):
        await node.change("ann", ProfileChange(name=name))
    assert await told(world) == [{"name": "A"}, {"name": "B"}, {"name": "A"}]


async def test_a_change_that_could_not_be_told_is_told_by_the_same_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.user("ann")
    await world.own_account.change("ann", ProfileChange(name="Anna"))

    async def decided(_: Any) -> Any:
        raise WebchatError(Code.UNAVAILABLE, "the store is not answering")

    monkeypatch.setattr(world.appends, "decided", decided)
    change = ProfileChange(name="Anne")
    assert await code_of(world.own_account.change("ann", change)) is Code.UNAVAILABLE
    monkeypatch.undo()
    await world.own_account.change("ann", change)
    assert await told(world) == [{"name": "Anna"}, {"name": "Anne"}]
