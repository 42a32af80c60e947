"""Worlds that are taken down after the test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.chat.watched import WatchedStore
from tests.chat.world import World
from webchat.chat.assembly import Settings
from webchat.chat.keeping import KeptSettings


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """A secured node with four people."""
    made = World()
    await made.register("anna", "ben", "cleo", "dora")
    yield made
    await made.chat.close()


@pytest.fixture
async def open_world() -> AsyncIterator[World]:
    """A node in open mode."""
    made = World(Settings(open_mode=True, kept=KeptSettings(kept_receipts=1_000)))
    yield made
    await made.chat.close()


@pytest.fixture
async def other(world: World) -> AsyncIterator[World]:
    """A second node beside the secured one."""
    made = World(beside=world)
    yield made
    await made.chat.close()


@pytest.fixture
def watched(world: World) -> WatchedStore:
    """The store of the secured node, watched: that of `near`."""
    return WatchedStore(world.store)


@pytest.fixture
async def near(world: World, watched: WatchedStore) -> AsyncIterator[World]:
    """A node beside the secured one, whose store is watched."""
    made = World(beside=world, store=watched)
    yield made
    await made.chat.close()
