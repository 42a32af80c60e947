"""What each test of a service begins with: a world, an open one, or nodes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.service.town import Town
from tests.service.world import World


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.close()


@pytest.fixture
def open_world() -> Iterator[World]:
    made = World(open_mode=True)
    yield made
    made.close()


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    town = Town()
    yield town
    await town.close()
