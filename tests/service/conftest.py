"""A secured world for each test of a service."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

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
