"""Backings and clusters; those that tests break are a test's own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cluster import backing as backings
from tests.cluster.backing import Backing


@pytest.fixture
def backing() -> Iterator[Backing]:
    """A Redis and a store of the test's own."""
    with backings.backing() as made:
        yield made
