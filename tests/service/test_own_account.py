"""What a user changes of its own account is told to its devices, once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from tests.service.world import World, code_of
from webchat.errors import Code, WebchatError
from webchat.model import ConvID, user_log
from webchat.ports.log import Appended
from webchat.service.accounts import ProfileChange
from webchat.service.appending import Appends, Decide
from webchat.service.own_account import OwnAccount


async def told(world: World, uid: str = "ann") -> list[Any]:
    """What the user's log says of settings."""
    entries = await world.store.log.read(user_log(uid), 0, 999)
    said = [msgspec.json.decode(entry.envelope)["Body"] for entry in entries]
    return [msgspec.json.decode(body) for body in said]


def another_node(world: World, appends: Appends | None = None) -> OwnAccount:
    """Settings as another node on the store changes them."""
    return OwnAccount(world.accounts, world.store.log, appends or world.appends, world.clock)


class Behind:
    """Appends of a node that comes to them once it is told to."""

    def __init__(self, appends: Appends) -> None:
        self._appends = appends
        self.begun = asyncio.Event()
        self.goes_on = asyncio.Event()

    async def decided(self, conv: ConvID, decide: Decide) -> Appended:
        self.begun.set()
        await self.goes_on.wait()
        return await self._appends.decided(conv, decide)

    def tell_again(self, convs: Sequence[ConvID]) -> None:
        self._appends.tell_again(convs)


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
    other = another_node(world)
    for node, name in ((world.own_account, "A"), (other, "B"), (world.own_account, "A")):
        await node.change("ann", ProfileChange(name=name))
    assert await told(world) == [{"name": "A"}, {"name": "B"}, {"name": "A"}]


async def test_of_changes_on_two_nodes_at_once_the_last_that_is_told_is_what_holds(
    world: World,
) -> None:
    await world.user("ann")
    behind = Behind(world.appends)
    slow, fast = another_node(world, behind), another_node(world)
    change = ProfileChange(name="A", about="by A")
    first = asyncio.create_task(slow.change("ann", change))
    await behind.begun.wait()
    await fast.change("ann", ProfileChange(name="B"))
    behind.goes_on.set()
    assert (await first).name == "A"
    assert await told(world) == [{"name": "B"}, {"name": "B", "about": "by A"}]


async def test_a_change_that_could_not_be_told_is_told_by_the_same_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.user("ann")
    await world.own_account.change("ann", ProfileChange(name="Anna"))

    async def decided(*_: Any) -> Any:
        raise WebchatError(Code.UNAVAILABLE, "the store is not answering")

    monkeypatch.setattr(world.appends, "decided", decided)
    change = ProfileChange(name="Anne")
    assert await code_of(world.own_account.change("ann", change)) is Code.UNAVAILABLE
    monkeypatch.undo()
    await world.own_account.change("ann", change)
    assert await told(world) == [{"name": "Anna"}, {"name": "Anne"}]
