"""Worlds that are taken down after the test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

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
