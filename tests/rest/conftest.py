"""REST over ASGI: the real application on the real services, without a socket."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.rest.api import Api
from tests.service.world import World


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.close()


@pytest.fixture
async def api(world: World, tmp_path: Path) -> AsyncIterator[Api]:
    made = Api(world, static_dir=tmp_path / "static")
    yield made
    await made.close()


@pytest.fixture
async def open_api(tmp_path: Path) -> AsyncIterator[Api]:
    world = World(open_mode=True)
    made = Api(world, static_dir=tmp_path / "static", open_mode=True)
    yield made
    await made.close()
    world.close()
